import {
  clusterService,
  type EgressRuleSpec,
  type ExportTo,
  isIpv4,
  type ServiceEntrySpec,
  serviceHost,
} from "../../../shared/model/index.ts";
import type { Aged } from "./age.ts";

/**
 * What a ServiceEntry or an EgressRule says about the hosts that it names, in one form for both. Several of them for one host
 * of one namespace make up one service.
 */
export interface EntrySource extends Aged {
  readonly revision: number;
  readonly namespace: string;
  readonly hosts: readonly string[];
  /** Which requests may name instead; networks have no effect. */
  readonly addresses: readonly string[];
  readonly ports: ServiceEntrySpec["ports"];
  /** Ports that applications call in plain text and the proxy in TLS. */
  readonly tlsPorts: readonly number[];
  readonly resolution: ServiceEntrySpec["resolution"];
  readonly endpoints: ServiceEntrySpec["endpoints"];
  readonly workloadLabels: ServiceEntrySpec["workloadLabels"];
  /** Empty: as the mesh says. */
  readonly exportTo: ExportTo;
  readonly subjectAltNames: readonly string[];
}

/** Where the service of a host stands in table `service`. */
export interface HostPlace {
  readonly namespace: string;
  readonly name: string;
  /** The host under which callers know it. */
  readonly host: string;
}

const PLAIN_PROTOCOLS: ReadonlySet<string> = new Set(["http", "http2", "grpc"]);

/** What the proxy speaks on a port; what it cannot read passes as bytes. */
export function spokenProtocol(protocol: string): string {
  const name = protocol.toLowerCase();
  if (PLAIN_PROTOCOLS.has(name)) return name;
  return name === "grpc-web" ? "http" : "tcp";
}

/**
 * A cluster name (`reviews.default.svc`, with or without `cluster.local`) is the service of that name, whether registered or
 * not, and only resources of its own namespace may say what it is: undefined for those of others. Every other host has a
 * service of its own in the namespace of whoever names it.
 */
export function placeOfHost(host: string, namespace: string): HostPlace | undefined {
  const named = clusterService(host);
  if (named === undefined) return { namespace, name: host, host };
  if (named.namespace !== namespace) return undefined;
  return { namespace, name: named.service, host: serviceHost(named) };
}

export function sourceOfServiceEntry(
  about: Pick<EntrySource, "rule" | "created" | "revision" | "namespace">,
  spec: ServiceEntrySpec,
): EntrySource {
  return { ...about, ...spec, tlsPorts: [] };
}

/**
 * Of Istio 0.x: every namespace sees it. A single host is resolved by name; for a wildcard the request says which host it
 * goes to. On an https port the application speaks plain HTTP and the proxy originates TLS.
 */
export function sourceOfEgressRule(
  about: Pick<EntrySource, "rule" | "created" | "revision" | "namespace">,
  spec: EgressRuleSpec,
): EntrySource {
  const { service } = spec;
  const ports = spec.ports.map(({ port, protocol }) => {
    const spoken = protocol.toLowerCase();
    return {
      number: port,
      name: `${spoken}-${port}`,
      protocol: spoken === "https" ? "http" : spoken,
      targetPort: port,
    };
  });
  return {
    ...about,
    hosts: [service],
    addresses: [],
    ports,
    tlsPorts: spec.ports.filter(({ protocol }) => protocol.toLowerCase() === "https").map(({ port }) => port),
    resolution: service.startsWith("*") ? "NONE" : isIpv4(service) ? "STATIC" : "DNS",
    endpoints: isIpv4(service)
      ? [{ address: service, ports: {}, labels: {}, network: "", locality: "", weight: 0, serviceAccount: "" }]
      : [],
    workloadLabels: undefined,
    exportTo: ["*"],
    subjectAltNames: [],
  };
}
