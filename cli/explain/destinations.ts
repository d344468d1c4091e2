import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { onlyPort } from "../../services/proxy/gateway/gateway-routes.ts";
import { hasLabels, ServicePolicies } from "../../services/proxy/mesh/service-policies.ts";
import type { Caller } from "../../services/proxy/route/caller.ts";
import type { Endpoint, ServiceConfig, TrafficPolicy } from "../../shared/wire/index.ts";
import type { ChosenTarget } from "./chosen-route.ts";
import type { DestinationExplained, EndpointExplained, PolicyExplained } from "./explanation.ts";
import type { MeshSource } from "./mesh-source.ts";

/** What the request was sent to. */
export interface Called {
  readonly port: number;
  /** It came to a gateway, whose ports are not those of the services behind it. */
  readonly isEdge: boolean;
}

/** Where a share of the requests goes, and how this caller treats it there. */
export async function explainDestination(
  { destination, port: ownPort, percent }: ChosenTarget,
  { port: calledPort, isEdge }: Called,
  caller: Caller,
  source: MeshSource,
): Promise<DestinationExplained> {
  const { namespace, service, labels } = destination;
  const config = await source.service(namespace, service);
  const own = ownPort || (isEdge && config ? onlyPort({ ports: config.ports.map(({ number }) => number) }) : 0);
  const port = own || calledPort;
  const all = config === undefined ? undefined : await source.endpoints(config);
  const endpoints = all?.filter(
    (endpoint) => hasLabels(endpoint.labels, labels) && portAt(endpoint, port) !== undefined,
  );
  const policy = config && new ServicePolicies(config.policies, caller).of(labels, port);
  return {
    namespace,
    service,
    host: config?.host ?? service,
    labels,
    port,
    weight: percent,
    policy: explainPolicy(policy),
    transport: transportOf(endpoints, policy, config),
    identities: endpoints?.some(({ plaintext }) => !plaintext) === false ? [] : (config?.serviceAccounts ?? []),
    ...(endpoints && { endpoints: endpoints.map((endpoint) => explainEndpoint(endpoint, port)) }),
  };
}

function portAt(endpoint: Endpoint, port: number): number | undefined {
  return endpoint.ports.find(({ number }) => number === port)?.addressPort;
}

function explainEndpoint(endpoint: Endpoint, port: number): EndpointExplained {
  const { instance, workload, address, healthy, labels, principal } = endpoint;
  return { instance, workload, address: `${address}:${portAt(endpoint, port) ?? 0}`, healthy, labels, principal };
}

function explainPolicy(config: TrafficPolicy | undefined): PolicyExplained {
  const { loadBalancing, limits, outlier } = compilePolicy(config);
  return {
    rule: config?.rule ?? "",
    loadBalancing,
    limits: finite(limits),
    outlierDetection: outlier === undefined ? {} : finite(outlier),
  };
}

/** Only what limits. */
function finite(values: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}

function transportOf(
  endpoints: readonly Endpoint[] | undefined,
  policy: TrafficPolicy | undefined,
  config: ServiceConfig | undefined,
): DestinationExplained["transport"] {
  const outside = policy?.tls ? "TLS" : "plain text";
  if (config?.passthrough) return outside;
  if (endpoints === undefined || endpoints.length === 0) return "unknown";
  const plain = endpoints.filter(({ plaintext }) => plaintext).length;
  if (plain === 0) return "mutual TLS";
  return plain === endpoints.length ? outside : "mixed";
}
