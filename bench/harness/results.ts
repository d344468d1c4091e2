import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Verdict } from "./goal.ts";
import type { Figures } from "./measure.ts";

/** What a scenario has found. */
export interface Outcome {
  readonly name: string;
  /** Medians, by contender. */
  readonly results: Readonly<Record<string, Figures>>;
  /** What only this scenario measures. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly verdicts: readonly Verdict[];
}

/** Writes `bench/results/<bench>.json`. */
export function writeResults(
  file: string,
  versions: Readonly<Record<string, string>>,
  outcomes: readonly Outcome[],
): void {
  const results = {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cpus: cpus().length,
      memoryBytes: totalmem(),
      platform: process.platform,
    },
    versions,
    commit: firstLine("git", ["rev-parse", "HEAD"]) ?? "unknown",
    scenarios: outcomes.map(({ name, results, details, verdicts }) => ({ name, results, ...details, verdicts })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** The first line that a program prints, or undefined when it cannot be run. */
export function firstLine(command: string, args: readonly string[]): string | undefined {
  try {
    const output = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return output.split("\n")[0]?.trim() || undefined;
  } catch {
    return undefined;
  }
}
