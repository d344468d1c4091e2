import type { TrafficParty, TrafficSeries, TrafficView } from "../../shared/wire/index.ts";

/*
 * What proxies have counted, as figures about services and workloads. Each request was seen by both of its ends; the receiving
 * end's word stands, and the caller's where the other has no proxy or does not answer.
 */

/** The counters of one proxy, by its name. */
export type TrafficByProxy = ReadonlyMap<string, TrafficView>;

/** What was counted between two looks. A proxy that has started anew, or was not there before, counts from nothing. */
export function trafficBetween(before: TrafficByProxy, after: TrafficByProxy): readonly TrafficSeries[] {
  return [...after].flatMap(([proxy, view]) => {
    const earlier = before.get(proxy);
    if (earlier === undefined || earlier.startedMs !== view.startedMs) return view.series;
    const known = new Map(earlier.series.map((series) => [shapeOf(series), series]));
    return view.series.flatMap((series) => {
      const old = known.get(shapeOf(series));
      const left = old === undefined ? series : minus(series, old);
      return left.requests > 0 ? [left] : [];
    });
  });
}

export function allTraffic(traffic: TrafficByProxy): readonly TrafficSeries[] {
  return [...traffic.values()].flatMap(({ series }) => series);
}

/** Every request once. */
export function countedOnce(series: readonly TrafficSeries[]): readonly TrafficSeries[] {
  const received = new Set(series.flatMap((each) => (each.reporter === "destination" ? [pairOf(each)] : [])));
  return series.filter((each) => each.reporter === "destination" || !received.has(pairOf(each)));
}

function pairOf({ source, destination }: TrafficSeries): string {
  return JSON.stringify([source.namespace, source.workload, destination.namespace, destination.workload]);
}

function shapeOf({ requests: _requests, durationMs: _durationMs, ...shape }: TrafficSeries): string {
  return JSON.stringify(shape);
}

function minus(series: TrafficSeries, old: TrafficSeries): TrafficSeries {
  const { sum, counts } = series.durationMs;
  return {
    ...series,
    requests: series.requests - old.requests,
    durationMs: {
      sum: sum - old.durationMs.sum,
      counts: counts.map((count, i) => count - (old.durationMs.counts[i] ?? 0)),
    },
  };
}

export interface TrafficSummary {
  readonly requests: number;
  /** Answered, and not with 5xx; 0 to 1. */
  readonly successRate: number;
  /** Over mutual TLS, as far as the receiving ends say so; 0 to 1. */
  readonly securedRate: number;
  /** Milliseconds. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Figures of some series together; undefined when there was no request. */
export function summaryOf(series: readonly TrafficSeries[], bounds: readonly number[]): TrafficSummary | undefined {
  const requests = sumOf(series);
  if (requests === 0) return undefined;
  const counts = Array.from({ length: bounds.length + 1 }, (_, i) =>
    series.reduce((sum, { durationMs }) => sum + (durationMs.counts[i] ?? 0), 0),
  );
  return {
    requests,
    successRate: sumOf(series.filter(isSuccess)) / requests,
    securedRate: sumOf(series.filter(({ security }) => security === "mutual_tls")) / requests,
    p50Ms: quantile(counts, bounds, 0.5),
    p95Ms: quantile(counts, bounds, 0.95),
    p99Ms: quantile(counts, bounds, 0.99),
  };
}

function sumOf(series: readonly TrafficSeries[]): number {
  return series.reduce((sum, { requests }) => sum + requests, 0);
}

function isSuccess({ code }: TrafficSeries): boolean {
  return code > 0 && code < 500;
}

/** The value below which the share of all values lies, as if values were spread evenly within a bucket. */
export function quantile(counts: readonly number[], bounds: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  const wanted = share * total;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const from = i === 0 ? 0 : (bounds[i - 1] ?? 0);
      const to = bounds[i] ?? from;
      return from + ((to - from) * (wanted - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? 0;
}

/** A party by what it is asked for: a workload, or a service. */
export function isNamed(party: TrafficParty, { name, namespace }: { name?: string; namespace?: string }): boolean {
  return (
    (namespace === undefined || party.namespace === namespace) &&
    (name === undefined || party.service === name || party.workload === name)
  );
}

/** `reviews` or `reviews.default`. */
export function parseName(word: string): { readonly name: string; readonly namespace?: string } {
  const dot = word.lastIndexOf(".");
  return dot < 1 ? { name: word } : { name: word.slice(0, dot), namespace: word.slice(dot + 1) };
}
