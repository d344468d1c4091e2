import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LoadReport, LoadTarget } from "./load.ts";
import { pinned } from "./process-usage.ts";
import { firstLine } from "./results.ts";

const run = promisify(execFile);

/** Lua that wrk calls once, at the end; it costs nothing while requests run. */
const REPORT = `
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"errors":%d,"seconds":%f,"p50Ms":%f,"p90Ms":%f,"p99Ms":%f,"kinds":"connect %d, read %d, write %d, timeout %d, status %d"}\\n',
    summary.requests,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
`;

export function wrkVersion(): string | undefined {
  return firstLine("sh", ["-c", "wrk -v 2>&1 | grep -o '^wrk [^ ]*'"]);
}

export interface WrkReport extends LoadReport {
  /** The errors by kind, as text. */
  readonly kinds: string;
}

/** Whether requests fail is asked, not how long they wait for a processor that others want too. */
const TIMEOUT = "10s";

/** The same closed loop as `closedLoop`, by a program that others know: wrk, with one thread. */
export async function wrkLoop(target: LoadTarget, seconds: number, cpu: number, dir: string): Promise<WrkReport> {
  const script = join(dir, "wrk-report.lua");
  writeFileSync(script, REPORT);
  const size = ["-t", "1", "-c", String(target.connections), "-d", `${seconds}s`, "--timeout", TIMEOUT];
  const request = ["-H", `Host: ${target.host}`, `http://127.0.0.1:${target.port}${target.path}`];
  const { stdout } = await run(...pinned(cpu, "wrk", [...size, "-s", script, ...request]));
  const line = stdout.split("\n").find((each) => each.startsWith("{"));
  if (line === undefined) throw new Error(`wrk ended without a report: ${stdout}`);
  return JSON.parse(line) as WrkReport;
}
