import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { type Figures, median, summarize } from "./measure.ts";

/** All runs of one scenario, by contender. */
export interface ScenarioRuns {
  readonly name: string;
  readonly runs: Readonly<Record<string, readonly Figures[]>>;
}

/** Writes `bench/results/<bench>.json`: the medians of every scenario and contender. */
export function writeResults(
  file: string,
  versions: Readonly<Record<string, string>>,
  scenarios: readonly ScenarioRuns[],
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
    scenarios: scenarios.map(({ name, runs }) => ({
      name,
      results: Object.fromEntries(Object.entries(runs).map(([contender, figures]) => [contender, summarize(figures)])),
    })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Medians with their spread (least to most), and the ratio of CPU to that of `reference` within the same rounds. */
export function printScenario({ name, runs }: ScenarioRuns, reference: string): void {
  const header = ["", "CPU us/request", "requests/s", "p50 ms", "p99 ms", "errors", `CPU / ${reference}`];
  const rows = Object.entries(runs).map(([contender, figures]) => [
    contender,
    withSpread(
      figures.map((each) => each.cpuUsPerRequest),
      1,
    ),
    withSpread(
      figures.map((each) => each.requestsPerSecond),
      0,
    ),
    withSpread(
      figures.map((each) => each.p50Ms),
      2,
    ),
    withSpread(
      figures.map((each) => each.p99Ms),
      2,
    ),
    String(figures.reduce((sum, { errors }) => sum + errors, 0)),
    withSpread(ratios(figures, runs[reference] ?? []), 2),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  console.log(`\n${name} (${Object.values(runs)[0]?.length ?? 0} runs each; median, least..most)`);
  for (const row of [header, ...rows])
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`);
}

/** Round by round: what slows the machine down in one round slows both. */
function ratios(figures: readonly Figures[], reference: readonly Figures[]): number[] {
  return figures.flatMap((each, round) => {
    const other = reference[round];
    return other === undefined || other.cpuUsPerRequest === 0 ? [] : [each.cpuUsPerRequest / other.cpuUsPerRequest];
  });
}

function withSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return "-";
  const show = (value: number) => value.toFixed(digits);
  return `${show(median(values))} (${show(Math.min(...values))}..${show(Math.max(...values))})`;
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
