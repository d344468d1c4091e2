import type { CodeDefinition } from "./code.ts";
import * as deprecations from "./codes/deprecations.ts";
import * as gateways from "./codes/gateways.ts";
import * as mixer from "./codes/mixer.ts";
import * as policies from "./codes/policies.ts";
import * as references from "./codes/references.ts";
import * as routing from "./codes/routing.ts";
import * as running from "./codes/running.ts";
import * as validity from "./codes/validity.ts";

const MODULES = [validity, references, routing, policies, gateways, mixer, running, deprecations];

/** Every code, in order. */
export const ALL_CODES: readonly CodeDefinition[] = MODULES.flatMap((module) => Object.values(module) as unknown[])
  .filter((value): value is CodeDefinition => typeof value === "object" && value !== null && "code" in value)
  .sort((a, b) => (a.code < b.code ? -1 : 1));
