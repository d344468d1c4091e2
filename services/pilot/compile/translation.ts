import type {
  CircuitBreakerSpec,
  CorsSpec,
  DestinationPolicySpec,
  IngressRuleSpec,
  MatchSpec,
  RouteRuleSpec,
  ServiceRef,
} from "../../../shared/model/index.ts";
import type {
  CorsPolicyInput,
  DestinationInput,
  GatewayRouteInput,
  HeaderMatchInput,
  RouteInput,
  RouteMatchInput,
  SourceSelectorInput,
  TrafficPolicyInput,
} from "../../../shared/wire/index.ts";
import type { RegisteredPort } from "../registered-ports.ts";
import { sortedLabels } from "./labels.ts";
import type { KnownService } from "./services.ts";

/** A request that no rule gives a timeout has this one, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 15_000;

/** The rule name of the route that Pilot adds to every service. */
export const DEFAULT_RULE = "default";

/** Where a rule's services are: namespace and name in table `service`. */
export type PlaceOf = (ref: ServiceRef) => { readonly namespace: string; readonly service: string };

/** Everything that a rule sends to, copies included. */
export function targetsOf(spec: RouteRuleSpec): readonly ServiceRef[] {
  const destinations = destinationsOf(spec).map(({ destination }) => destination);
  return spec.mirror === undefined ? destinations : [...destinations, spec.mirror];
}

/** Where a rule sends requests: each destination once per route entry. */
function destinationsOf(spec: RouteRuleSpec): readonly { destination: ServiceRef; weight: number }[] {
  if (spec.redirect !== undefined) return [];
  return spec.route.length > 0 ? spec.route : [{ destination: spec.destination, weight: 100 }];
}

/** One rule as one route. */
export function toRoute(rule: string, revision: number, spec: RouteRuleSpec, placeOf: PlaceOf): RouteInput {
  const place = (ref: ServiceRef): DestinationInput => ({ ...placeOf(ref), labels: sortedLabels(ref.labels) });
  const { timeout, retry, fault, redirect, rewrite, match, mirror, cors } = spec;
  return {
    rule,
    revision,
    ...(match && { match: toMatch(match) }),
    destinations: destinationsOf(spec).map(({ destination, weight }) => ({
      destination: place(destination),
      weight,
    })),
    ...(redirect && { redirect: { uri: redirect.uri, authority: redirect.authority } }),
    ...(rewrite && { rewrite: { uri: rewrite.uri, authority: rewrite.authority } }),
    timeout: {
      timeoutMs: timeout?.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      overrideHeader: timeout?.overrideHeader ?? "",
    },
    ...(retry &&
      retry.attempts > 0 && {
        retry: {
          attempts: retry.attempts,
          perTryTimeoutMs: retry.perTryTimeoutMs ?? 0,
          overrideHeader: retry.overrideHeader,
        },
      }),
    ...(fault && {
      fault: {
        ...(fault.delay && { delay: { ...fault.delay } }),
        ...(fault.abort && { abort: { ...fault.abort } }),
      },
    }),
    appendHeaders: spec.appendHeaders.map(({ name, value }) => ({ name, value })),
    ...(mirror && { mirrors: [{ destination: place(mirror), percent: 100 }] }),
    ...(cors && { cors: toCors(cors) }),
    ...(spec.websocketUpgrade && { websocketUpgrade: true }),
  };
}

/** The route to all instances that ends every service's list. */
export function defaultRoute(namespace: string, service: string): RouteInput {
  return {
    rule: DEFAULT_RULE,
    destinations: [{ destination: { namespace, service }, weight: 100 }],
    timeout: { timeoutMs: DEFAULT_TIMEOUT_MS },
    websocketUpgrade: true,
  };
}

export function toPolicy(rule: string, spec: DestinationPolicySpec): TrafficPolicyInput {
  return {
    rule,
    ...(spec.source && { source: toSource(spec.source) }),
    labels: sortedLabels(spec.destination.labels),
    loadBalancing: spec.loadBalancing ?? "ROUND_ROBIN",
    ...(spec.circuitBreaker && toResilience(spec.circuitBreaker)),
  };
}

/** What a simpleCb leaves out, or gives as 0, is Envoy's default. */
function toResilience(
  limits: CircuitBreakerSpec,
): Required<Pick<TrafficPolicyInput, "circuitBreaker" | "outlierDetection">> {
  return {
    circuitBreaker: {
      maxConnections: limits.maxConnections || 1024,
      httpMaxPendingRequests: limits.httpMaxPendingRequests || 1024,
      httpMaxRequests: limits.httpMaxRequests || 1024,
      httpMaxRequestsPerConnection: limits.httpMaxRequestsPerConnection ?? 0,
      httpMaxRetries: limits.httpMaxRetries || 3,
    },
    outlierDetection: {
      consecutive_5xx: limits.httpConsecutiveErrors || 5,
      intervalMs: limits.httpDetectionIntervalMs ?? 0,
      baseEjectionMs: limits.sleepWindowMs ?? 0,
      maxEjectionPercent: limits.httpMaxEjectionPercent ?? 0,
    },
  };
}

/** The gateway's port that an ingress rule without one means. */
const HTTP_PORT = 80;

/** Undefined when the destination has no such port. */
export function toGatewayRoute(
  rule: string,
  revision: number,
  spec: IngressRuleSpec,
  service: Pick<KnownService, "namespace" | "name" | "ports">,
): GatewayRouteInput | undefined {
  const port = ingressPort(spec, service.ports);
  if (port === undefined) return undefined;
  return {
    rule,
    revision,
    ...(spec.match && { match: toMatch(spec.match) }),
    destination: { namespace: service.namespace, service: service.name },
    port,
    serverPort: spec.port || HTTP_PORT,
  };
}

function ingressPort(spec: IngressRuleSpec, ports: readonly RegisteredPort[]): number | undefined {
  if (spec.destinationPort !== undefined) return ports.find((port) => port.number === spec.destinationPort)?.number;
  if (spec.destinationPortName !== undefined) {
    // Registered ports have no names of their own: `http` and `http-web` both mean the first port that speaks it.
    const [protocol] = spec.destinationPortName.toLowerCase().split("-");
    return ports.find((port) => port.protocol === protocol)?.number;
  }
  return (ports.find((port) => port.number === 80) ?? (ports.length === 1 ? ports[0] : undefined))?.number;
}

function toCors(cors: CorsSpec): CorsPolicyInput {
  return {
    allowOrigin: [...cors.allowOrigin],
    allowMethods: [...cors.allowMethods],
    allowHeaders: [...cors.allowHeaders],
    exposeHeaders: [...cors.exposeHeaders],
    maxAgeMs: cors.maxAgeMs ?? 0,
    allowCredentials: cors.allowCredentials ?? false,
  };
}

function toMatch(match: MatchSpec): RouteMatchInput {
  return {
    ...(match.source && { source: toSource(match.source) }),
    headers: match.headers.map((header): HeaderMatchInput => ({ name: header.name, ...header.match })),
  };
}

function toSource(ref: ServiceRef): SourceSelectorInput {
  return {
    namespace: ref.service?.namespace ?? "",
    service: ref.service?.service ?? ref.host,
    labels: sortedLabels(ref.labels),
  };
}
