import type { Clock } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { QuotaStore, RedisConnection } from "../../shared/store/index.ts";
import type { Subjects } from "../../shared/wire/index.ts";

export interface RedisPoolOptions {
  /** The Redis of handlers that name none. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Lent {
  readonly redis: RedisConnection;
  readonly store: QuotaStore;
  users: number;
}

/** One connection per Redis, however many handlers use it; closed with the last of them. The default one is kept. */
export class RedisPool {
  readonly #options: RedisPoolOptions;
  readonly #lent = new Map<string, Lent>();

  constructor(options: RedisPoolOptions) {
    this.#options = options;
    this.open(undefined);
  }

  /** `host:port`, a Redis URL, or undefined for the default. */
  open(serverUrl: string | undefined): { readonly store: QuotaStore; release(): void } {
    const url =
      serverUrl === undefined ? this.#options.url : serverUrl.includes("://") ? serverUrl : `redis://${serverUrl}`;
    let lent = this.#lent.get(url);
    if (lent === undefined) {
      const { timeoutMs, subjects, clock, log } = this.#options;
      const redis = new RedisConnection({ url, timeoutMs, clock, log });
      void redis.start();
      lent = { redis, store: new QuotaStore(redis, subjects), users: 0 };
      this.#lent.set(url, lent);
    }
    const own = lent;
    own.users++;
    let released = false;
    return {
      store: own.store,
      release: () => {
        if (released) return;
        released = true;
        if (--own.users > 0) return;
        this.#lent.delete(url);
        own.redis.close();
      },
    };
  }

  /** Of each Redis in use: where, and whether a call made now would be sent. */
  get states(): readonly { readonly url: string; readonly available: boolean }[] {
    return [...this.#lent].map(([url, { redis }]) => ({ url, available: redis.available }));
  }

  close(): void {
    for (const { redis } of this.#lent.values()) redis.close();
    this.#lent.clear();
  }
}
