import { type Balancer, hashKey, pickAny, type Random } from "./balancer.ts";
import type { Host } from "./host.ts";

/** Envoy's table, and the largest that it allows. */
const DEFAULT_SIZE = 65_537;
const MAX_SIZE = 5_000_011;
const NOBODY = 0xffffffff;

/**
 * Consistent hashing by Google's Maglev: every host has its own order of preference over the places of a table (a
 * permutation made from its name), and they take turns in claiming the next free place each likes best. The table is
 * even to within a percent, a look-up is one array access, and when a host goes, little but its own requests moves.
 */
export class MaglevBalancer implements Balancer {
  readonly #size: number;
  readonly #random: Random;
  /** In the order of the table's numbers. */
  #hosts: readonly Host[] = [];
  #table = new Uint32Array(0);
  #built = "";

  /** `size`: places; the next prime is taken, 0 for 65537. */
  constructor(size: number, random: Random = Math.random) {
    this.#size = nextPrime(Math.min(size || DEFAULT_SIZE, MAX_SIZE));
    this.#random = random;
  }

  update(hosts: readonly Host[]): void {
    // Every proxy must come to the same table, in whatever order it heard of the hosts.
    this.#hosts = [...hosts].sort((a, b) => (a.key < b.key ? -1 : 1));
    const wanted = JSON.stringify(this.#hosts.map((host) => [host.key, host.weight]));
    if (wanted === this.#built) return;
    this.#built = wanted;
    this.#table = buildTable(this.#hosts, this.#size);
  }

  choose(hash: number | undefined): Host | undefined {
    if (hash === undefined) return pickAny(this.#hosts, this.#random);
    return this.#hosts[this.#table[hash % this.#size] as number];
  }
}

/** Some milliseconds for the usual table, on the way of requests: so it keeps to plain loops over typed arrays. */
function buildTable(hosts: readonly Host[], size: number): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(size).fill(NOBODY);
  const count = hosts.length;
  if (count === 0) return table;
  const largest = Math.max(...hosts.map((host) => host.weight));
  // A host with half the largest weight claims a place every other round.
  const weights = Float64Array.from(hosts, (host) => host.weight / largest);
  const credits = new Float64Array(count);
  const places = Uint32Array.from(hosts, (host) => hashKey(host.key, 1) % size);
  const skips = Uint32Array.from(hosts, (host) => (hashKey(host.key, 2) % (size - 1)) + 1);
  for (let filled = 0; filled < size; ) {
    for (let index = 0; index < count && filled < size; index++) {
      const credit = (credits[index] as number) + (weights[index] as number);
      credits[index] = credit < 1 ? credit : credit - 1;
      if (credit < 1) continue;
      const skip = skips[index] as number;
      let place = places[index] as number;
      while (table[place] !== NOBODY) {
        place += skip;
        if (place >= size) place -= size;
      }
      table[place] = index;
      places[index] = place;
      filled++;
    }
  }
  return table;
}

function nextPrime(from: number): number {
  let candidate = Math.max(2, from);
  while (!isPrime(candidate)) candidate++;
  return candidate;
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}
