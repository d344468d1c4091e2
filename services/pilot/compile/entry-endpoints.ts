import type { Labels, WorkloadEntrySpec } from "../../../shared/model/index.ts";
import type { EndpointInput, EndpointPortInput } from "../../../shared/wire/index.ts";
import { fingerprintOf, MAX_ENDPOINT_BYTES } from "../registered-endpoint.ts";
import { type EntrySource, spokenProtocol } from "./entry-source.ts";

/** A WorkloadEntry of the namespace. */
export interface KnownWorkload {
  /** workloadentry/<namespace>/<name>. */
  readonly rule: string;
  readonly name: string;
  readonly revision: number;
  readonly spec: WorkloadEntrySpec;
}

/** An instance that registered itself, and as what. */
export interface RegisteredWorkload {
  readonly service: string;
  readonly endpoint: EndpointInput;
}

/** What a selector chooses from. */
export interface Workloads {
  readonly entries: readonly KnownWorkload[];
  readonly instances: Iterable<RegisteredWorkload>;
}

/** Whether labels satisfy a selector. */
export function satisfies(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
}

/**
 * The instances of one host as one source names them. Those that it lists, and WorkloadEntries, have no sidecar as far
 * as the mesh knows: they are called in plain text (or in the TLS that a policy asks for). An instance that registered
 * itself is called as the service it registered as, by mutual TLS.
 */
export function endpointsOf(source: EntrySource, host: string, workloads: Workloads): EndpointInput[] {
  if (source.resolution === "NONE") return [];
  const selector = source.workloadLabels;
  if (selector === undefined) return listed(source, host);
  const endpoints: EndpointInput[] = [];
  for (const { rule, name, spec } of workloads.entries) {
    if (satisfies(spec.labels, selector)) endpoints.push(plain(rule, name, spec, source));
  }
  for (const { service, endpoint } of workloads.instances) {
    if (!satisfies(endpoint.labels ?? {}, selector)) continue;
    const ports = sidecarPorts(endpoint, source);
    if (ports.length > 0) endpoints.push({ ...endpoint, service, ports });
  }
  // Of several with one name the first will stand, whoever registered first.
  return endpoints.filter(isBounded).sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

function placeOf({ instance = "", service = "", principal = "" }: EndpointInput): string {
  return `${instance} ${service} ${principal}`;
}

/** More about one instance would keep a shard of them from fitting into a message. What is applied today is never as long. */
export function isBounded(endpoint: EndpointInput): boolean {
  return Buffer.byteLength(fingerprintOf(endpoint)) + (endpoint.instance ?? "").length <= MAX_ENDPOINT_BYTES;
}

function listed(source: EntrySource, host: string): EndpointInput[] {
  const { endpoints, resolution, rule } = source;
  if (endpoints.length === 0) {
    return resolution === "STATIC" ? [] : [plain(`${rule}/${host}`, host, { ...NOWHERE, address: host }, source)];
  }
  const taken = new Map<string, number>();
  return endpoints
    .map((endpoint) => {
      const count = (taken.get(endpoint.address) ?? 0) + 1;
      taken.set(endpoint.address, count);
      const name = count === 1 ? endpoint.address : `${endpoint.address}#${count}`;
      return plain(`${rule}/${name}`, endpoint.address, endpoint, source);
    })
    .filter(isBounded);
}

const NOWHERE: WorkloadEntrySpec = {
  address: "",
  ports: {},
  labels: {},
  network: "",
  locality: "",
  weight: 0,
  serviceAccount: "",
};

function plain(instance: string, workload: string, spec: WorkloadEntrySpec, source: EntrySource): EndpointInput {
  const { address, ports, labels, locality, weight } = spec;
  return {
    instance,
    workload,
    address,
    ports: source.ports
      .map(({ number, name, protocol, targetPort }) => ({
        number,
        protocol: spokenProtocol(protocol),
        addressPort: (Object.hasOwn(ports, name) ? ports[name] : undefined) ?? targetPort,
      }))
      .sort((a, b) => a.number - b.number),
    labels: Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    healthy: true,
    plaintext: true,
    locality,
    weight,
    ...(source.resolution === "DNS_ROUND_ROBIN" && { logicalDns: true }),
  };
}

/** The ports of the source that the instance serves: under its own number for them, by its sidecar. */
function sidecarPorts(endpoint: EndpointInput, source: EntrySource): EndpointPortInput[] {
  const ports: EndpointPortInput[] = [];
  for (const { number, protocol, targetPort } of source.ports) {
    const own = endpoint.ports?.find((port) => port.number === targetPort);
    if (own === undefined) continue;
    ports.push({
      number,
      protocol: spokenProtocol(protocol),
      addressPort: own.addressPort ?? 0,
      ...(targetPort !== number && { ownNumber: targetPort }),
    });
  }
  return ports.sort((a, b) => (a.number ?? 0) - (b.number ?? 0));
}
