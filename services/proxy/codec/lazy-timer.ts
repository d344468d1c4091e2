import type { Clock } from "../../../shared/base/index.ts";

/**
 * One timer for a due time that is nearly always put off before it comes. Nothing is set again at each sign of life:
 * the timer asks when it fires, and goes on for the rest. So a connection's time limits cost its requests nothing.
 */
export class LazyTimer {
  readonly #clock: Clock;
  readonly #due: () => number;
  readonly #expired: () => void;
  #armedMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  /** `due`: on the clock that never goes back; Infinity for never. */
  constructor(clock: Clock, due: () => number, expired: () => void) {
    this.#clock = clock;
    this.#due = due;
    this.#expired = expired;
  }

  /** To be called when the due time may have come nearer. */
  check(): void {
    const dueMs = this.#due();
    if (dueMs < this.#armedMs) this.#arm(dueMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedMs = Number.POSITIVE_INFINITY;
  }

  #arm(dueMs: number): void {
    this.#cancel?.();
    this.#armedMs = dueMs;
    const delayMs = Math.max(0, Math.ceil(dueMs - this.#clock.monotonic()));
    this.#cancel = this.#clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.stop();
    if (this.#due() <= this.#clock.monotonic()) this.#expired();
    this.check();
  }
}
