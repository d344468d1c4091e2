import { type Clock, InvalidArgumentError, LruMap } from "../../../shared/base/index.ts";
import type { MemQuotaLimitParams, MemQuotaParams } from "../../../shared/policy/index.ts";
import type { Handler, QuotaAsk, QuotaOutcome } from "./adapter.ts";
import { Deduplicator } from "./deduplicator.ts";
import { dimensionKey, overrideMatches } from "./quota-limits.ts";
import { RollingWindow } from "./rolling-window.ts";

/** Counters kept; beyond it the least recently asked is forgotten, that is, full again. */
const MAX_COUNTERS = 20_000;

/**
 * Counters in this replica's memory, one per instance and combination of all its dimensions. With several Mixers each
 * grants the whole limit: `redisquota` is the shared one.
 */
export class MemQuotaHandler implements Handler {
  readonly name: string;
  readonly #clock: Clock;
  readonly #limits: ReadonlyMap<string, MemQuotaLimitParams>;
  readonly #seen: Deduplicator;
  readonly #windows = new LruMap<string, RollingWindow>(MAX_COUNTERS);
  readonly #cells = new LruMap<string, { used: number }>(MAX_COUNTERS);

  constructor(name: string, params: MemQuotaParams, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.#limits = new Map(params.quotas.map((limit) => [limit.name, limit]));
    this.#seen = new Deduplicator(params.minDeduplicationDurationMs);
  }

  covers(instance: string): boolean {
    return this.#limits.has(instance);
  }

  quota(ask: QuotaAsk): QuotaOutcome {
    if (ask.amount === 0) return { granted: 0, validMs: 0 };
    const nowMs = this.#clock.monotonic();
    return this.#seen.once(nowMs, ask, () => this.#take(nowMs, ask));
  }

  close(): void {
    this.#windows.clear();
    this.#cells.clear();
  }

  #take(nowMs: number, ask: QuotaAsk): QuotaOutcome {
    const base = this.#limits.get(ask.instance);
    if (base === undefined) throw new InvalidArgumentError(`did not find limit defined for quota ${ask.instance}`);
    const override = base.overrides.find((candidate) => overrideMatches(candidate, ask.dimensions));
    const limit = override?.maxAmount ?? base.maxAmount;
    const validMs = override === undefined ? base.validDurationMs : (override.validDurationMs ?? base.validDurationMs);
    const key = dimensionKey(ask.instance, ask.dimensions);
    if (validMs === 0) return { granted: this.#takeCell(key, limit, ask), validMs: 0 };
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = new RollingWindow(limit, validMs);
      this.#windows.set(key, window);
    }
    if (ask.amount < 0) return { granted: -window.release(nowMs, -ask.amount), validMs: 0 };
    const granted = window.take(nowMs, ask.amount, ask.bestEffort);
    return { granted, validMs: granted > 0 || ask.bestEffort ? validMs : 0 };
  }

  #takeCell(key: string, limit: number, { amount, bestEffort }: QuotaAsk): number {
    const cell = this.#cells.get(key) ?? { used: 0 };
    this.#cells.set(key, cell);
    const free = limit - cell.used;
    const granted =
      amount < 0 ? -Math.min(-amount, cell.used) : amount <= free ? amount : bestEffort ? Math.max(0, free) : 0;
    cell.used += granted;
    return granted;
  }
}
