export interface Http1Limits {
  /** Of a whole head. Default 60 KiB (Envoy). */
  readonly maxHeadBytes: number;
  /** Default 100 (Envoy). */
  readonly maxHeaders: number;
  /** Bytes that wait to be written before their sender is made to wait. Default 1 MiB (Envoy). */
  readonly bufferBytes: number;
}

/** What a listener grants its clients. A time that is off is Infinity. */
export interface Http1Settings extends Http1Limits {
  readonly acceptHttp10: boolean;
  /** From a request's first byte to the end of its head. Default off (Envoy): the stream's idle time bounds it. */
  readonly headTimeoutMs: number;
  /** From a request's first byte to its last. Default off (Envoy). */
  readonly requestTimeoutMs: number;
  /** Of a request under way, between any two signs of life in either direction. Default 5 min (Envoy). */
  readonly streamIdleTimeoutMs: number;
  /** Of a connection between requests. Default 1 h (Envoy). */
  readonly idleTimeoutMs: number;
}

export const DEFAULT_LIMITS: Http1Limits = { maxHeadBytes: 60 * 1024, maxHeaders: 100, bufferBytes: 1024 * 1024 };

export const DEFAULT_HTTP1: Http1Settings = {
  ...DEFAULT_LIMITS,
  acceptHttp10: false,
  headTimeoutMs: Number.POSITIVE_INFINITY,
  requestTimeoutMs: Number.POSITIVE_INFINITY,
  streamIdleTimeoutMs: 300_000,
  idleTimeoutMs: 3_600_000,
};
