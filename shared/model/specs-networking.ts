import type { ServiceName } from "./hosts.ts";
import type { Labels, StringMatch } from "./specs.ts";

/**
 * What valid specs of `networking.istio.io` mean: durations in milliseconds, hosts and gateways resolved against the
 * namespace of their resource, Istio's defaults filled in, deprecated spellings turned into the present ones. Fields that
 * are only ever refused have no place here.
 */

/** A host as a resource names it. */
export interface HostRef {
  /**
   * In lower case. A short name is completed to `<name>.<namespace of the resource>.svc.cluster.local`, and so is
   * `name.ns.svc`; every other host, wildcards included, stands as written.
   */
  readonly host: string;
  /** The registered service that it may mean: of a short, two-part or cluster name. Undefined for all others. */
  readonly service: ServiceName | undefined;
}

/**
 * Namespaces that see a resource: `*`, or names (`.` is resolved); `~` alone is none at all. Empty: the resource does not
 * say, and the mesh's default (else `*`) holds.
 */
export type ExportTo = readonly string[];

/** The gateway name that stands for all sidecars. */
export const MESH_GATEWAY = "mesh";

export interface VirtualServiceSpec {
  /** Empty: only for delegation. */
  readonly hosts: readonly HostRef[];
  /** `mesh`, or `<namespace>/<name>`; `["mesh"]` when the resource names none. */
  readonly gateways: readonly string[];
  readonly http: readonly HttpRouteSpec[];
  readonly exportTo: ExportTo;
}

export interface HttpRouteSpec {
  readonly name: string;
  /** Any must hold; none: every request. */
  readonly matches: readonly HttpMatchSpec[];
  /** Empty with a redirect, a direct response or a delegate. Weights are relative shares; one destination alone has 100. */
  readonly destinations: readonly HttpDestinationSpec[];
  readonly redirect: HttpRedirectSpec | undefined;
  readonly directResponse: { readonly status: number; readonly body: string } | undefined;
  readonly delegate: { readonly namespace: string; readonly name: string } | undefined;
  readonly rewrite: HttpRewriteSpec | undefined;
  /** 0: no timeout. Undefined: the mesh's default. */
  readonly timeoutMs: number | undefined;
  /** Undefined: the mesh's default. */
  readonly retries: HttpRetrySpec | undefined;
  readonly fault: HttpFaultSpec | undefined;
  readonly mirrors: readonly HttpMirrorSpec[];
  readonly cors: HttpCorsSpec | undefined;
  readonly headers: HeadersSpec;
}

export interface HttpMatchSpec {
  readonly name: string;
  readonly uri: StringMatch | undefined;
  readonly ignoreUriCase: boolean;
  readonly scheme: StringMatch | undefined;
  readonly method: StringMatch | undefined;
  readonly authority: StringMatch | undefined;
  /** Names in lower case, ordered by name; undefined: present with any value. */
  readonly headers: readonly NamedMatch[];
  /** The condition is that the match does not hold; undefined: absent. */
  readonly withoutHeaders: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
  /** 0: any. */
  readonly port: number;
  readonly sourceLabels: Labels;
  /** "": any. */
  readonly sourceNamespace: string;
  /** Empty: those of the VirtualService. */
  readonly gateways: readonly string[];
}

export interface NamedMatch {
  readonly name: string;
  readonly match: StringMatch | undefined;
}

export interface DestinationSpec {
  readonly host: HostRef;
  /** "": the service as a whole. */
  readonly subset: string;
  /** 0: the port that was called, or the service's only one. */
  readonly port: number;
}

export interface HttpDestinationSpec {
  readonly destination: DestinationSpec;
  readonly weight: number;
  readonly headers: HeadersSpec;
}

export interface HttpMirrorSpec {
  readonly destination: DestinationSpec;
  readonly percent: number;
}

