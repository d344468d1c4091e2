/** How long a sample counts: after this time it has faded to a third. */
const DECAY_MS = 10_000;

/**
 * A host's latency as a moving average that believes bad news at once and good news slowly (peak EWMA, from Finagle):
 * a host that becomes slow loses its traffic with the first slow answer. What is not heard of fades, so that a host
 * that was avoided is tried again.
 */
export class LatencyAverage {
  #averageMs = 0;
  #stampMs = 0;

  observe(latencyMs: number, nowMs: number): void {
    const faded = this.read(nowMs);
    const kept = Math.exp((this.#stampMs - nowMs) / DECAY_MS);
    this.#averageMs = latencyMs >= faded ? latencyMs : this.#averageMs * kept + latencyMs * (1 - kept);
    this.#stampMs = nowMs;
  }

  read(nowMs: number): number {
    if (this.#averageMs === 0) return 0;
    return this.#averageMs * Math.exp((this.#stampMs - nowMs) / DECAY_MS);
  }
}
