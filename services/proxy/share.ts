/** One of several equal parts of what a proxy may do in all: each of its worker processes keeps to its own. */
export class Share {
  /** Of the parts: how many there are. */
  readonly count: number;
  readonly #index: number;

  /** `index`: from 0. */
  constructor(index: number, count: number) {
    this.#index = index;
    this.count = count;
  }

  /** The parts add up to the total, unless that is less than one for each: of something, nobody is left with nothing. */
  part(total: number): number {
    if (total === 0 || total === Number.POSITIVE_INFINITY) return total;
    const rest = total % this.count;
    return Math.max(1, (total - rest) / this.count + (this.#index < rest ? 1 : 0));
  }
}

/** Of a proxy that is one process. */
export const WHOLE = new Share(0, 1);
