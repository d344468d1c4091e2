import type { Clock } from "../../../shared/base/index.ts";
import type { FollowedKey } from "../../../shared/bus/index.ts";

/** As long as a service that nobody calls is followed. */
const KEEP_MS = 600_000;
const SWEEP_MS = 10_000;

/**
 * What workers followed that are gone, followed on for a while: their replacements will ask for it, and when the bus is
 * away it could not be had again.
 */
export class LeftKeys {
  readonly #clock: Clock;
  readonly #stop: () => void;
  readonly #keptSinceMs = new Map<FollowedKey, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stop = clock.every(SWEEP_MS, () => this.#sweep(clock.monotonic() - KEEP_MS));
  }

  keep(keys: readonly FollowedKey[]): void {
    for (const key of keys) {
      if (this.#keptSinceMs.has(key)) key.close();
      this.#keptSinceMs.set(key, this.#clock.monotonic());
    }
  }

  close(): void {
    this.#stop();
    this.#sweep(Number.POSITIVE_INFINITY);
  }

  #sweep(beforeMs: number): void {
    for (const [key, sinceMs] of this.#keptSinceMs) {
      if (sinceMs > beforeMs) continue;
      this.#keptSinceMs.delete(key);
      key.close();
    }
  }
}
