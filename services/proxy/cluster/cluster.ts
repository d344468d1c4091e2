import { type Balancer, createBalancer } from "./balancer.ts";
import type { Host } from "./host.ts";

/** The instances of a service that a route may choose from: those with certain labels, or all. */
export class Cluster {
  /** `<service>.<namespace>`, with `|k=v,...` for a version. */
  readonly name: string;
  #hosts: readonly Host[] = [];
  #healthy: readonly Host[] = [];
  #policy = "ROUND_ROBIN";
  #balancer: Balancer = createBalancer("ROUND_ROBIN");

  constructor(name: string) {
    this.name = name;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  get policy(): string {
    return this.#policy;
  }

  /** The balancer keeps its place unless the policy changes. */
  update(hosts: readonly Host[], policy: string): void {
    this.#hosts = hosts;
    this.#healthy = hosts.filter((host) => host.healthy);
    if (policy !== this.#policy) {
      this.#policy = policy;
      this.#balancer = createBalancer(policy);
    }
  }

  /** A healthy host, preferably none of `tried`; undefined when there is no healthy host. */
  choose(tried: ReadonlySet<Host> | undefined): Host | undefined {
    const healthy = this.#healthy;
    if (healthy.length === 0) return undefined;
    if (tried === undefined || tried.size === 0) return this.#balancer.choose(healthy);
    return this.#chooseFresh(healthy, tried);
  }

  /** Like `choose`, among the hosts that serve a port: for services whose instances differ in their ports. */
  chooseServing(servicePort: number, tried: ReadonlySet<Host> | undefined): Host | undefined {
    const serving = this.#healthy.filter((host) => host.ports.has(servicePort));
    return serving.length === 0 ? undefined : this.#chooseFresh(serving, tried);
  }

  #chooseFresh(hosts: readonly Host[], tried: ReadonlySet<Host> | undefined): Host | undefined {
    const fresh = tried === undefined ? hosts : hosts.filter((host) => !tried.has(host));
    return this.#balancer.choose(fresh.length > 0 ? fresh : hosts);
  }
}
