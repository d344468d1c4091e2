import { isIP } from "node:net";
import type { ExportTo } from "../../../shared/model/index.ts";
import { type EndpointInput, tableKey } from "../../../shared/wire/index.ts";
import type { RegisteredPort } from "../registered-ports.ts";
import { type Aged, compareAge } from "./age.ts";
import { endpointsOf, satisfies, type Workloads } from "./entry-endpoints.ts";
import { type EntrySource, type HostPlace, placeOfHost, spokenProtocol } from "./entry-source.ts";
import { exportedTo } from "./visibility.ts";

/**
 * One host of one namespace, of all that is said about it. As Istio merges ServiceEntries: ports and instances of all of them,
 * the rest as the oldest says.
 */
export interface EntryService extends HostPlace, Aged {
  /** Key in table `service`. */
  readonly key: string;
  /** Which requests may name instead of the host. */
  readonly addresses: readonly string[];
  readonly ports: readonly RegisteredPort[];
  /** Ports on which the proxy originates TLS although the application does not, in order. */
  readonly tlsPorts: readonly number[];
  /** SPIFFE ids of those of its instances that have a sidecar, sorted. */
  readonly principals: readonly string[];
  /** Sorted by instance. */
  readonly endpoints: readonly EndpointInput[];
  readonly passthrough: boolean;
  readonly exportTo: ExportTo;
  readonly subjectAltNames: readonly string[];
  /** The newest of the resources that say what it is and where its instances are. */
  readonly revision: number;
}

/** Undefined when no source has a say about the service. */
export function buildEntryService(
  key: string,
  sources: readonly EntrySource[],
  defaultExportTo: ExportTo,
  workloadsOf: (source: EntrySource) => Workloads,
): EntryService | undefined {
  const [oldest, ...others] = [...sources].sort(compareAge);
  const place = oldest === undefined ? undefined : placeIn(oldest, key);
  if (oldest === undefined || place === undefined) return undefined;
  const passthrough = oldest.resolution === "NONE";
  const ports = new Map<number, string>();
  const tlsPorts = new Set<number>();
  const endpoints = new Map<string, EndpointInput>();
  let revision = 0;
  for (const source of [oldest, ...others]) {
    const workloads = workloadsOf(source);
    revision = Math.max(revision, source.revision, newestOf(source, workloads));
    for (const { number, protocol } of source.ports) {
      if (!ports.has(number)) ports.set(number, spokenProtocol(protocol));
    }
    for (const port of source.tlsPorts) tlsPorts.add(port);
    if (passthrough) continue;
    for (const host of hostsIn(source, key)) {
      for (const endpoint of endpointsOf(source, host, workloads)) {
        const instance = endpoint.instance ?? "";
        if (!endpoints.has(instance)) endpoints.set(instance, endpoint);
      }
    }
  }
  const sorted = [...endpoints.values()].sort((a, b) => ((a.instance ?? "") < (b.instance ?? "") ? -1 : 1));
  const principals = sorted.filter(({ plaintext }) => plaintext !== true).map(({ principal }) => principal ?? "");
  return {
    ...place,
    key,
    rule: oldest.rule,
    created: oldest.created,
    ports: [...ports].map(([number, protocol]) => ({ number, protocol })).sort((a, b) => a.number - b.number),
    tlsPorts: [...tlsPorts].sort((a, b) => a - b),
    addresses: [...new Set([oldest, ...others].flatMap(({ addresses }) => addresses))].filter((address) =>
      isIP(address),
    ),
    principals: [...new Set(principals)].sort(),
    endpoints: sorted,
    passthrough,
    exportTo: exportedTo(oldest.exportTo, defaultExportTo, oldest.namespace),
    subjectAltNames: oldest.subjectAltNames,
    revision,
  };
}

/** The newest revision of the WorkloadEntries that it chooses. */
function newestOf({ workloadLabels }: EntrySource, { entries }: Workloads): number {
  if (workloadLabels === undefined) return 0;
  const chosen = entries.filter(({ spec }) => satisfies(spec.labels, workloadLabels));
  return chosen.reduce((newest, { revision }) => Math.max(newest, revision), 0);
}

/** Whether they differ in nothing but their instances. */
export function sameShape(a: EntryService | undefined, b: EntryService | undefined): boolean {
  return shapeOf(a) === shapeOf(b);
}

/** Instances that came, went or changed. */
export function endpointChanges(before: EntryService | undefined, now: EntryService | undefined): string[] {
  const known = new Map(
    (before?.endpoints ?? []).map((endpoint) => [endpoint.instance ?? "", JSON.stringify(endpoint)]),
  );
  const changed: string[] = [];
  for (const endpoint of now?.endpoints ?? []) {
    const instance = endpoint.instance ?? "";
    if (known.get(instance) !== JSON.stringify(endpoint)) changed.push(instance);
    known.delete(instance);
  }
  return [...changed, ...known.keys()];
}

function shapeOf(service: EntryService | undefined): string {
  if (service === undefined) return "";
  const { endpoints: _, ...shape } = service;
  return JSON.stringify(shape);
}

function hostsIn(source: EntrySource, key: string): string[] {
  return source.hosts.filter((host) => {
    const place = placeOfHost(host, source.namespace);
    return place !== undefined && tableKey(place.namespace, place.name) === key;
  });
}

function placeIn(source: EntrySource, key: string): HostPlace | undefined {
  const [host] = hostsIn(source, key);
  return host === undefined ? undefined : placeOfHost(host, source.namespace);
}
