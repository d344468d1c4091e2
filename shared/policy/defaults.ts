import { readFileSync } from "node:fs";

/** The documents that a new mesh starts with, as YAML; they stand beside this module's source. */
export function readDefaultConfig(): string {
  return readFileSync(new URL("../../../shared/policy/defaults.yaml", import.meta.url), "utf8");
}
