import type { Share } from "../share.ts";

/**
 * What one cluster may have under way at a time. Everything is counted where it begins and where it ends, always; a
 * limit that is not set is Infinity, so that having none costs no more than a comparison. Beyond a limit a request is
 * answered at once (503, x-envoy-overloaded): a queue that only grows helps nobody.
 *
 * Connections are a bound with one exception, as in Envoy: an instance without any connection may always open one, or
 * its requests would wait for connections of others that never come to it.
 */
export interface ClusterLimits {
  /** Default 1024. */
  readonly maxConnections: number;
  /** Requests that wait for a connection, default 1024. */
  readonly maxPending: number;
  /** Unlimited by default: over HTTP/1.1 the two above bound it. */
  readonly maxRequests: number;
  /** Retries that a route asked for, back-off included. Undefined: the budget decides. */
  readonly maxRetries: number | undefined;
  readonly retryBudget: RetryBudget;
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number;
  /** Undefined: the proxy's own. */
  readonly connectTimeoutMs: number | undefined;
  /** How long a connection is silent before the system asks whether its other end is still there; 0: it never asks. */
  readonly tcpKeepaliveMs: number;
  /** After this a connection takes no more requests, and ends. */
  readonly maxConnectionDurationMs: number;
}

/** Retries as a share of the active requests, but never fewer than some. */
export interface RetryBudget {
  readonly percent: number;
  readonly minConcurrency: number;
}

/** Envoy's. */
export const DEFAULT_RETRY_BUDGET: RetryBudget = { percent: 20, minConcurrency: 3 };

export const DEFAULT_LIMITS: ClusterLimits = {
  maxConnections: 1024,
  maxPending: 1024,
  maxRequests: Number.POSITIVE_INFINITY,
  maxRetries: undefined,
  retryBudget: DEFAULT_RETRY_BUDGET,
  maxRequestsPerConnection: Number.POSITIVE_INFINITY,
  idleTimeoutMs: 300_000,
  connectTimeoutMs: undefined,
  tcpKeepaliveMs: 0,
  maxConnectionDurationMs: Number.POSITIVE_INFINITY,
};

/** A worker's part of a cluster's limits. What is of each connection stays, a share of the active requests is one already. */
export function partOfLimits(limits: ClusterLimits, share: Share): ClusterLimits {
  const { maxConnections, maxPending, maxRequests, maxRetries, retryBudget } = limits;
  return {
    ...limits,
    maxConnections: share.part(maxConnections),
    maxPending: share.part(maxPending),
    maxRequests: share.part(maxRequests),
    maxRetries: maxRetries === undefined ? undefined : share.part(maxRetries),
    retryBudget: { ...retryBudget, minConcurrency: share.part(retryBudget.minConcurrency) },
  };
}

/** Counts of one cluster, shared by all its instances. Whoever adds to one takes away from it. */
export class CircuitBreaker {
  limits: ClusterLimits;
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;
  /** Requests and retries refused since the start. */
  overflows = 0;

  constructor(limits: ClusterLimits = DEFAULT_LIMITS) {
    this.limits = limits;
  }

  /** `own`: the connections that the instance has already. */
  mayConnect(own: number): boolean {
    return own === 0 || this.connections < this.limits.maxConnections;
  }

  mayWait(): boolean {
    return this.pending < this.limits.maxPending || this.#overflow();
  }

  mayRequest(): boolean {
    return this.requests < this.limits.maxRequests || this.#overflow();
  }

  mayRetry(): boolean {
    const { maxRetries, retryBudget } = this.limits;
    const allowed = maxRetries ?? Math.max(retryBudget.minConcurrency, (this.requests * retryBudget.percent) / 100);
    return this.retries < allowed || this.#overflow();
  }

  #overflow(): false {
    this.overflows++;
    return false;
  }
}
