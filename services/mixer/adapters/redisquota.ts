import { type Clock, fnv1a32, InvalidArgumentError, LruMap } from "../../../shared/base/index.ts";
import type { RedisQuotaLimitParams, RedisQuotaParams } from "../../../shared/policy/index.ts";
import type { QuotaStore, Taken } from "../../../shared/store/index.ts";
import type { TypedValue } from "../values.ts";
import type { Handler, QuotaAsk, QuotaOutcome } from "./adapter.ts";
import { Deduplicator } from "./deduplicator.ts";
import { overrideMatches } from "./quota-limits.ts";
import { RollingWindow } from "./rolling-window.ts";

/** What a quota answers when Redis does not: grant, refuse, or count this replica's share in memory. */
export type OnError = RedisQuotaParams["onError"];

export interface RedisQuotaDeps {
  readonly store: Pick<QuotaStore, "takeFixedWindow" | "takeRollingWindow">;
  readonly clock: Clock;
  /** How many Mixers share the limits: each grants that part of one while Redis is away and the mode is `local`. */
  readonly replicas: number;
  onFallback(handler: string, mode: OnError): void;
  /** Gives the connection back. */
  release(): void;
}

/** How long a grant made without Redis may be used. */
const OPEN_VALID_MS = 1000;
const MAX_LOCAL_COUNTERS = 10_000;

interface Cell {
  readonly key: string;
  readonly limit: number;
}

/**
 * Counters in Redis, shared by all Mixers. A counter belongs to the instance and the overrides that match; other
 * dimensions do not split it. What happens without Redis is the handler's declared mode, decided within the
 * connection's budget.
 */
export class RedisQuotaHandler implements Handler {
  readonly name: string;
  readonly #limits: ReadonlyMap<string, RedisQuotaLimitParams>;
  readonly #onError: OnError;
  readonly #deps: RedisQuotaDeps;
  readonly #local = new LruMap<string, RollingWindow>(MAX_LOCAL_COUNTERS);
  readonly #localSeen = new Deduplicator(10_000);

  constructor(name: string, params: RedisQuotaParams, deps: RedisQuotaDeps) {
    this.name = name;
    this.#limits = new Map(params.quotas.map((limit) => [limit.name, limit]));
    this.#onError = params.onError;
    this.#deps = deps;
  }

  covers(instance: string): boolean {
    return this.#limits.has(instance);
  }

  async quota(ask: QuotaAsk): Promise<QuotaOutcome> {
    if (ask.amount <= 0) return { granted: 0, validMs: 0 };
    const limit = this.#limits.get(ask.instance);
    if (limit === undefined) throw new InvalidArgumentError(`did not find limit defined for quota ${ask.instance}`);
    const cell = this.#cell(limit, ask.dimensions);
    try {
      const { granted, validMs } = await this.#take(limit, cell, ask);
      return { granted, validMs };
    } catch {
      this.#deps.onFallback(this.name, this.#onError);
      return this.#withoutRedis(limit, cell, ask);
    }
  }

  close(): void {
    this.#local.clear();
    this.#deps.release();
  }

  #take(limit: RedisQuotaLimitParams, cell: Cell, ask: QuotaAsk): Promise<Taken> {
    const request = {
      cell: cell.key,
      limit: cell.limit,
      windowMs: limit.validDurationMs,
      amount: ask.amount,
      bestEffort: ask.bestEffort,
      ...(ask.deduplication && { deduplication: ask.deduplication }),
    };
    if (limit.rateLimitAlgorithm === "FIXED_WINDOW") return this.#deps.store.takeFixedWindow(request);
    return this.#deps.store.takeRollingWindow({ ...request, bucketMs: limit.bucketDurationMs });
  }

  #withoutRedis(limit: RedisQuotaLimitParams, cell: Cell, ask: QuotaAsk): QuotaOutcome {
    if (this.#onError === "open")
      return { granted: ask.amount, validMs: Math.min(OPEN_VALID_MS, limit.validDurationMs) };
    if (this.#onError === "closed") return { granted: 0, validMs: 0 };
    const nowMs = this.#deps.clock.monotonic();
    return this.#localSeen.once(nowMs, ask, () => {
      let window = this.#local.get(cell.key);
      if (window === undefined) {
        window = new RollingWindow(Math.floor(cell.limit / this.#deps.replicas), limit.validDurationMs);
        this.#local.set(cell.key, window);
      }
      const granted = window.take(nowMs, ask.amount, ask.bestEffort);
      return { granted, validMs: granted > 0 ? Math.min(OPEN_VALID_MS, limit.validDurationMs) : 0 };
    });
  }

  #cell(limit: RedisQuotaLimitParams, dimensions: ReadonlyMap<string, TypedValue>): Cell {
    let key = `${this.name}/${limit.name}`;
    let amount = limit.maxAmount;
    for (const override of limit.overrides) {
      if (Object.keys(override.dimensions).some((name) => !dimensions.has(name))) continue;
      if (!overrideMatches(override, dimensions)) continue;
      const sorted = Object.entries(override.dimensions).sort(([a], [b]) => (a < b ? -1 : 1));
      key += `-${fnv1a32(sorted.map(([name, value]) => `${name}\t${value}\n`).join("")).toString(16)}`;
      amount = override.maxAmount;
    }
    return { key, limit: amount };
  }
}
