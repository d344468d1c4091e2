import { Redis } from "ioredis";
import { type Clock, errorMessage, UnavailableError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import { CircuitBreaker, type CircuitBreakerOptions } from "./circuit-breaker.ts";
import { QUOTA_SCRIPTS, type QuotaScriptName } from "./quota-scripts.ts";

/**
 * One connection to Redis whose every call ends within a budget.
 *
 * A decision that comes late is no decision, so nothing waits for a connection and nothing is replayed after an
 * outage: while Redis is away calls fail at once, while it hangs they fail after `timeoutMs`, and after three such
 * failures in a row the breaker fails them at once too. The client's own command time-out is not used: it
 * would also cut the handshake short on a busy machine. Only the very first connection is waited for, within the budget
 * of the call: a handler that was just configured should not begin with its fallback. A probe that times out drops the connection, which frees what
 * the hung one still holds. Loss and recovery are logged once each.
 */
export interface RedisConnectionOptions {
  /** `redis://[user:password@]host:port[/db]`. */
  readonly url: string;
  /** Budget of one call. Default 40. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly breaker?: CircuitBreakerOptions;
}

const DEFAULT_TIMEOUT_MS = 40;
const MAX_RECONNECT_MS = 1000;
/** Calls in flight beyond which a new one fails at once. */
const MAX_IN_FLIGHT = 10_000;

type Script = (...args: (string | number)[]) => Promise<unknown>;

export class RedisConnection {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #breaker: CircuitBreaker;
  readonly #timeoutMs: number;
  /** The first attempt to connect, while it lasts. */
  #connecting: Promise<boolean> | undefined;
  #inFlight = 0;
  #failures = 0;
  #lost = false;

  constructor(options: RedisConnectionOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#breaker = new CircuitBreaker(options.clock, options.breaker);
    this.#redis = new Redis(options.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      protocol: 2,
      retryStrategy: (times) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(times, 5)) * (0.5 + Math.random() / 2),
      scripts: QUOTA_SCRIPTS,
    });
    this.#redis.on("error", (error: Error) => this.#onLoss(errorMessage(error)));
    this.#redis.on("close", () => this.#onLoss("connection closed"));
    this.#redis.on("ready", () => this.#onRecovery());
  }

  /** Starts connecting; never fails: it goes on trying. Resolves with the first attempt's outcome. */
  start(): Promise<boolean> {
    this.#connecting = this.#redis
      .connect()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  /** Whether a call made now would be sent. */
  get available(): boolean {
    return this.#redis.status === "ready" && !this.#breaker.open;
  }

  /** Calls that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** Runs one of the scripts. Throws UnavailableError when there is no answer within the budget. */
  async run(script: QuotaScriptName, args: readonly (string | number)[]): Promise<unknown> {
    if (this.#connecting !== undefined) await this.#withinBudget(this.#connecting).catch(() => undefined);
    if (this.#redis.status !== "ready") throw this.#failed(`not connected (${this.#redis.status})`);
    if (this.#inFlight >= MAX_IN_FLIGHT) throw this.#failed("too many calls in flight");
    const wasOpen = this.#breaker.open;
    if (!this.#breaker.admit()) throw this.#failed("not asked: it did not answer lately");
    this.#inFlight++;
    try {
      const answer = await this.#withinBudget(
        (Reflect.get(this.#redis, script) as Script).apply(this.#redis, [...args]),
      );
      this.#breaker.succeeded();
      if (wasOpen) this.#onRecovery();
      return answer;
    } catch (error) {
      this.#breaker.failed();
      if (this.#breaker.open) this.#onLoss(errorMessage(error));
      if (wasOpen && this.#redis.status === "ready") this.#redis.disconnect(true);
      throw this.#failed(errorMessage(error), error);
    } finally {
      this.#inFlight--;
    }
  }

  close(): void {
    this.#lost = true;
    this.#redis.disconnect();
  }

  async #withinBudget<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      // After a stall of our own the answer may be waiting in the socket: it is read before the verdict.
      const cancel = this.#clock.after(this.#timeoutMs, () =>
        setImmediate(() => reject(new UnavailableError(`no answer within ${this.#timeoutMs} ms`))),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }

  #failed(reason: string, cause?: unknown): UnavailableError {
    this.#failures++;
    return new UnavailableError(`redis: ${reason}`, { cause });
  }

  #onLoss(reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#log.warn({ reason }, "redis lost: quotas follow their declared mode");
  }

  #onRecovery(): void {
    if (this.#redis.status !== "ready") return;
    if (this.#lost) this.#log.info("redis is back");
    this.#lost = false;
  }
}
