interface Item<T> {
  readonly value: T;
  readonly weight: number;
  current: number;
}

/**
 * Chooses by weight in a smooth sequence: of 100 choices a 50/50 split gives each exactly 50, interleaved, where a
 * coin would stray by several. Each proxy starts at a random place, so that a fleet does not choose in step.
 */
export class WeightedChoice<T> {
  readonly #items: Item<T>[];
  readonly #total: number;

  constructor(items: readonly { readonly value: T; readonly weight: number }[], random: () => number = Math.random) {
    const weighted = items.filter((item) => item.weight > 0);
    this.#items = (weighted.length > 0 ? weighted : items.slice(0, 1).map((item) => ({ ...item, weight: 1 }))).map(
      (item) => ({
        value: item.value,
        weight: item.weight,
        current: 0,
      }),
    );
    this.#total = this.#items.reduce((sum, item) => sum + item.weight, 0);
    if (this.#items.length > 1) for (let skip = Math.floor(random() * this.#total); skip > 0; skip--) this.next();
  }

  /** Undefined only when there is nothing to choose from. */
  next(): T | undefined {
    const items = this.#items;
    if (items.length === 1) return items[0]?.value;
    let best: Item<T> | undefined;
    for (const item of items) {
      item.current += item.weight;
      if (best === undefined || item.current > best.current) best = item;
    }
    if (best !== undefined) best.current -= this.#total;
    return best?.value;
  }

  /** The same for the same `fraction` (0 to 1): for those who must be kept together. */
  at(fraction: number): T | undefined {
    let left = fraction * this.#total;
    for (const { value, weight } of this.#items) {
      left -= weight;
      if (left < 0) return value;
    }
    return this.#items.at(-1)?.value;
  }

  get values(): readonly { readonly value: T; readonly weight: number }[] {
    return this.#items;
  }
}
