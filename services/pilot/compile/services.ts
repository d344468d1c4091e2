import { DOMAIN, type Labels, resolveHost, type ServiceName, serviceHost } from "../../../shared/model/index.ts";
import { parseTableKey, tableKey } from "../../../shared/wire/index.ts";
import type { RegisteredPort } from "../registered-ports.ts";
import type { RegisteredService } from "../registry.ts";

/** A service that requests can be routed to, wherever it is known from. */
export interface KnownService {
  /** Key in table `service`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** What rules call it; for one from outside the same as its name. */
  readonly host: string;
  readonly ports: readonly RegisteredPort[];
  /** SPIFFE ids, sorted. */
  readonly principals: readonly string[];
  /** Requests go to the host that they name. */
  readonly passthrough?: boolean;
  /** It has no endpoints at all and never will have: it exists because a rule names its host. */
  readonly bodiless?: boolean;
  /** Ports that applications call in plain text and the proxy in TLS. */
  readonly tlsPorts?: readonly number[];
  /** The newest of the resources that say what it is and where its instances are. */
  readonly revision?: number;
  /** Names of which a certificate must have one, where a policy asks for TLS and names none. */
  readonly subjectAltNames?: readonly string[];
}

/** Where services are known from: the registry, service entries, hosts of virtual services. */
export interface ServiceSource {
  has(key: string): boolean;
  service(key: string): KnownService | undefined;
  /** Whether some instance carries all of the labels. */
  carries(key: string, labels: Labels): boolean;
  services(): Iterable<KnownService>;
  /** The key of the service of this host (lower case) that callers in the namespace mean. */
  byHost(host: string, callerNamespace: string): string | undefined;
  /** The keys of all services of this host, of whatever namespace. */
  keysOf(host: string): readonly string[];
}

/** A host as rules name it: HostRef and ServiceRef are such. */
export interface NamedHost {
  readonly host: string;
  readonly service: ServiceName | undefined;
}

/** What the compiler asks of the registry. */
export type CompiledService = Pick<RegisteredService, "namespace" | "name" | "ports" | "principals"> &
  Partial<Pick<RegisteredService, "endpoints" | "gateway">>;

export interface RegisteredServices {
  has(key: string): boolean;
  service(key: string): CompiledService | undefined;
  carries(key: string, labels: Labels): boolean;
  keys(): Iterable<string>;
  /** Those that have services. */
  namespaces(): Iterable<string>;
  servicesOf(namespace: string): Iterable<CompiledService>;
}

/** The registry as a source: a service's host is made of its name and namespace. */
export function registeredSource(registry: RegisteredServices): ServiceSource {
  const service = (key: string): KnownService | undefined => {
    const found = registry.service(key);
    if (found === undefined) return undefined;
    const { namespace, name, ports, principals } = found;
    return { key, namespace, name, host: serviceHost({ namespace, service: name }), ports, principals };
  };
  const byHost = (host: string): string | undefined => {
    const key = clusterKey(host);
    return key !== undefined && registry.has(key) ? key : undefined;
  };
  return {
    has: (key) => registry.has(key),
    service,
    carries: (key, labels) => registry.carries(key, labels),
    *services() {
      for (const key of registry.keys()) {
        const found = service(key);
        if (found !== undefined) yield found;
      }
    },
    byHost,
    keysOf(host) {
      const key = byHost(host);
      return key === undefined ? [] : [key];
    },
  };
}

/** All sources as one; of those that know a key or a host the first wins. */
export class ServiceCatalog implements ServiceSource {
  readonly #sources: ServiceSource[];

  constructor(...sources: readonly ServiceSource[]) {
    this.#sources = [...sources];
  }

  /** After those that are there. */
  add(source: ServiceSource): void {
    this.#sources.push(source);
  }

  has(key: string): boolean {
    return this.#sources.some((source) => source.has(key));
  }

  service(key: string): KnownService | undefined {
    for (const source of this.#sources) {
      const found = source.service(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  carries(key: string, labels: Labels): boolean {
    return this.#sources.some((source) => source.has(key) && source.carries(key, labels));
  }

  *services(): Generator<KnownService> {
    const seen = new Set<string>();
    for (const source of this.#sources) {
      for (const service of source.services()) {
        if (seen.has(service.key)) continue;
        seen.add(service.key);
        yield service;
      }
    }
  }

  byHost(host: string, callerNamespace: string): string | undefined {
    for (const source of this.#sources) {
      const found = source.byHost(host, callerNamespace);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  keysOf(host: string): string[] {
    const own = clusterKey(host);
    const named = own !== undefined && this.has(own) ? [own] : [];
    return [...new Set([...named, ...this.#sources.flatMap((source) => source.keysOf(host))])];
  }

  /** The key of the service that a rule of this namespace sends to; undefined when there is none to send to. */
  resolve({ host, service }: NamedHost, namespace: string): string | undefined {
    if (service !== undefined) {
      const key = tableKey(service.namespace, service.service);
      if (this.#hasBody(key)) return key;
    }
    const found = this.byHost(host, namespace);
    return found !== undefined && this.#hasBody(found) ? found : undefined;
  }

  #hasBody(key: string): boolean {
    const found = this.service(key);
    return found !== undefined && found.bodiless !== true;
  }
}

/** The host under which a service is known; made of its key where nobody knows the service. */
export function hostOfKey(key: string, services: ServiceSource): string {
  const known = services.service(key);
  if (known !== undefined) return known.host;
  const [namespace = "", service = ""] = parseTableKey(key);
  return service.includes(".") || service.includes("*") ? service : serviceHost({ namespace, service });
}

/** The hosts that a rule may mean: a two-part one is a service of the mesh or a domain outside. */
export function meantHosts({ host, service }: NamedHost): readonly string[] {
  if (service === undefined) return [host];
  const full = serviceHost(service);
  return full === host ? [host] : [host, full];
}

/** The key of the service that a cluster name (`reviews.default.svc.cluster.local`) means; undefined for other hosts. */
function clusterKey(host: string): string | undefined {
  const name = host.endsWith(`.svc.${DOMAIN}`) ? resolveHost(host, "") : undefined;
  return name && tableKey(name.namespace, name.service);
}
