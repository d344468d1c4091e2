import type { Host } from "./host.ts";

/** Chooses a host for one request. Called for each request: synchronous, no allocation. */
export interface Balancer {
  /** `hosts` is never empty. */
  choose(hosts: readonly Host[]): Host | undefined;
}

export type BalancerName = "ROUND_ROBIN" | "LEAST_CONN" | "RANDOM";

/** Takes turns, starting at a random host. */
export class RoundRobinBalancer implements Balancer {
  #next: number;

  constructor(random: () => number = Math.random) {
    this.#next = Math.floor(random() * 0x10000);
  }

  choose(hosts: readonly Host[]): Host | undefined {
    this.#next = (this.#next + 1) >>> 0;
    return hosts[this.#next % hosts.length];
  }
}

/** The less busy of two random hosts: close to the least busy of all, without looking at all (power of two choices). */
export class LeastRequestBalancer implements Balancer {
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  choose(hosts: readonly Host[]): Host | undefined {
    const count = hosts.length;
    if (count === 1) return hosts[0];
    const first = Math.floor(this.#random() * count);
    const second = (first + 1 + Math.floor(this.#random() * (count - 1))) % count;
    const a = hosts[first];
    const b = hosts[second];
    return a !== undefined && b !== undefined && b.activeRequests < a.activeRequests ? b : a;
  }
}

export class RandomBalancer implements Balancer {
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  choose(hosts: readonly Host[]): Host | undefined {
    return hosts[Math.floor(this.#random() * hosts.length)];
  }
}

/** Unknown names balance in turns. */
export function createBalancer(name: string): Balancer {
  if (name === "LEAST_CONN") return new LeastRequestBalancer();
  if (name === "RANDOM") return new RandomBalancer();
  return new RoundRobinBalancer();
}
