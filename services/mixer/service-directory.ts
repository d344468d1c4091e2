import { ServiceConfig } from "../../shared/wire/index.ts";
import type { PlannedService } from "./plan.ts";

interface Known extends PlannedService {
  readonly host: string;
}

/** The services of the mesh, from table `service`: who gets a plan, and which destinations have proxies. */
export class ServiceDirectory {
  readonly #byKey = new Map<string, Known>();
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
    const { namespace, name, host, ports } = ServiceConfig.decode(value);
    const protocols = ports.map((port) => port.protocol);
    this.#byKey.set(key, { namespace, service: name, host, protocols });
    this.#hosts.add(host);
    return before === undefined || before.host !== host || before.protocols.join() !== protocols.join();
  }

  get services(): Iterable<PlannedService> {
    return this.#byKey.values();
  }

  /** Whether the host is a service of the mesh, whose own proxies report what reaches it. */
  hasProxy(host: string): boolean {
    return this.#hosts.has(host);
  }
}
