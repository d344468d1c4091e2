import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pinned } from "./process-usage.ts";

const run = promisify(execFile);

/** What is asked, and of whom. */
export interface LoadTarget {
  readonly port: number;
  /** The Host header. */
  readonly host: string;
  /** With more than one of `paths`, `{}` in it is replaced by the number of each, from 0. */
  readonly path: string;
  readonly paths: number;
  /** Size of the body that each request carries; 0: GET. */
  readonly uploadBytes: number;
  readonly connections: number;
}

/** What a load generator has seen; `errors` are answers other than 200, and closed connections. */
export interface LoadReport {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

const LOAD_MAIN = fileURLToPath(new URL("./load-main.js", import.meta.url));
const OPEN_LOOP_MAIN = fileURLToPath(new URL("./open-loop-main.js", import.meta.url));

/** The program of a load generator on `cpu`, with what to give it. */
export function loadCommand(target: LoadTarget, cpu: number, args: readonly string[]): [string, string[]] {
  return pinned(cpu, process.execPath, [LOAD_MAIN, "--target", JSON.stringify(target), ...args]);
}

/** As fast as answers come. */
export async function closedLoop(target: LoadTarget, seconds: number, cpu: number): Promise<LoadReport> {
  const { stdout } = await run(...loadCommand(target, cpu, ["--seconds", String(seconds)]));
  return JSON.parse(stdout) as LoadReport;
}

const WARM_UP_REQUESTS = 50_000;
const WARM_UP_MAX_SECONDS = 10;

/** Until a proxy's connections are made and its code is compiled, which takes requests rather than time. */
export async function warmUp(target: LoadTarget, cpu: number): Promise<void> {
  const limits = ["--requests", String(WARM_UP_REQUESTS), "--seconds", String(WARM_UP_MAX_SECONDS)];
  await run(...loadCommand(target, cpu, limits));
}

/** What an open loop adds: how late its own clock was, which is part of every latency that it reports. */
export interface OpenLoopReport extends LoadReport {
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
}

/** At a fixed rate, whatever the answers do. */
export async function openLoop(
  target: LoadTarget,
  requestsPerSecond: number,
  seconds: number,
  cpu: number,
): Promise<OpenLoopReport> {
  const args = ["--target", JSON.stringify(target), "--rate", String(requestsPerSecond), "--seconds", String(seconds)];
  const { stdout } = await run(...pinned(cpu, process.execPath, [OPEN_LOOP_MAIN, ...args]));
  return JSON.parse(stdout) as OpenLoopReport;
}

export function parseLoadTarget(text: string): LoadTarget {
  return JSON.parse(text) as LoadTarget;
}
