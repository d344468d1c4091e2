import { InternalError } from "../base/index.ts";
import type { Subjects } from "../wire/index.ts";
import { encodeToken } from "../wire/index.ts";
import type { QuotaScriptName } from "./quota-scripts.ts";
import type { RedisConnection } from "./redis.ts";

export interface FixedWindowRequest {
  /** Which counter: equal names share one. */
  readonly cell: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly amount: number;
  /** Grant what is left rather than nothing. */
  readonly bestEffort: boolean;
  /** Equal (caller, id) are charged once within `DEDUPLICATION_MS`; no id: always charged. */
  readonly deduplication?: { readonly caller: string; readonly id: string };
}

export interface RollingWindowRequest extends FixedWindowRequest {
  readonly bucketMs: number;
}

export interface Taken {
  readonly granted: number;
  /** How long the grant may be used. */
  readonly validMs: number;
  /** The answer of an earlier call with the same id. */
  readonly repeat: boolean;
}

/** Longer than any caller goes on repeating a request. */
const DEDUPLICATION_MS = 10_000;
/** A rolling window reads all its buckets at each call. */
const MAX_BUCKETS = 1000;

/** Counters in Redis. Every call answers or throws UnavailableError within the connection's budget. */
export class QuotaStore {
  readonly #redis: RedisConnection;
  readonly #subjects: Subjects;

  constructor(redis: RedisConnection, subjects: Subjects) {
    this.#redis = redis;
    this.#subjects = subjects;
  }

  takeFixedWindow(request: FixedWindowRequest): Promise<Taken> {
    return this.#take("takeFixedWindow", request, []);
  }

  takeRollingWindow(request: RollingWindowRequest): Promise<Taken> {
    const bucketMs = Math.max(1, Math.round(Math.max(request.bucketMs, request.windowMs / MAX_BUCKETS)));
    return this.#take("takeRollingWindow", request, [bucketMs]);
  }

  async #take(script: QuotaScriptName, request: FixedWindowRequest, more: readonly number[]): Promise<Taken> {
    const tag = `{${encodeToken(request.cell)}}`;
    const { deduplication } = request;
    const record =
      deduplication === undefined ? "" : `${encodeToken(deduplication.caller)}:${encodeToken(deduplication.id)}`;
    const answer = await this.#redis.run(script, [
      this.#subjects.redisKey("quota", tag, "cell"),
      this.#subjects.redisKey("quota", tag, "seen", record),
      Math.floor(request.limit),
      Math.max(1, Math.round(request.windowMs)),
      request.amount,
      request.bestEffort ? 1 : 0,
      deduplication === undefined ? 0 : DEDUPLICATION_MS,
      ...more,
    ]);
    if (!Array.isArray(answer)) throw new InternalError(`${script} answered ${typeof answer}`);
    const [granted, validMs, repeat] = answer.map(Number);
    return { granted: granted ?? 0, validMs: validMs ?? 0, repeat: repeat === 1 };
  }
}
