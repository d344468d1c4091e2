import type { Clock } from "../base/index.ts";

export interface CircuitBreakerOptions {
  /** Failures in a row that open it. Default 3. */
  readonly failures?: number;
  /** How long it stays open before one probe may pass, in milliseconds. Default 250. */
  readonly openMs?: number;
}

/**
 * Keeps callers from waiting out the same time-out again and again. Closed: everything passes. After some failures in
 * a row it opens and nothing passes; after a pause one caller may probe, and its outcome closes or re-opens it.
 * There is no error *rate*: a store that answers now and then is worth asking, one that times out in a row is not.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #failures: number;
  readonly #openMs: number;
  #inRow = 0;
  #openUntilMs = 0;
  #probing = false;

  constructor(clock: Clock, options: CircuitBreakerOptions = {}) {
    this.#clock = clock;
    this.#failures = options.failures ?? 3;
    this.#openMs = options.openMs ?? 250;
  }

  get open(): boolean {
    return this.#inRow >= this.#failures;
  }

  /** Whether a call may be made now; a `true` while open is the probe, and must be followed by its outcome. */
  admit(): boolean {
    if (!this.open) return true;
    if (this.#probing || this.#clock.monotonic() < this.#openUntilMs) return false;
    this.#probing = true;
    return true;
  }

  succeeded(): void {
    this.#inRow = 0;
    this.#probing = false;
  }

  failed(): void {
    this.#inRow++;
    this.#probing = false;
    if (this.open) this.#openUntilMs = this.#clock.monotonic() + this.#openMs;
  }
}
