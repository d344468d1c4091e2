export interface BackoffOptions {
  /** The first ceiling, in milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Fully jittered exponential back-off: attempt n waits a random time below min(max, base * 2^n). */
export class Backoff {
  #attempt = 0;
  readonly #options: BackoffOptions;
  readonly #random: () => number;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  nextMs(): number {
    const ceiling = Math.min(this.#options.maxMs, this.#options.baseMs * 2 ** this.#attempt);
    this.#attempt++;
    return ceiling * this.#random();
  }

  reset(): void {
    this.#attempt = 0;
  }
}