export interface HeaderOperationsSpec {
  /** Ordered by name. */
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

export interface HeadersSpec {
  readonly request: HeaderOperationsSpec;
  readonly response: HeaderOperationsSpec;
}

export interface HttpRedirectSpec {
  /** "": as asked. */
  readonly uri: string;
  /** Takes the place of the matched prefix; "": the path stays. Not with `uri`. */
  readonly prefixRewrite: string;
  readonly authority: string;
  readonly scheme: string;
  /** A number, or where it is taken from; undefined: as asked. */
  readonly port: number | "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT" | undefined;
  /** 301 by default. */
  readonly code: number;
}

export interface HttpRewriteSpec {
  readonly uri: string;
  readonly authority: string;
  readonly regex: { readonly match: string; readonly rewrite: string } | undefined;
}

export interface HttpRetrySpec {
  /** 0: none at all. */
  readonly attempts: number;
  /** 0: no limit of its own. */
  readonly perTryTimeoutMs: number;
  /** Envoy's names; empty: the mesh's default conditions. Numbers in `retryOn` are here apart. */
  readonly retryOn: readonly string[];
  readonly retriableStatusCodes: readonly number[];
  /** 0: 25 ms. */
  readonly backoffMs: number;
}

export interface HttpFaultSpec {
  /** One of the two times is not 0; an exponential one is the mean. */
  readonly delay:
    | { readonly percent: number; readonly fixedDelayMs: number; readonly exponentialDelayMs: number }
    | undefined;
  /** One of the two statuses is not 0. */
  readonly abort: { readonly percent: number; readonly httpStatus: number; readonly grpcStatus: number } | undefined;
}

export interface HttpCorsSpec {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean | undefined;
  /** Preflights from other origins are answered without leave; else they go on to the service. */
  readonly ignoreUnmatchedPreflights: boolean;
}

export interface DestinationRuleSpec {
  readonly host: HostRef;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  readonly subsets: readonly SubsetSpec[];
  readonly exportTo: ExportTo;
  /** Of the callers, in the resource's own namespace; undefined: all callers. */
  readonly workloadLabels: Labels | undefined;
}

export interface SubsetSpec {
  readonly name: string;
  readonly labels: Labels;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
}

/** The policy of one port; it takes the place of the whole of the policy around it, as Istio has it. */
export interface PortPolicySpec {
  readonly loadBalancer: LoadBalancerSpec | undefined;
  readonly connectionPool: ConnectionPoolSpec | undefined;
  readonly outlierDetection: OutlierDetectionSpec | undefined;
  readonly tls: ClientTlsSpec | undefined;
}

export interface TrafficPolicySpec extends PortPolicySpec {
  readonly portLevelSettings: readonly { readonly port: number; readonly policy: PortPolicySpec }[];
  readonly retryBudget: { readonly percent: number; readonly minConcurrency: number } | undefined;
}

export type HashSpec =
  | { readonly header: string }
  /** `ttlMs` 0: not made where the client has none; -1: made for the browser's session. */
  | { readonly cookie: { readonly name: string; readonly path: string; readonly ttlMs: number } }
  | { readonly sourceIp: true }
  | { readonly queryParameter: string };

export interface LoadBalancerSpec {
  /** LEAST_CONN is LEAST_REQUEST; undefined: none was given (round robin), or a hash. */
  readonly simple: "LEAST_REQUEST" | "RANDOM" | "ROUND_ROBIN" | "PASSTHROUGH" | undefined;
  readonly consistentHash:
    | { readonly hash: HashSpec; readonly algorithm: "RING_HASH" | "MAGLEV"; readonly tableSize: number }
    | undefined;
  readonly locality:
    | {
        readonly distribute: readonly {
          readonly from: string;
          readonly to: readonly { readonly locality: string; readonly weight: number }[];
        }[];
        readonly failover: boolean;
      }
    | undefined;
  readonly warmup: { readonly windowMs: number; readonly aggression: number; readonly minPercent: number } | undefined;
}

/** An undefined or 0 number: no limit of that kind, or the mesh's default. */
export interface ConnectionPoolSpec {
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly tcpKeepaliveMs: number;
  readonly maxConnectionDurationMs: number;
  readonly idleTimeoutMs: number;
  readonly http1MaxPendingRequests: number;
  readonly http2MaxRequests: number;
  readonly maxRequestsPerConnection: number;
  readonly maxRetries: number;
}

export interface OutlierDetectionSpec {
  /** 0: that detector is off; undefined: Envoy's default. */
  readonly consecutive5xxErrors: number | undefined;
  readonly consecutiveGatewayErrors: number | undefined;
  /** 0: the proxy's default, as the next three. */
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
  readonly minHealthPercent: number;
}

export interface ClientTlsSpec {
  readonly mode: "DISABLE" | "SIMPLE" | "ISTIO_MUTUAL";
  /** "": the host. */
  readonly sni: string;
  readonly subjectAltNames: readonly string[];
  /** A file of the proxy's machine; "": the system's own roots. */
  readonly caCertificates: string;
  readonly insecureSkipVerify: boolean;
}

export interface GatewaySpec {
  /** Of the gateway's workloads; empty: all gateways. */
  readonly selector: Labels;
  readonly servers: readonly GatewayServerSpec[];
}

export interface GatewayServerSpec {
  readonly name: string;
  readonly port: number;
  readonly portName: string;
  /** Only HTTP kinds act so far. */
  readonly protocol: string;
  readonly hosts: readonly ScopedHost[];
  readonly httpsRedirect: boolean;
}

/** `<namespace>/<host>`. */
export interface ScopedHost {
  /** `*` for any; `.` is resolved. */
  readonly namespace: string;
  /** In lower case: exact, `*.example.com` or `*`. */
  readonly host: string;
}

export interface ServiceEntrySpec {
  /** Exact, or a wildcard with resolution NONE. In lower case. */
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly ServiceEntryPortSpec[];
  readonly location: "MESH_EXTERNAL" | "MESH_INTERNAL";
  readonly resolution: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN";
  /** None, with DNS: the hosts themselves. */
  readonly endpoints: readonly WorkloadEntrySpec[];
  /** Of the WorkloadEntries of its namespace; undefined: `endpoints`. */
  readonly workloadLabels: Labels | undefined;
  readonly exportTo: ExportTo;
  readonly subjectAltNames: readonly string[];
}

export interface ServiceEntryPortSpec {
  readonly number: number;
  readonly name: string;
  /** In lower case: http, http2, grpc, https, tcp, tls, mongo... */
  readonly protocol: string;
  /** Of the endpoints; the number unless given. */
  readonly targetPort: number;
}

export interface WorkloadEntrySpec {
  /** An IPv4 or IPv6 address, or a DNS name. */
  readonly address: string;
  /** Port name -> port at the address. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Labels;
  readonly network: string;
  readonly locality: string;
  /** 0: 1. */
  readonly weight: number;
  readonly serviceAccount: string;
}

export interface WorkloadGroupSpec {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly template: WorkloadEntrySpec;
  readonly probe: WorkloadProbeSpec | undefined;
}

export interface WorkloadProbeSpec {
  readonly kind: "http" | "tcp" | "grpc";
  readonly port: number;
  /** http: the path, `/` by default. grpc: the service, "" by default. */
  readonly path: string;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export interface SidecarSpec {
  /** Undefined: all workloads of the namespace. */
  readonly workloadLabels: Labels | undefined;
  /** What they see; undefined: everything. */
  readonly egressHosts: readonly ScopedHost[] | undefined;
  readonly outboundTrafficPolicy: OutboundMode | undefined;
}

export type OutboundMode = "ALLOW_ANY" | "REGISTRY_ONLY";

/** Mesh-wide defaults; undefined: as each proxy was started. */
export interface MeshConfigSpec {
  readonly outboundTrafficPolicy: OutboundMode | undefined;
  /** "": no access log; `/dev/stdout` or a file. */
  readonly accessLogFile: string | undefined;
  readonly accessLogFormat: string | undefined;
  readonly accessLogEncoding: "TEXT" | "JSON" | undefined;
  readonly enableTracing: boolean | undefined;
  /** Percent of new traces. */
  readonly tracingSampling: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly defaultHttpRetryPolicy: HttpRetrySpec | undefined;
  /** In these three `.` is the namespace of each resource that says nothing itself. */
  readonly defaultVirtualServiceExportTo: ExportTo | undefined;
  readonly defaultDestinationRuleExportTo: ExportTo | undefined;
  readonly defaultServiceExportTo: ExportTo | undefined;
  readonly localityFailover: boolean | undefined;
}

/** It has no effect on proxies that run. */
export interface ProxyConfigSpec {
  /** Undefined: all workloads of the namespace. */
  readonly workloadLabels: Labels | undefined;
}

export interface EgressRuleSpec {
  /** A domain, a wildcard domain or an IPv4 CIDR. */
  readonly service: string;
  readonly ports: readonly { readonly port: number; readonly protocol: string }[];
}
