/* The JSON of view `traffic` of `proxy.debug`: all requests that a proxy has counted since it started. */

export interface TrafficView {
  readonly startedMs: number;
  readonly nowMs: number;
  /** Upper bounds of the buckets, milliseconds; there is one more count for what is beyond. */
  readonly bounds: readonly number[];
  readonly series: readonly TrafficSeries[];
  /** Requests of series that did not fit into the answer. */
  readonly leftOut: number;
}

/** Requests that are equal in all of this. */
export interface TrafficSeries {
  readonly reporter: "source" | "destination";
  readonly source: TrafficParty;
  readonly destination: TrafficParty;
  readonly code: number;
  /** Envoy's response flags, "" when there are none. */
  readonly flags: string;
  /** Only the receiving side knows: `mutual_tls`, `none`, or `unknown`. */
  readonly security: string;
  readonly requests: number;
  readonly durationMs: { readonly sum: number; readonly counts: readonly number[] };
}

/** "" for what is unknown. */
export interface TrafficParty {
  readonly namespace: string;
  readonly service: string;
  readonly workload: string;
  readonly version: string;
  readonly principal: string;
}
