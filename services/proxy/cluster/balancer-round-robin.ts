import { type Balancer, isWeighted, type Random } from "./balancer.ts";
import { EdfSchedule } from "./edf-schedule.ts";
import type { Host } from "./host.ts";

/** Takes turns, starting at a random host; hosts with unequal shares by a schedule that spreads their turns evenly. */
export class RoundRobinBalancer implements Balancer {
  readonly #random: Random;
  #hosts: readonly Host[] = [];
  #schedule: EdfSchedule | undefined;
  #next: number;

  constructor(random: Random = Math.random) {
    this.#random = random;
    this.#next = Math.floor(random() * 0x10000);
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    this.#schedule = isWeighted(hosts) ? new EdfSchedule(hosts, turnCost, this.#random) : undefined;
  }

  choose(): Host | undefined {
    if (this.#schedule !== undefined) return this.#schedule.next();
    this.#next = (this.#next + 1) >>> 0;
    return this.#hosts[this.#next % this.#hosts.length];
  }
}

function turnCost(host: Host): number {
  return 1 / host.share;
}
