import type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  HashSpec,
  LoadBalancerSpec,
  OutlierDetectionSpec,
  PortPolicySpec,
  TrafficPolicySpec,
} from "../../../shared/model/index.ts";
import type {
  CircuitBreakerInput,
  ClientTlsInput,
  HashPolicyInput,
  LocalityPolicyInput,
  OutlierDetectionInput,
  TrafficPolicyInput,
} from "../../../shared/wire/index.ts";
import type { MeshDefaults } from "./mesh-defaults.ts";

/** A policy in which every level has had its say. */
export interface EffectivePolicy extends PortPolicySpec {
  readonly retryBudget: TrafficPolicySpec["retryBudget"];
}

/** Retries at one time that a cluster may have where nobody says anything: the proxy's own budget. */
const RETRY_BUDGET = { percent: 20, minConcurrency: 3 };

/** What a cluster may have where nobody says anything, for policies that have to say something else. */
const PROXY_LIMITS = { maxConnections: 1024, httpMaxPendingRequests: 1024 };

export const NO_POLICY: EffectivePolicy = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
  retryBudget: undefined,
};

/**
 * What holds for one port of a version: section by section the subset's, else the top level's. A policy for just that port takes the
 * place of all of the policy around it, with nothing inherited; the subset's own stands before the top level's.
 */
export function effectivePolicy(
  top: TrafficPolicySpec | undefined,
  subset: TrafficPolicySpec | undefined,
  port: number,
): EffectivePolicy {
  const ofSubset = portPolicy(subset, port);
  const retryBudget = subset?.retryBudget ?? top?.retryBudget;
  if (ofSubset !== undefined) return { ...ofSubset, retryBudget };
  const around: PortPolicySpec = portPolicy(top, port) ?? top ?? NO_POLICY;
  return {
    loadBalancer: subset?.loadBalancer ?? around.loadBalancer,
    connectionPool: subset?.connectionPool ?? around.connectionPool,
    outlierDetection: subset?.outlierDetection ?? around.outlierDetection,
    tls: subset?.tls ?? around.tls,
    retryBudget,
  };
}

/** Ports that a policy speaks of apart. */
export function portsOf(...policies: readonly (TrafficPolicySpec | undefined)[]): number[] {
  return policies.flatMap((policy) => policy?.portLevelSettings.map(({ port }) => port) ?? []);
}

function portPolicy(policy: TrafficPolicySpec | undefined, port: number): PortPolicySpec | undefined {
  return port === 0 ? undefined : policy?.portLevelSettings.find((item) => item.port === port)?.policy;
}

/** What the proxy needs of it, without saying where it holds. */
export function toPolicyBody(policy: EffectivePolicy, mesh: MeshDefaults): Partial<TrafficPolicyInput> {
  const { loadBalancer, connectionPool, outlierDetection, tls } = policy;
  const hash = loadBalancer?.consistentHash;
  const locality = toLocality(loadBalancer, outlierDetection, mesh);
  const breaker = toCircuitBreaker(connectionPool, mesh);
  const budget =
    policy.retryBudget ?? (breaker !== undefined && !connectionPool?.maxRetries ? RETRY_BUDGET : undefined);
  const clientTls = toClientTls(tls);
  return {
    loadBalancing: hash?.algorithm ?? toAlgorithm(loadBalancer?.simple),
    ...(hash && { hashTableSize: hash.tableSize }),
    ...(breaker && { circuitBreaker: breaker }),
    ...(outlierDetection && { outlierDetection: toOutlierDetection(outlierDetection) }),
    ...(loadBalancer?.warmup && {
      slowStart: {
        windowMs: loadBalancer.warmup.windowMs,
        aggression: loadBalancer.warmup.aggression,
        minWeightPercent: loadBalancer.warmup.minPercent,
      },
    }),
    ...(locality && { locality }),
    ...(budget && { retryBudget: { percent: budget.percent, minConcurrency: budget.minConcurrency } }),
    ...(clientTls && { tls: clientTls }),
  };
}

