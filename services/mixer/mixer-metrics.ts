import { type Clock, errorMessage } from "../../shared/base/index.ts";
import type { Logger, Metrics } from "../../shared/obs/index.ts";
import type { HandlerCounts } from "./adapters/factory.ts";
import type { DispatchEvent } from "./dispatcher.ts";
import type { Fault } from "./linked-config.ts";
import type { ReportCounts } from "./report-handler.ts";

export interface MixerMetrics extends HandlerCounts {
  check(code: number, startedMs: number): void;
  dispatch(event: DispatchEvent, what: string, error: unknown): void;
  faults(faults: readonly Fault[]): void;
  state(read: { leading(): boolean; revision(): number }): void;
  readonly reports: ReportCounts;
}

/** The same trouble is logged again after this. */
const LOG_AGAIN_MS = 60_000;
const MAX_LOGGED = 1000;

/** What a Mixer counts of itself, and logs once a minute where it is trouble. */
export function createMixerMetrics(metrics: Metrics, clock: Clock, log: Logger): MixerMetrics {
  const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25];
  const checks = metrics.histogram("check_seconds", "Time to answer a check, by gRPC status code.", ["code"], seconds);
  const events = metrics.counter("dispatch_errors_total", "Conditions, instances and handlers that failed.", ["event"]);
  const faulty = metrics.gauge("config_faults", "References and resources that are left out because they are broken.");
  const rows = metrics.counter("report_rows_total", "Report rows taken in.");
  const repeats = metrics.counter("report_repeats_total", "Batches that had been taken in before.");
  const lost = metrics.counter("report_dropped_requests_total", "Requests whose reports proxies dropped.");
  const dropped = metrics.counter("handler_dropped_total", "Rows that a handler could not take.", ["handler"]);
  const fallbacks = metrics.counter("quota_fallbacks_total", "Quotas decided without Redis, by handler and mode.", [
    "handler",
    "mode",
  ]);
  const logged = new Map<string, number>();

  function once(key: string, write: () => void): void {
    const nowMs = clock.monotonic();
    if (nowMs - (logged.get(key) ?? Number.NEGATIVE_INFINITY) < LOG_AGAIN_MS) return;
    if (logged.size >= MAX_LOGGED) logged.clear();
    logged.set(key, nowMs);
    write();
  }

  return {
    check: (code, startedMs) => checks.observe({ code: String(code) }, (clock.monotonic() - startedMs) / 1000),
    dispatch(event, what, error) {
      events.inc({ event });
      once(`${event} ${what}`, () => log.warn({ event, what, reason: errorMessage(error) }, "left out"));
    },
    faults(list) {
      faulty.set(list.length);
      for (const { key, reason } of list)
        once(`${key} ${reason}`, () => log.warn({ resource: key, reason }, "configuration left out"));
    },
    state(read) {
      metrics.gauge("leading", "1 while this replica leads.", [], (gauge) => gauge.set(read.leading() ? 1 : 0));
      metrics.gauge("config_revision", "Newest configuration revision in force.", [], (gauge) =>
        gauge.set(read.revision()),
      );
    },
    dropped: (handler, requests) => dropped.inc({ handler }, requests),
    quotaFallback: (handler, mode) => fallbacks.inc({ handler, mode }),
    reports: {
      rows: (accepted) => rows.inc(accepted),
      repeated: () => repeats.inc(),
      dropped: (requests) => lost.inc(requests),
    },
  };
}
