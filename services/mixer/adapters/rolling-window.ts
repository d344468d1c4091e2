const TICK_MS = 100;
/** A longer window has longer ticks: there is one window per combination of dimensions, and requests choose those. */
const MAX_SLOTS = 600;

/**
 * Counts what was granted within the last `validMs`, in ticks of 100 ms (of a 600th of the window when it is longer
 * than a minute). What a tick granted is given back when the tick leaves the window. Taking and giving back are O(ticks
 * passed), memory is fixed.
 */
export class RollingWindow {
  readonly #slots: number[];
  readonly #tickMs: number;
  readonly #limit: number;
  #available: number;
  #tick: number | undefined;

  constructor(limit: number, validMs: number) {
    const seconds = Math.max(1, Math.ceil(validMs / 1000));
    this.#tickMs = Math.max(TICK_MS, Math.ceil((seconds * 1000) / MAX_SLOTS));
    this.#slots = new Array<number>(Math.ceil((seconds * 1000) / this.#tickMs)).fill(0);
    this.#limit = limit;
    this.#available = limit;
  }

  /** What could be taken at `nowMs`. */
  available(nowMs: number): number {
    this.#advance(nowMs);
    return this.#available;
  }

  /** Takes all of `amount`, or with `bestEffort` what there is; returns what it took. */
  take(nowMs: number, amount: number, bestEffort: boolean): number {
    this.#advance(nowMs);
    if (amount > this.#available && !bestEffort) return 0;
    const granted = Math.min(amount, this.#available);
    const slot = (this.#tick ?? 0) % this.#slots.length;
    this.#slots[slot] = (this.#slots[slot] ?? 0) + granted;
    this.#available -= granted;
    return granted;
  }

  /** Gives back up to `amount`, the youngest first; returns how much. */
  release(nowMs: number, amount: number): number {
    this.#advance(nowMs);
    let left = amount;
    for (let i = 0; i < this.#slots.length && left > 0; i++) {
      const slot = ((this.#tick ?? 0) - i + this.#slots.length * 2) % this.#slots.length;
      const freed = Math.min(left, this.#slots[slot] ?? 0);
      this.#slots[slot] = (this.#slots[slot] ?? 0) - freed;
      left -= freed;
    }
    this.#available += amount - left;
    return amount - left;
  }

  #advance(nowMs: number): void {
    const tick = Math.floor(nowMs / this.#tickMs);
    if (this.#tick === undefined) this.#tick = tick;
    const passed = Math.min(tick - this.#tick, this.#slots.length);
    for (let i = 1; i <= passed; i++) {
      const slot = (this.#tick + i) % this.#slots.length;
      this.#available += this.#slots[slot] ?? 0;
      this.#slots[slot] = 0;
    }
    if (passed === this.#slots.length) {
      this.#available = this.#limit;
      this.#slots.fill(0);
    }
    if (tick > this.#tick) this.#tick = tick;
  }
}
