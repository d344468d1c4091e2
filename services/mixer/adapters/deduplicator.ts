import type { QuotaAsk, QuotaOutcome } from "./adapter.ts";

interface Remembered {
  readonly granted: number;
  readonly untilMs: number;
}

/** Ids remembered per generation; beyond it the oldest generation goes early. */
const MAX_IDS = 100_000;

/**
 * Remembers the grant of each (caller, instance, id) for at least `minMs`, in two generations: the older one is
 * dropped whole when the younger is `minMs` old.
 */
export class Deduplicator {
  readonly #minMs: number;
  #young = new Map<string, Remembered>();
  #old = new Map<string, Remembered>();
  #rotatedMs = Number.NEGATIVE_INFINITY;

  constructor(minMs: number) {
    this.#minMs = minMs;
  }

  /** The earlier answer, with what is left of its validity; else what `decide` grants. */
  once(nowMs: number, ask: QuotaAsk, decide: () => QuotaOutcome): QuotaOutcome {
    const { deduplication } = ask;
    if (deduplication === undefined) return decide();
    if (nowMs - this.#rotatedMs >= this.#minMs || this.#young.size >= MAX_IDS) {
      this.#old = nowMs - this.#rotatedMs >= 2 * this.#minMs ? new Map() : this.#young;
      this.#young = new Map();
      this.#rotatedMs = nowMs;
    }
    const key = `${deduplication.caller} ${ask.instance} ${deduplication.id}`;
    const seen = this.#young.get(key) ?? this.#old.get(key);
    if (seen !== undefined) return { granted: seen.granted, validMs: Math.max(0, seen.untilMs - nowMs) };
    const outcome = decide();
    this.#young.set(key, { granted: outcome.granted, untilMs: nowMs + outcome.validMs });
    return outcome;
  }
}
