import type { ServiceName } from "./hosts.ts";

/**
 * What a valid spec means, in the form the compilers work on: durations are milliseconds, defaults are filled in,
 * service references are resolved against the namespace of their resource. The JSON that users see stays as applied.
 */

export type Labels = Readonly<Record<string, string>>;

/** A resolved IstioService. */
export interface ServiceRef {
  /** Fully qualified, or verbatim what `service` said. */
  readonly host: string;
  /** Undefined for a host outside of the mesh: a domain, a wildcard, a CIDR. */
  readonly service: ServiceName | undefined;
  readonly labels: Labels;
}

export type StringMatch =
  | { readonly exact: string }
  | { readonly prefix: string }
  /** RE2 syntax; the whole value must match. */
  | { readonly regex: string };

export interface HeaderMatchSpec {
  /** Lower case; `uri`, `scheme`, `method` and `authority` are those parts of the request. */
  readonly name: string;
  readonly match: StringMatch;
}

export interface L4MatchSpec {
  readonly sourceSubnets: readonly string[];
  readonly destinationSubnets: readonly string[];
}

export interface MatchSpec {
  readonly source: ServiceRef | undefined;
  /** All must hold; ordered by name. */
  readonly headers: readonly HeaderMatchSpec[];
  readonly tcp: L4MatchSpec | undefined;
}

export interface WeightedDestinationSpec {
  readonly destination: ServiceRef;
  /** 0..100; the weights of a route add up to 100. */
  readonly weight: number;
}

/** `uri` or `authority`, or both; an absent one is "". */
export interface UriAuthority {
  readonly uri: string;
  readonly authority: string;
}

export interface TimeoutSpec {
  readonly timeoutMs: number;
  /** "": none. */
  readonly overrideHeader: string;
}

export interface RetrySpec {
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  /** "": none. */
  readonly overrideHeader: string;
}

export interface FaultDelaySpec {
  /** 0..100; 100 when the rule names none. */
  readonly percent: number;
  /** One of the two. */
  readonly fixedDelayMs?: number;
  /** The mean. */
  readonly exponentialDelayMs?: number;
  readonly overrideHeader: string;
}

export interface FaultAbortSpec {
  /** 0..100; 100 when the rule names none. */
  readonly percent: number;
  /** One of the two, and never 0: an abort without status is no abort. */
  readonly httpStatus?: number;
  readonly grpcStatus?: number;
  readonly overrideHeader: string;
}

export interface FaultSpec {
  readonly delay: FaultDelaySpec | undefined;
  readonly abort: FaultAbortSpec | undefined;
}

export interface CorsSpec {
  readonly allowOrigin: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean | undefined;
}

export interface RouteRuleSpec {
  readonly destination: ServiceRef;
  /** Higher first; 0 by default. */
  readonly precedence: number;
  readonly match: MatchSpec | undefined;
  /** Empty: all instances of the destination (or `redirect`). */
  readonly route: readonly WeightedDestinationSpec[];
  readonly redirect: UriAuthority | undefined;
  readonly rewrite: UriAuthority | undefined;
  readonly websocketUpgrade: boolean;
  readonly timeout: TimeoutSpec | undefined;
  readonly retry: RetrySpec | undefined;
  readonly fault: FaultSpec | undefined;
  readonly mirror: ServiceRef | undefined;
  readonly cors: CorsSpec | undefined;
  readonly appendHeaders: readonly { readonly name: string; readonly value: string }[];
}

export type LoadBalancing = "ROUND_ROBIN" | "LEAST_CONN" | "RANDOM";

/** An undefined number leaves the proxy's own default. */
export interface CircuitBreakerSpec {
  readonly maxConnections: number | undefined;
  readonly httpMaxPendingRequests: number | undefined;
  readonly httpMaxRequests: number | undefined;
  readonly sleepWindowMs: number | undefined;
  readonly httpConsecutiveErrors: number | undefined;
  readonly httpDetectionIntervalMs: number | undefined;
  readonly httpMaxRequestsPerConnection: number | undefined;
  readonly httpMaxEjectionPercent: number | undefined;
  readonly httpMaxRetries: number | undefined;
}

export interface DestinationPolicySpec {
  /** Its labels must equal those of the cluster, not merely be among them. */
  readonly destination: ServiceRef;
  readonly source: ServiceRef | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
  readonly circuitBreaker: CircuitBreakerSpec | undefined;
}

export interface IngressRuleSpec {
  /** 0: the gateway's HTTP port. */
  readonly port: number;
  readonly tlsSecret: string;
  readonly precedence: number;
  readonly match: MatchSpec | undefined;
  readonly destination: ServiceRef;
  /** At most one of the two; neither: 80 or the service's only port. */
  readonly destinationPort: number | undefined;
  /** `<protocol>` or `<protocol>-<anything>`, as Istio names ports. */
  readonly destinationPortName: string | undefined;
}

export interface QuotaClauseSpec {
  /** Attribute reference of a string. */
  readonly attribute: string;
  readonly match: StringMatch;
}

export interface QuotaRuleSpec {
  /** Any must hold; within one, all clauses. Empty: every request. */
  readonly matches: readonly (readonly QuotaClauseSpec[])[];
  readonly quotas: readonly { readonly quota: string; readonly charge: number }[];
}

export interface QuotaSpecSpec {
  readonly rules: readonly QuotaRuleSpec[];
}

export interface QuotaSpecBindingSpec {
  readonly services: readonly ServiceRef[];
  readonly quotaSpecs: readonly { readonly name: string; readonly namespace: string }[];
}

/** `name.kind` or `name.kind.namespace`, resolved; written back as `name.kind.namespace`. */
export interface MixerRef {
  readonly name: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface MixerActionSpec {
  readonly handler: MixerRef;
  readonly instances: readonly MixerRef[];
}

export interface MixerRuleSpec {
  /** An expression; "" is always. */
  readonly match: string;
  readonly actions: readonly MixerActionSpec[];
}

/** The spec of a handler or instance, which only the policy layer can judge. */
export type OpenSpec = Readonly<Record<string, unknown>>;
