import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** One contender's figures, of one run or as medians over runs. */
export interface Figures {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

export interface LoadTarget {
  readonly port: number;
  /** The Host header. */
  readonly host: string;
  readonly path: string;
  readonly connections: number;
}

interface LoadReport {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Ticks of utime and stime in /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

const LOAD_MAIN = fileURLToPath(new URL("./load-main.js", import.meta.url));

/** User and system time of the whole process so far, in microseconds. Linux only. */
export function cpuTimeUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command's name, in brackets, may hold spaces; utime is the 12th field after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** `command`, bound to one processor. */
export function pinned(cpu: number, command: string, args: readonly string[]): [string, string[]] {
  return ["taskset", ["-c", String(cpu), command, ...args]];
}

/** Loads the target for some seconds from `cpu`, and measures the processor time of `pid` meanwhile. */
export async function measure(pid: number, target: LoadTarget, seconds: number, cpu: number): Promise<Figures> {
  const before = cpuTimeUs(pid);
  const args = ["--port", target.port, "--host", target.host, "--path", target.path].map(String);
  args.push("--connections", String(target.connections), "--seconds", String(seconds));
  const { stdout } = await run(...pinned(cpu, process.execPath, [LOAD_MAIN, ...args]));
  const used = cpuTimeUs(pid) - before;
  const report = JSON.parse(stdout) as LoadReport;
  return {
    cpuUsPerRequest: used / Math.max(1, report.requests),
    requestsPerSecond: report.requests / report.seconds,
    p50Ms: report.p50Ms,
    p99Ms: report.p99Ms,
    errors: report.errors,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

/** The median of each figure; errors are added up. */
export function summarize(runs: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number, digits: number) => Number(median(runs.map(pick)).toFixed(digits));
  return {
    cpuUsPerRequest: of((figures) => figures.cpuUsPerRequest, 2),
    requestsPerSecond: of((figures) => figures.requestsPerSecond, 0),
    p50Ms: of((figures) => figures.p50Ms, 3),
    p99Ms: of((figures) => figures.p99Ms, 3),
    errors: runs.reduce((sum, { errors }) => sum + errors, 0),
  };
}
