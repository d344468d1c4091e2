import { ServiceConfig } from "../../shared/wire/index.ts";
import type { PlannedService } from "./plan.ts";

/** The services of the mesh, from table `service`: who gets a plan, and which destinations have proxies. */
export class ServiceDirectory {
  readonly #byKey = new Map<string, PlannedService>();
  readonly #hosts = new Set<string>();

  /** Takes one value of the table. Returns whether a plan may change. Throws WireError. */
  apply(key: string, value: Uint8Array | undefined): boolean {
    const before = this.#byKey.get(key);
    if (value === undefined) {
      if (before === undefined) return false;
      this.#byKey.delete(key);
      this.#hosts.delete(before.host);
      return true;
    }
    const { namespace, name, host, ports, serviceAccounts } = ServiceConfig.decode(value);
    const protocols = ports.map((port) => port.protocol);
    const hasProxy = serviceAccounts.length > 0;
    this.#byKey.set(key, { namespace, service: name, host, protocols, hasProxy });
    if (hasProxy) this.#hosts.add(host);
    else this.#hosts.delete(host);
    const same = before?.host === host && before.hasProxy === hasProxy;
    return !same || before.protocols.join() !== protocols.join();
  }

  get services(): Iterable<PlannedService> {
    return this.#byKey.values();
  }

  /** Whether the host is a service of the mesh, whose own proxies report what reaches it. */
  hasProxy(host: string): boolean {
    return this.#hosts.has(host);
  }
}
