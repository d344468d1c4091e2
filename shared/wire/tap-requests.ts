/* The JSON of `proxy.tap`: which requests an operator wants to see, and those that a proxy has seen since it was last asked. */

export interface TapRequest {
  /** The watcher's own choice: questions of one id belong together. */
  readonly id: string;
  /** How long the answer may wait for a first request; at most 2000. */
  readonly waitMs?: number;
  readonly filter?: TapFilter;
  /** Requests a second that are kept; the rest is counted. Default 100, at most 1000. */
  readonly maxPerSecond?: number;
}

/** What is given must hold. */
export interface TapFilter {
  readonly reporter?: TapReporter;
  readonly from?: TapParty;
  readonly to?: TapParty;
  readonly method?: string;
  /** How the path begins. */
  readonly path?: string;
  readonly authority?: string;
  /** `503`, or `5xx`. */
  readonly status?: string;
}

export type TapReporter = "source" | "destination";

export interface TapParty {
  /** Of its service, workload or instance. */
  readonly name?: string;
  readonly namespace?: string;
}

export interface TapAnswer {
  readonly rows: readonly TapRow[];
  /** Requests that fitted and could not be kept until they were asked for. */
  readonly dropped: number;
}

export interface TapRow {
  /** When the request began, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly reporter: TapReporter;
  readonly source: TapPeer;
  readonly destination: TapPeer;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly status: number;
  /** Envoy's response flags, "" when there are none. */
  readonly flags: string;
  /** Why the proxy answered itself, or `via_upstream`. */
  readonly detail: string;
  readonly requestId: string;
  readonly route: string;
  readonly attempts: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly mutualTls: boolean;
}

export interface TapPeer {
  readonly namespace: string;
  readonly service: string;
  readonly workload: string;
  readonly instance: string;
  readonly version: string;
  readonly principal: string;
  readonly address: string;
}
