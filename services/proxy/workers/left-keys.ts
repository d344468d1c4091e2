import type { Clock } from "../../../shared/base/index.ts";
import type { Follow } from "../../../shared/bus/index.ts";
import { IDLE_MS } from "../mesh/directory.ts";

const SWEEP_MS = 10_000;

/**
 * What workers followed that are gone, followed on for as long as a service that nobody calls: their replacements will
 * ask for it, and when the bus is away it could not be had again. Until then nobody lives by it, and nobody waits for it.
 */
export class LeftKeys {
  readonly #clock: Clock;
  readonly #stop: () => void;
  readonly #keptSinceMs = new Map<Follow, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stop = clock.every(SWEEP_MS, () => this.#sweep(clock.monotonic() - IDLE_MS));
  }

  keep(keys: readonly Follow[]): void {
    for (const key of keys) {
      key.release();
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
      if (!key.used) key.destroy();
    }
  }
}
