import type { Random } from "./balancer.ts";
import type { Host } from "./host.ts";

/**
 * Earliest deadline first: whoever is due longest has its turn, and is due again after its cost. With a cost of one
 * over the share every host gets its share exactly, its turns as far apart as they can be, at the price of one sift
 * through a heap. Deadlines start at random places, so that a fleet of proxies does not go round in step.
 */
export class EdfSchedule {
  readonly #hosts: Host[];
  readonly #deadlines: Float64Array;
  readonly #cost: (host: Host) => number;

  constructor(hosts: readonly Host[], cost: (host: Host) => number, random: Random) {
    const entries = hosts
      .map((host) => ({ host, deadline: random() * cost(host) }))
      .sort((a, b) => a.deadline - b.deadline);
    this.#hosts = entries.map(({ host }) => host);
    this.#deadlines = Float64Array.from(entries, ({ deadline }) => deadline);
    this.#cost = cost;
  }

  next(): Host | undefined {
    const host = this.#hosts[0];
    if (host === undefined) return undefined;
    this.#sift((this.#deadlines[0] ?? 0) + this.#cost(host));
    return host;
  }

  /** The first of the heap gets another deadline, and with it its place. */
  #sift(deadline: number): void {
    const hosts = this.#hosts;
    const deadlines = this.#deadlines;
    const host = hosts[0] as Host;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= hosts.length) break;
      if (child + 1 < hosts.length && (deadlines[child + 1] as number) < (deadlines[child] as number)) child++;
      if ((deadlines[child] as number) >= deadline) break;
      hosts[at] = hosts[child] as Host;
      deadlines[at] = deadlines[child] as number;
      at = child;
    }
    hosts[at] = host;
    deadlines[at] = deadline;
  }
}
