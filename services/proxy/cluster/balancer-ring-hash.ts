import { type Balancer, hashKey, pickAny, type Random } from "./balancer.ts";
import type { Host } from "./host.ts";

/** Envoy's smallest and largest ring. */
const DEFAULT_SIZE = 1024;
const MAX_SIZE = 8 * 1024 * 1024;
/** Host numbers in the low bits of a point while the ring is sorted. */
const HOST_RANGE = 2 ** 20;

/**
 * Consistent hashing on a ring (Ketama): each host stands at many points of a circle, as many as its weight, and a
 * request goes to the next point after its hash. When a host goes, its own requests move and, but for the sizes at
 * which the others get twice as many points, no other. The points are hashes of the hosts' names alone, so that every
 * proxy has the same ring. A host that warms up has its full part: requests that moved twice would be worse.
 */
export class RingHashBalancer implements Balancer {
  readonly #size: number;
  readonly #random: Random;
  #hosts: readonly Host[] = [];
  #points = new Uint32Array(0);
  #owners = new Uint32Array(0);

  /** `size`: points at least; 0 for 1024. */
  constructor(size: number, random: Random = Math.random) {
    this.#size = Math.min(size || DEFAULT_SIZE, MAX_SIZE);
    this.#random = random;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    const total = hosts.reduce((sum, host) => sum + host.weight, 0);
    // A power of two, or one host less would give each of the others a few points more, and move requests among them.
    const perWeight = 2 ** Math.ceil(Math.log2(this.#size / total));
    const counts = hosts.map((host) => Math.ceil(perWeight * host.weight));
    const ring = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    for (const [index, host] of hosts.entries()) {
      const count = counts[index] ?? 0;
      for (let n = 0; n < count; n++) ring[filled++] = hashKey(host.key, n) * HOST_RANGE + index;
    }
    ring.sort();
    this.#points = Uint32Array.from(ring, (entry) => Math.floor(entry / HOST_RANGE));
    this.#owners = Uint32Array.from(ring, (entry) => entry % HOST_RANGE);
  }

  choose(hash: number | undefined): Host | undefined {
    if (hash === undefined) return pickAny(this.#hosts, this.#random);
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] as number) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#hosts[this.#owners[low === points.length ? 0 : low] as number];
  }
}
