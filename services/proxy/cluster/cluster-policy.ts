import type { TrafficPolicy } from "../../../shared/wire/index.ts";
import { type Share, WHOLE } from "../share.ts";
import { type ClientTlsPolicy, clientTlsPolicy } from "../tls/origination.ts";
import { type ClusterLimits, DEFAULT_LIMITS, DEFAULT_RETRY_BUDGET, partOfLimits } from "./circuit-breaker.ts";

/** A TrafficPolicy with every default filled in (Envoy's, unless said otherwise): made once per configuration. */
export interface ClusterPolicy {
  /** The resource that it came from, <kind>/<namespace>/<name>; "" for none. */
  readonly rule: string;
  readonly loadBalancing: string;
  /** Entries of a ring or a Maglev table; 0: the balancer's own default. */
  readonly hashTableSize: number;
  readonly limits: ClusterLimits;
  readonly outlier: OutlierPolicy | undefined;
  readonly healthCheck: HealthCheckPolicy | undefined;
  /** Below this share of available instances all are used; negative: never. */
  readonly panicPercent: number;
  readonly slowStart: SlowStartPolicy | undefined;
  readonly locality: LocalityPolicy | undefined;
  /** Towards instances without a sidecar; undefined: plain text. */
  readonly tls: ClientTlsPolicy | undefined;
}

export interface OutlierPolicy {
  /** Infinity: off. */
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  readonly minHealthPercent: number;
  /** 0: off. */
  readonly successRateStdevFactor: number;
  readonly successRateMinimumHosts: number;
  readonly successRateRequestVolume: number;
}

export interface HealthCheckPolicy {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  /** Empty: a connection is enough. */
  readonly httpPath: string;
  /** Asked for by grpc.health.v1 instead, empty the server as a whole; undefined: not by gRPC. */
  readonly grpcService: string | undefined;
}

export interface SlowStartPolicy {
  readonly windowMs: number;
  readonly aggression: number;
  readonly minWeightPercent: number;
}

export interface LocalityPolicy {
  readonly distribute: readonly LocalityDistribution[];
  readonly failover: boolean;
}

export interface LocalityDistribution {
  readonly from: string;
  readonly to: readonly { readonly locality: string; readonly weight: number }[];
}

const PANIC_PERCENT = 50;

export const DEFAULT_POLICY: ClusterPolicy = {
  rule: "",
  loadBalancing: "ROUND_ROBIN",
  hashTableSize: 0,
  limits: DEFAULT_LIMITS,
  outlier: undefined,
  healthCheck: undefined,
  panicPercent: PANIC_PERCENT,
  slowStart: undefined,
  locality: undefined,
  tls: undefined,
};

/** `share`: of the limits. */
export function compilePolicy(config: TrafficPolicy | undefined, share: Share = WHOLE): ClusterPolicy {
  const policy = config === undefined ? DEFAULT_POLICY : policyOf(config);
  return share.count === 1 ? policy : { ...policy, limits: partOfLimits(policy.limits, share) };
}

function policyOf(config: TrafficPolicy): ClusterPolicy {
  const outlier = given(config.outlierDetection, outlierOf);
  // With a minimum of health asked for, and no panic threshold of its own, they are one and the same (Istio).
  const panicPercent = config.panicPercent ?? (outlier?.minHealthPercent || PANIC_PERCENT);
  return {
    rule: config.rule,
    loadBalancing: config.loadBalancing || DEFAULT_POLICY.loadBalancing,
    hashTableSize: config.hashTableSize,
    limits: limitsOf(config),
    outlier,
    healthCheck: given(config.healthCheck, (check) => ({
      intervalMs: check.intervalMs || 60_000,
      timeoutMs: check.timeoutMs || 15_000,
      unhealthyThreshold: check.unhealthyThreshold || 5,
      healthyThreshold: check.healthyThreshold || 1,
      httpPath: check.httpPath,
      grpcService: check.grpcService ?? undefined,
    })),
    panicPercent,
    slowStart: given(config.slowStart, ({ windowMs, aggression, minWeightPercent }) => ({
      windowMs,
      aggression: aggression || 1,
      minWeightPercent: minWeightPercent || 10,
    })),
    locality: given(config.locality, ({ failover, distribute }) => ({
      failover,
      distribute: distribute.map(({ from, to }) => ({
        from,
        to: to.map(({ locality, weight }) => ({ locality, weight })),
      })),
    })),
    tls: given(config.tls, clientTlsPolicy),
  };
}

function limitsOf({ circuitBreaker, retryBudget }: TrafficPolicy): ClusterLimits {
  const budget = given(retryBudget, ({ percent, minConcurrency }) => ({ percent, minConcurrency }));
  const limits = given(circuitBreaker, (breaker) => ({
    maxConnections: breaker.maxConnections || Number.POSITIVE_INFINITY,
    maxPending: breaker.httpMaxPendingRequests || Number.POSITIVE_INFINITY,
    maxRequests: breaker.httpMaxRequests || Number.POSITIVE_INFINITY,
    maxRetries: budget === undefined ? breaker.httpMaxRetries || 3 : undefined,
    maxRequestsPerConnection: breaker.httpMaxRequestsPerConnection || Number.POSITIVE_INFINITY,
    idleTimeoutMs: breaker.idleTimeoutMs || DEFAULT_LIMITS.idleTimeoutMs,
    connectTimeoutMs: breaker.connectTimeoutMs || undefined,
    tcpKeepaliveMs: breaker.tcpKeepaliveMs,
    maxConnectionDurationMs: breaker.maxConnectionDurationMs || Number.POSITIVE_INFINITY,
  }));
  return { ...DEFAULT_LIMITS, ...limits, retryBudget: budget ?? DEFAULT_RETRY_BUDGET };
}

function outlierOf(outlier: NonNullable<TrafficPolicy["outlierDetection"]>): OutlierPolicy {
  const baseEjectionMs = outlier.baseEjectionMs || 30_000;
  return {
    consecutive5xx: detector(outlier.consecutive_5xx),
    consecutiveGatewayFailure: detector(outlier.consecutiveGatewayFailure),
    intervalMs: outlier.intervalMs || 10_000,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, outlier.maxEjectionMs || 300_000),
    maxEjectionPercent: outlier.maxEjectionPercent || 10,
    minHealthPercent: outlier.minHealthPercent,
    successRateStdevFactor: outlier.successRateStdevFactor,
    successRateMinimumHosts: outlier.successRateMinimumHosts || 5,
    successRateRequestVolume: outlier.successRateRequestVolume || 100,
  };
}

/** Unset: off. 0: five. */
function detector(count: number | null | undefined): number {
  return count === null || count === undefined ? Number.POSITIVE_INFINITY : count || 5;
}

function given<T, R>(value: T | null | undefined, make: (value: T) => R): R | undefined {
  return value === null || value === undefined ? undefined : make(value);
}
