import { type Balancer, isWeighted, type Random } from "./balancer.ts";
import { EdfSchedule } from "./edf-schedule.ts";
import type { Host } from "./host.ts";

/**
 * The less busy of two random hosts: close to the least busy of all, without looking at all (power of two choices).
 * Hosts with unequal shares take turns by share over load instead, as in Envoy.
 */
export class LeastRequestBalancer implements Balancer {
  readonly #random: Random;
  #hosts: readonly Host[] = [];
  #schedule: EdfSchedule | undefined;

  constructor(random: Random = Math.random) {
    this.#random = random;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    this.#schedule = isWeighted(hosts) ? new EdfSchedule(hosts, loadCost, this.#random) : undefined;
  }

  choose(): Host | undefined {
    if (this.#schedule !== undefined) return this.#schedule.next();
    const hosts = this.#hosts;
    const count = hosts.length;
    if (count <= 1) return hosts[0];
    const first = Math.floor(this.#random() * count);
    const second = (first + 1 + Math.floor(this.#random() * (count - 1))) % count;
    const a = hosts[first] as Host;
    const b = hosts[second] as Host;
    return b.activeRequests < a.activeRequests ? b : a;
  }
}

function loadCost(host: Host): number {
  return (host.activeRequests + 1) / host.share;
}
