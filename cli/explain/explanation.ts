import type { Verdict } from "../../services/proxy/route/matching.ts";
import type { PendingRule } from "./pending.ts";

/** What becomes of one request, and why, in the order in which people read it: the JSON of `lateen explain -o json`. Absent parts do not apply. */
export interface Explanation {
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    /** `workload.namespace`, or the gateway's `namespace/name`. */
    readonly from: string;
    readonly labels: Readonly<Record<string, string>>;
    /** SPIFFE id that the caller shows to sidecars; empty: not known. */
    readonly identity: string;
  };
  /** Whether a route takes the request. */
  readonly matched: boolean;
  /** `<kind>/<namespace>/<name>`; `default` where no rule applies, `passthrough` for a host outside; empty: none. */
  readonly rule: string;
  /** The answer that the proxy gives itself instead of forwarding. */
  readonly answer?: LocalAnswerExplained;
  /** What the host means. */
  readonly service?: ServiceExplained;
  readonly route?: RouteExplained;
  /** One per weighted destination. */
  readonly destinations: readonly DestinationExplained[];
  /** Copies; `weight` is the share of requests that are copied. */
  readonly mirrors: readonly DestinationExplained[];
  /** Hosts, then rules, in the order in which they are tried. */
  readonly considered: readonly ConsideredExplained[];
  /** What is accepted for this host and waits: not in force, or only in an earlier revision. */
  readonly pending: readonly PendingRule[];
  /** What Mixer is asked before the first destination sees the request. */
  readonly checks?: ChecksExplained;
  /** In words, what else there is to know. */
  readonly notes: readonly string[];
}

export type ConsideredExplained = Verdict & {
  readonly step: "host" | "gateway" | "route";
  /** What the resource calls its route. */
  readonly route?: string;
  /** What a rule asks of caller and request; empty: nothing. */
  readonly when?: readonly string[];
};

export interface LocalAnswerExplained {
  readonly status: number;
  /** Response code detail, such as route_not_found; Envoy's flag, such as NR. */
  readonly detail: string;
  readonly flag: string;
  readonly reason: string;
  readonly location?: string;
  readonly body?: string;
}

export interface ServiceExplained {
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  readonly port: number | null;
  readonly protocol: string;
  readonly ports: readonly { readonly number: number; readonly protocol: string }[];
  readonly revision: number;
}

export interface RouteExplained {
  /** The route's own, where it has one. */
  readonly name: string;
  readonly revision: number;
  /** 0: none. Retries and injected delays are included. */
  readonly timeoutMs: number;
  readonly retries?: {
    readonly attempts: number;
    readonly perTryTimeoutMs: number;
    readonly retryOn: readonly string[];
  };
  readonly fault?: {
    readonly delay?: { readonly percent: number; readonly ms: number; readonly kind: "fixed" | "exponential" };
    readonly abort?: { readonly percent: number; readonly httpStatus: number; readonly grpcStatus: number };
  };
  /** What the destination gets, where it is not what the caller sent. */
  readonly rewrite?: { readonly path: string; readonly authority: string };
  readonly requestHeaders?: HeaderEditsExplained;
  readonly responseHeaders?: HeaderEditsExplained;
  readonly cors?: { readonly allowOrigins: readonly string[]; readonly allowMethods: readonly string[] };
  readonly rateLimit?: { readonly maxTokens: number; readonly tokensPerFill: number; readonly fillIntervalMs: number };
  /** What a balancer by hash hashes, such as `header x-user`. */
  readonly hash?: readonly string[];
  readonly websocket: boolean;
}

export interface HeaderEditsExplained {
  readonly remove: readonly string[];
  readonly set: Readonly<Record<string, string>>;
  readonly add: readonly { readonly name: string; readonly value: string }[];
}

export interface DestinationExplained {
  readonly namespace: string;
  readonly service: string;
  readonly host: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
  /** Share of the requests, 0 to 100. */
  readonly weight: number;
  readonly policy: PolicyExplained;
  /** How connections are made: mutual TLS between sidecars, TLS or plain text to those without. */
  readonly transport: "mutual TLS" | "TLS" | "plain text" | "mixed" | "unknown";
  /** Identities that may answer; empty: none is asked for. */
  readonly identities: readonly string[];
  /** Absent: instances are not known. */
  readonly endpoints?: readonly EndpointExplained[];
}

export interface PolicyExplained {
  /** Empty: the proxy's defaults. */
  readonly rule: string;
  readonly loadBalancing: string;
  /** In force, the proxy's defaults included; milliseconds where the name ends so. */
  readonly limits: Readonly<Record<string, number>>;
  readonly outlierDetection: Readonly<Record<string, number>>;
}

export interface EndpointExplained {
  readonly instance: string;
  readonly workload: string;
  /** With the port to connect to. */
  readonly address: string;
  readonly healthy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly principal: string;
}

export interface ChecksExplained {
  /** Whether Mixer (or its cached answer) is asked. */
  readonly asked: boolean;
  readonly failOpen: boolean;
  readonly attributes: readonly string[];
  readonly quotas: readonly { readonly quota: string; readonly charge: number }[];
  /** Those that apply, as far as it can be known. */
  readonly rules: readonly string[];
  /** Where a Mixer could be asked. */
  readonly verdict?: {
    readonly allowed: boolean;
    readonly status: string;
    /** What the caller would see; 0 when allowed. */
    readonly httpStatus: number;
    readonly message: string;
  };
}
