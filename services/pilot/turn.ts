/** Milliseconds that one piece of work may keep everything else waiting. */
const MAX_MS = 25;

/**
 * Long work in small pieces. While this process computes it hears no heartbeat and renews no lease: a leader that
 * compiles the whole mesh in one go would lose the lead over it, and so would the next one.
 */
export class Turn {
  #endsMs = performance.now() + MAX_MS;

  /** Between two pieces: lets everything else have its turn when this one has been long. */
  async pause(): Promise<void> {
    if (performance.now() < this.#endsMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#endsMs = performance.now() + MAX_MS;
  }
}