/** What a consistent-hash balancer hashes; empty for every other one. */
export function toHashPolicies(policy: EffectivePolicy): HashPolicyInput[] {
  const hash = policy.loadBalancer?.consistentHash?.hash;
  return hash === undefined ? [] : [toHashPolicy(hash)];
}

function toHashPolicy(hash: HashSpec): HashPolicyInput {
  if ("header" in hash) return { header: hash.header };
  if ("queryParameter" in hash) return { queryParameter: hash.queryParameter };
  if ("sourceIp" in hash) return { sourceIp: true };
  const { name, path, ttlMs } = hash.cookie;
  return { cookie: { name, path, ttlMs } };
}

function toAlgorithm(simple: LoadBalancerSpec["simple"]): string {
  return simple === "LEAST_REQUEST" ? "LEAST_CONN" : (simple ?? "ROUND_ROBIN");
}

/** 0 is no limit, as Istio has it where a rule speaks of the pool at all. */
function toCircuitBreaker(pool: ConnectionPoolSpec | undefined, mesh: MeshDefaults): CircuitBreakerInput | undefined {
  const connectTimeoutMs = pool?.connectTimeoutMs || (mesh.spec?.connectTimeoutMs ?? 0);
  if (pool === undefined) return connectTimeoutMs === 0 ? undefined : { ...PROXY_LIMITS, connectTimeoutMs };
  return {
    maxConnections: pool.maxConnections,
    httpMaxPendingRequests: pool.http1MaxPendingRequests,
    httpMaxRequests: pool.http2MaxRequests,
    httpMaxRequestsPerConnection: pool.maxRequestsPerConnection,
    httpMaxRetries: pool.maxRetries,
    idleTimeoutMs: pool.idleTimeoutMs,
    connectTimeoutMs,
    tcpKeepaliveMs: pool.tcpKeepaliveMs,
    maxConnectionDurationMs: pool.maxConnectionDurationMs,
  };
}

function toOutlierDetection(spec: OutlierDetectionSpec): OutlierDetectionInput {
  const { consecutive5xxErrors, consecutiveGatewayErrors } = spec;
  return {
    // Unset is off for the proxy; Istio's default is Envoy's five for the one, and off for the other.
    ...(consecutive5xxErrors !== 0 && { consecutive_5xx: consecutive5xxErrors ?? 0 }),
    ...(consecutiveGatewayErrors && { consecutiveGatewayFailure: consecutiveGatewayErrors }),
    intervalMs: spec.intervalMs,
    baseEjectionMs: spec.baseEjectionMs,
    maxEjectionPercent: spec.maxEjectionPercent,
    minHealthPercent: spec.minHealthPercent,
  };
}

/** Failing over to other places needs to know what is unhealthy, so the mesh's default holds only with outlier detection. */
function toLocality(
  loadBalancer: LoadBalancerSpec | undefined,
  outlier: OutlierDetectionSpec | undefined,
  mesh: MeshDefaults,
): LocalityPolicyInput | undefined {
  const given = loadBalancer?.locality;
  if (given === undefined)
    return outlier !== undefined && mesh.spec?.localityFailover === true
      ? { distribute: [], failover: true }
      : undefined;
  return {
    failover: given.failover,
    distribute: given.distribute.map(({ from, to }) => ({
      from,
      to: to.map(({ locality, weight }) => ({ locality, weight })),
    })),
  };
}

/** Between sidecars there is mutual TLS anyway, so only plain endpoints are spoken of. */
function toClientTls(tls: ClientTlsSpec | undefined): ClientTlsInput | undefined {
  if (tls?.mode !== "SIMPLE") return undefined;
  return {
    sni: tls.sni,
    subjectAltNames: [...tls.subjectAltNames],
    caCertificates: tls.caCertificates,
    insecureSkipVerify: tls.insecureSkipVerify,
  };
}
