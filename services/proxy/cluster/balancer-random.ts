import { type Balancer, isWeighted, pickAny, type Random } from "./balancer.ts";
import type { Host } from "./host.ts";

/** Any host, as likely as its share. */
export class RandomBalancer implements Balancer {
  readonly #random: Random;
  #hosts: readonly Host[] = [];
  /** Running sums of the shares; undefined while they are equal. */
  #sums: Float64Array | undefined;

  constructor(random: Random = Math.random) {
    this.#random = random;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    let sum = 0;
    this.#sums = isWeighted(hosts) ? Float64Array.from(hosts, (host) => (sum += host.share)) : undefined;
  }

  choose(): Host | undefined {
    const sums = this.#sums;
    if (sums === undefined) return pickAny(this.#hosts, this.#random);
    const drawn = this.#random() * (sums[sums.length - 1] as number);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) > drawn) high = middle;
      else low = middle + 1;
    }
    return this.#hosts[low];
  }
}
