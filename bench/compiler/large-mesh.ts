import { parseResource } from "../../shared/model/documents.ts";
import {
  accepted,
  createKindRegistry,
  type JsonObject,
  type JsonValue,
  type ParsedResource,
} from "../../shared/model/index.ts";
import { tableKey } from "../../shared/wire/index.ts";

/** A mesh as large as meshes get: who is in it, and what is configured for it. */
export const SERVICES = 5_000;
export const RULES = 10_000;
const NAMESPACES = 50;
const VERSIONS = ["v1", "v2", "v3"];
/** Of the services, those that rules of the older dialect are about. */
const OLDER = 1_000;

const KINDS = createKindRegistry();

export interface Place {
  readonly namespace: string;
  readonly name: string;
}

export function placeOfService(i: number): Place {
  return { namespace: `ns-${i % NAMESPACES}`, name: `service-${i}` };
}

/** Five thousand services with instances of three versions, as the compiler sees the registry. */
export class LargeRegistry {
  readonly #services = new Map<string, Place>();

  constructor() {
    for (let i = 0; i < SERVICES; i++) {
      const place = placeOfService(i);
      this.#services.set(tableKey(place.namespace, place.name), place);
    }
  }

  keys(): Iterable<string> {
    return this.#services.keys();
  }

  namespaces(): Iterable<string> {
    return Array.from({ length: NAMESPACES }, (_, i) => `ns-${i}`);
  }

  *servicesOf(namespace: string) {
    for (const [key, place] of this.#services) if (place.namespace === namespace) yield this.#view(key, place);
  }

  has(key: string): boolean {
    return this.#services.has(key);
  }

  service(key: string) {
    const place = this.#services.get(key);
    return place === undefined ? undefined : this.#view(key, place);
  }

  carries(key: string, labels: Readonly<Record<string, string>>): boolean {
    const { version, ...others } = labels;
    return this.has(key) && Object.keys(others).length === 0 && (version === undefined || VERSIONS.includes(version));
  }

  #view(_key: string, { namespace, name }: Place) {
    const ports = [{ number: 80, protocol: "http" }];
    return { namespace, name, ports, principals: [`spiffe://cluster.local/ns/${namespace}/sa/${name}`] };
  }
}

/** A valid resource at a revision. */
export function resource(kind: string, place: Place, spec: JsonObject, revision: number): ParsedResource {
  const isNewer = kind === "VirtualService" || kind === "DestinationRule";
  const apiVersion = isNewer ? "networking.istio.io/v1" : "config.istio.io/v1alpha2";
  const judged = parseResource({ apiVersion, kind, metadata: { ...place }, spec } as JsonValue, KINDS);
  if (!judged.ok) throw new Error(`${kind} ${place.namespace}/${place.name}: ${JSON.stringify(judged.errors)}`);
  const created = new Date(revision * 1_000).toISOString();
  return { ...judged.parsed, resource: accepted(judged.parsed.resource, revision, created) };
}

/**
 * Ten thousand rules: for four fifths of the services a VirtualService with three routes and a DestinationRule with three subsets,
 * for the others a RouteRule and a DestinationPolicy, and in each namespace one VirtualService and one DestinationRule for
 * `*.<namespace>.svc.cluster.local`. Every tenth VirtualService sends to another namespace, every twentieth is exported to
 * two namespaces only, every fiftieth service has a DestinationRule of a caller's namespace instead of its own.
 */
export function rules(): ParsedResource[] {
  const all: ParsedResource[] = [];
  const add = (kind: string, place: Place, spec: JsonObject): void => {
    all.push(resource(kind, place, spec, all.length + 1));
  };
  for (let i = 0; i < NAMESPACES; i++) {
    const namespace = `ns-${i}`;
    const host = `*.${namespace}.svc.cluster.local`;
    add("DestinationRule", { namespace, name: "everything" }, { host, trafficPolicy: balancer("LEAST_REQUEST") });
    const first = placeOfService(i).name;
    add("VirtualService", { namespace, name: "everything" }, { hosts: [host], http: [{ route: toService(first) }] });
  }
  for (let i = 0; all.length < RULES; i++) {
    const place = placeOfService(i);
    if (i < OLDER) {
      const destination = { name: place.name };
      add("RouteRule", place, { destination, route: [{ labels: { version: "v1" } }] });
      add("DestinationPolicy", place, { destination, loadBalancing: { name: "RANDOM" } });
    } else {
      add("DestinationRule", ruleNamespace(place, i), destinationRule(place));
      add("VirtualService", place, virtualService(i, 0));
    }
  }
  return all;
}

export function virtualService(i: number, turn: number): JsonObject {
  const { name } = placeOfService(i);
  const other = placeOfService((i * 7) % SERVICES);
  const last =
    i % 10 === 0 ? toService(`${other.name}.${other.namespace}.svc.cluster.local`) : split(name, 90 + (turn % 10));
  return {
    hosts: [name],
    ...(i % 20 === 0 && { exportTo: [".", "ns-1", "ns-2"] }),
    http: [
      { match: [{ headers: { "x-user": { exact: `tester-${turn}` } } }], route: toService(name, "v3"), timeout: "2s" },
      { match: [{ uri: { prefix: "/api" } }, { uri: { prefix: "/v2" } }], route: toService(name, "v2") },
      { route: last, retries: { attempts: 2, retryOn: "5xx" } },
    ],
  };
}

function destinationRule({ namespace, name }: Place): JsonObject {
  return {
    host: `${name}.${namespace}.svc.cluster.local`,
    trafficPolicy: balancer("ROUND_ROBIN"),
    subsets: VERSIONS.map((version) => ({
      name: version,
      labels: { version },
      ...(version === "v3" && { trafficPolicy: balancer("RANDOM") }),
    })),
  };
}

function ruleNamespace(place: Place, i: number): Place {
  return i % 50 === 0 ? { ...place, namespace: `ns-${(i + 1) % NAMESPACES}` } : place;
}

function balancer(simple: string): JsonObject {
  return { loadBalancer: { simple } };
}

function toService(host: string, subset?: string): JsonObject[] {
  return [{ destination: { host, ...(subset !== undefined && { subset }) } }];
}

function split(host: string, weight: number): JsonObject[] {
  return [
    { destination: { host, subset: "v1" }, weight },
    { destination: { host, subset: "v2" }, weight: 100 - weight },
  ];
}
