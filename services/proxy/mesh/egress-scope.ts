import { type ServiceName, serviceHost } from "../../../shared/model/index.ts";
import type { SidecarScope } from "../../../shared/wire/index.ts";

/** Hosts of one namespace that may be called. */
interface ScopedHosts {
  readonly exact: Set<string>;
  /** What hosts may end with: `.example.com`; "" for all. */
  readonly suffixes: string[];
}

const ANY = "*";

/**
 * What a workload may call of the mesh: services by their namespace and full host. A service of many hosts
 * (`*.example.com`) is in scope when all of them are. Whatever is not in scope is, to this workload, outside the mesh.
 *
 * A scope never changes: another one is another object, by which those who remember what it said know that they are to
 * ask again.
 */
export class EgressScope {
  readonly config: SidecarScope;
  readonly #byNamespace = new Map<string, ScopedHosts>();

  constructor(config: SidecarScope) {
    this.config = config;
    for (const { namespace, host } of config.egressHosts) {
      const hosts = this.#byNamespace.get(namespace) ?? { exact: new Set(), suffixes: [] };
      this.#byNamespace.set(namespace, hosts);
      if (host.startsWith("*")) hosts.suffixes.push(host.slice(1));
      else hosts.exact.add(host);
    }
  }

  /** `host`: in lower case. */
  admits(namespace: string, host: string): boolean {
    return isAmong(this.#byNamespace.get(namespace), host) || isAmong(this.#byNamespace.get(ANY), host);
  }

  /** By its key in the tables: the name of a registered service, or the host that is none's name. */
  admitsService({ namespace, service }: ServiceName): boolean {
    return this.admits(namespace, service) || this.admits(namespace, serviceHost({ namespace, service }));
  }
}

function isAmong(hosts: ScopedHosts | undefined, host: string): boolean {
  if (hosts === undefined) return false;
  return hosts.exact.has(host) || hosts.suffixes.some((suffix) => host.endsWith(suffix) && host.length > suffix.length);
}
