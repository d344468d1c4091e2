import type { Labels } from "../../../shared/model/index.ts";
import { type EndpointInput, tableKey } from "../../../shared/wire/index.ts";
import type { RegisteredPort } from "../registered-ports.ts";
import { satisfies } from "./entry-endpoints.ts";
import type { EntryService } from "./entry-service.ts";
import type { HostTables } from "./host-tables.ts";
import { type KnownService, type RegisteredServices, registeredSource, type ServiceSource } from "./services.ts";

export interface ConfiguredServices {
  service(key: string): EntryService | undefined;
  services(): Iterable<EntryService>;
}

/**
 * What has registered and what configuration names, as one source. Where both speak of one service (a ServiceEntry for
 * `reviews.default.svc.cluster.local`), the instances of both are its own, and the ports too; what is spoken on a port is
 * what the registered instances say.
 */
export class MeshServices implements ServiceSource {
  readonly #registry: RegisteredServices;
  readonly #registered: ServiceSource;
  readonly #configured: ConfiguredServices;
  readonly #hosts: Pick<HostTables, "find" | "keysOf">;

  constructor(
    registry: RegisteredServices,
    configured: ConfiguredServices,
    hosts: Pick<HostTables, "find" | "keysOf">,
  ) {
    this.#registry = registry;
    this.#registered = registeredSource(registry);
    this.#configured = configured;
    this.#hosts = hosts;
  }

  has(key: string): boolean {
    return this.#registered.has(key) || this.#configured.service(key) !== undefined;
  }

  service(key: string): KnownService | undefined {
    const registered = this.#registered.service(key);
    const configured = this.#configured.service(key);
    if (configured === undefined) return registered;
    return registered === undefined ? knownOf(configured) : joined(registered, configured);
  }

  carries(key: string, labels: Labels): boolean {
    if (this.#registered.has(key) && this.#registered.carries(key, labels)) return true;
    const configured = this.#configured.service(key);
    if (configured === undefined) return false;
    if (Object.keys(labels).length === 0) return true;
    return configured.endpoints.some((endpoint) => satisfies(endpoint.labels ?? {}, labels));
  }

  *services(): Generator<KnownService> {
    for (const registered of this.#registered.services()) {
      const configured = this.#configured.service(registered.key);
      yield configured === undefined ? registered : joined(registered, configured);
    }
    for (const configured of this.#configured.services()) {
      if (!this.#registered.has(configured.key)) yield knownOf(configured);
    }
  }

  byHost(host: string, callerNamespace: string): string | undefined {
    const registered = this.#registered.byHost(host, callerNamespace);
    if (registered !== undefined) return registered;
    const found = this.#hosts.find(host, callerNamespace);
    return found === undefined ? undefined : tableKey(found.namespace, found.name);
  }

  keysOf(host: string): readonly string[] {
    return [...new Set([...this.#registered.keysOf(host), ...this.#hosts.keysOf(host)])];
  }

  /** Its instances, sorted. */
  endpoints(key: string): readonly EndpointInput[] {
    const registered = this.#registry.service(key)?.endpoints ?? [];
    const configured = this.#configured.service(key)?.endpoints ?? [];
    if (configured.length === 0) return registered;
    if (registered.length === 0) return configured;
    const endpoints = new Map([...configured, ...registered].map((endpoint) => [idOf(endpoint), endpoint]));
    return [...endpoints].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
  }
}

function idOf({ instance = "", principal = "" }: EndpointInput): string {
  return `${instance} ${principal}`;
}

function knownOf(service: EntryService): KnownService {
  const { key, namespace, name, host, ports, principals, passthrough, tlsPorts, subjectAltNames, revision } = service;
  return { key, namespace, name, host, ports, principals, passthrough, tlsPorts, subjectAltNames, revision };
}

function joined(registered: KnownService, configured: EntryService): KnownService {
  const ports = new Map<number, RegisteredPort>(configured.ports.map((port) => [port.number, port]));
  for (const port of registered.ports) ports.set(port.number, port);
  return {
    ...knownOf(configured),
    passthrough: false,
    ports: [...ports.values()].sort((a, b) => a.number - b.number),
    principals: [...new Set([...registered.principals, ...configured.principals])].sort(),
  };
}
