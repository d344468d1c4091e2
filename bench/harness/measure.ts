import { closedLoop, type LoadReport, type LoadTarget } from "./load.ts";
import { cpuTimeUs } from "./process-usage.ts";
import { median } from "./statistics.ts";

/** One contender's figures, of one run or as medians over runs. */
export interface Figures {
  /** For each proxy that a request passes. */
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** The processes of a proxy, or of proxies one behind the other. */
export interface Measured {
  readonly pids: readonly number[];
  readonly hops: number;
}

/** Runs `load`, and measures the processor time of the proxies meanwhile. */
export async function measuring<R extends LoadReport>(
  { pids, hops }: Measured,
  load: () => Promise<R>,
): Promise<{ figures: Figures; report: R }> {
  const before = cpuTimeUs(pids);
  const report = await load();
  const used = cpuTimeUs(pids) - before;
  const { requests, seconds, p50Ms, p90Ms, p99Ms } = report;
  // Where nothing came through, the errors say so.
  const errors = requests === 0 ? Math.max(1, report.errors) : report.errors;
  const cpuUsPerRequest = used / Math.max(1, requests) / Math.max(1, hops);
  return { figures: { cpuUsPerRequest, requestsPerSecond: requests / seconds, p50Ms, p90Ms, p99Ms, errors }, report };
}

/** Loads the target for some seconds from `cpu`, as fast as it goes. */
export async function measure(measured: Measured, target: LoadTarget, seconds: number, cpu: number): Promise<Figures> {
  return (await measuring(measured, () => closedLoop(target, seconds, cpu))).figures;
}

/** The median of each figure; errors are added up. */
export function summarize(runs: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number, digits: number) => Number(median(runs.map(pick)).toFixed(digits));
  return {
    cpuUsPerRequest: of((figures) => figures.cpuUsPerRequest, 2),
    requestsPerSecond: of((figures) => figures.requestsPerSecond, 0),
    p50Ms: of((figures) => figures.p50Ms, 3),
    p90Ms: of((figures) => figures.p90Ms, 3),
    p99Ms: of((figures) => figures.p99Ms, 3),
    errors: runs.reduce((sum, { errors }) => sum + errors, 0),
  };
}
