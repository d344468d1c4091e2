import type { CompiledService, RegisteredServices } from "../../services/pilot/compile/services.ts";
import {
  type Labels,
  type ParsedResource,
  resolveHost,
  type ServiceName,
  serviceHost,
} from "../../shared/model/index.ts";
import { tableKey } from "../../shared/wire/index.ts";

const DEFAULT_PORT = 80;

/**
 * A registry for files, which tell of no instances: every service of the mesh that a rule or the request names is taken
 * to be there, with whatever labels are asked for and with the ports that are named for it, 80 where none is.
 */
export class AssumedServices implements RegisteredServices {
  readonly #services = new Map<string, ServiceName & { readonly ports: Set<number> }>();
  readonly #gateways = new Map<string, readonly Labels[]>();

  /** Every service that the resources name, wherever in their specs. */
  addAll(resources: readonly ParsedResource[]): void {
    for (const { parsed } of resources) this.#collect(parsed, 0);
  }

  add(name: ServiceName, port: number): void {
    const key = tableKey(name.namespace, name.service);
    const known = this.#services.get(key) ?? { ...name, ports: new Set<number>() };
    if (port !== 0) known.ports.add(port);
    this.#services.set(key, known);
  }

  /** What a request asks for: the port is taken to be there where no rule names another. */
  ask(name: ServiceName, port: number): void {
    const known = this.#services.get(tableKey(name.namespace, name.service));
    this.add(name, known === undefined || known.ports.size === 0 ? port : 0);
  }

  has(key: string): boolean {
    return this.#services.has(key);
  }

  /** A gateway with one instance for each set of labels: so any number of Gateway resources may choose it. */
  addGateway(name: ServiceName, instances: readonly Labels[]): void {
    this.add(name, 0);
    this.#gateways.set(tableKey(name.namespace, name.service), instances);
  }

  service(key: string): CompiledService | undefined {
    const found = this.#services.get(key);
    if (found === undefined) return undefined;
    const numbers = found.ports.size === 0 ? [DEFAULT_PORT] : [...found.ports].sort((a, b) => a - b);
    const ports = numbers.map((number) => ({ number, protocol: "http" }));
    const service = { namespace: found.namespace, name: found.service, ports, principals: [] };
    const instances = this.#gateways.get(key);
    if (instances === undefined) return service;
    return { ...service, gateway: true, endpoints: instances.map((labels) => ({ labels })) };
  }

  namespaces(): Iterable<string> {
    return new Set([...this.#services.values()].map(({ namespace }) => namespace));
  }

  *servicesOf(wanted: string): Generator<CompiledService> {
    for (const [key, { namespace }] of this.#services) {
      const service = namespace === wanted ? this.service(key) : undefined;
      if (service !== undefined) yield service;
    }
  }

  carries(key: string): boolean {
    return this.has(key);
  }

  keys(): Iterable<string> {
    return this.#services.keys();
  }

  /** A typed spec names services as `{host, service}`, and beside that the port where it names one. */
  #collect(value: unknown, port: number): void {
    if (Array.isArray(value)) for (const item of value) this.#collect(item, port);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    const { host, service, port: own, destinationPort } = value as Readonly<Record<string, unknown>>;
    if (typeof host === "string" && isServiceName(service) && serviceHost(service) === host) this.add(service, port);
    for (const each of Object.values(value)) this.#collect(each, numberOf(own) || numberOf(destinationPort));
  }
}

/** The service that a request's host is taken to mean: a short name or one of the cluster's domain. */
export function assumedService(host: string, namespace: string): ServiceName | undefined {
  const isOurs = !host.includes(".") || /\.svc(?:\.cluster\.local)?\.?$/i.test(host);
  return isOurs ? resolveHost(host, namespace) : undefined;
}

function isServiceName(value: unknown): value is ServiceName {
  return typeof value === "object" && value !== null && "namespace" in value && "service" in value;
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
