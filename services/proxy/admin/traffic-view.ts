import type { TrafficParty, TrafficSeries, TrafficView } from "../../../shared/wire/index.ts";
import type { SeriesFigures } from "../request-stats.ts";
import { STATS_BOUNDS } from "../stats-histogram.ts";

/** An answer must fit into a message. */
const MAX_CHARS = 512 * 1024;
const PAIR = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/** The counters of requests as plain data, the busiest first; several processes' are added up. */
export function trafficView(figures: readonly SeriesFigures[], startedMs: number, nowMs: number): TrafficView {
  const merged = new Map<string, TrafficSeries>();
  for (const each of figures) {
    const series = seriesOf(each);
    const { requests: _requests, durationMs: _durationMs, ...shape } = series;
    const key = JSON.stringify(shape);
    const known = merged.get(key);
    merged.set(key, known === undefined ? series : added(known, series));
  }
  const all = [...merged.values()].sort((a, b) => b.requests - a.requests);
  const shown: TrafficSeries[] = [];
  let chars = 0;
  for (const series of all) {
    chars += JSON.stringify(series).length;
    if (chars > MAX_CHARS) break;
    shown.push(series);
  }
  const leftOut = all.slice(shown.length).reduce((sum, { requests }) => sum + requests, 0);
  return { startedMs, nowMs, bounds: STATS_BOUNDS, series: shown, leftOut };
}

function added(one: TrafficSeries, other: TrafficSeries): TrafficSeries {
  return {
    ...one,
    requests: one.requests + other.requests,
    durationMs: {
      sum: one.durationMs.sum + other.durationMs.sum,
      counts: one.durationMs.counts.map((count, i) => count + (other.durationMs.counts[i] ?? 0)),
    },
  };
}

function seriesOf({ labels, requests, durationMs }: SeriesFigures): TrafficSeries {
  const values = new Map<string, string>();
  for (const [, name = "", value = ""] of labels.matchAll(PAIR)) values.set(name, unescaped(value));
  const known = (name: string): string => {
    const value = values.get(name) ?? "";
    return value === "unknown" ? "" : value;
  };
  const party = (side: "source" | "destination"): TrafficParty => ({
    namespace: known(`${side}_workload_namespace`),
    service: known(side === "source" ? "source_canonical_service" : "destination_service_name"),
    workload: known(`${side}_workload`),
    version: known(`${side}_version`),
    principal: known(`${side}_principal`),
  });
  return {
    reporter: values.get("reporter") === "source" ? "source" : "destination",
    source: party("source"),
    destination: party("destination"),
    code: Number(values.get("response_code") ?? 0),
    flags: known("response_flags").replace(/^-$/, ""),
    security: values.get("connection_security_policy") ?? "unknown",
    requests,
    durationMs: { sum: durationMs.sum, counts: [...durationMs.counts] },
  };
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, each: string) => (each === "n" ? "\n" : each));
}
