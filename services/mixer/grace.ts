import type { Clock } from "../../shared/base/index.ts";

/** Longer than any check or batch that began before. */
const GRACE_MS = 2_000;

/** Runs what was put off until nothing can need it any more; at the end at once. */
export class Grace {
  readonly #clock: Clock;
  readonly #pending = new Map<() => void, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  after(action: () => void): void {
    const cancel = this.#clock.after(GRACE_MS, () => {
      this.#pending.delete(action);
      action();
    });
    this.#pending.set(action, cancel);
  }

  close(): void {
    for (const [action, cancel] of this.#pending) {
      cancel();
      action();
    }
    this.#pending.clear();
  }
}
