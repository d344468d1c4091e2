export interface EventuallyOptions {
  /** Default 5000. */
  readonly withinMs?: number;
  /** Default 20. */
  readonly everyMs?: number;
}

/** Calls `probe` until it neither throws nor returns false, and returns its answer; throws its last failure. */
export async function eventually<T>(probe: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { withinMs = 5_000, everyMs = 20 } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== false) return answer;
      if (performance.now() > deadline) throw new Error(`still false after ${withinMs} ms: ${probe.toString()}`);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Checks that `probe` stays true (and does not throw) for `forMs`. */
export async function consistently(probe: () => boolean, forMs: number): Promise<void> {
  const deadline = performance.now() + forMs;
  while (performance.now() < deadline) {
    if (!probe()) throw new Error(`became false: ${probe.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a figure has kept its value for `forMs`. */
export async function standstill(figure: () => number, forMs = 150): Promise<void> {
  let before = Number.NaN;
  let since = performance.now();
  while (performance.now() - since < forMs) {
    const now = figure();
    if (now !== before) since = performance.now();
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
