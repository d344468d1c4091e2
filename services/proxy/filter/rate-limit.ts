import { type Clock, LruMap } from "../../../shared/base/index.ts";
import type { LocalRateLimit } from "../../../shared/wire/index.ts";
import type { ServiceRoute } from "../route/service-route.ts";
import { type Share, WHOLE } from "../share.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";
import { partOfBucket, TokenBucket } from "./token-bucket.ts";

/** Buckets that are kept, of routes that have been replaced too. */
const MAX_BUCKETS = 10_000;

/**
 * Refuses what a route gets beyond its rate, counted in this proxy alone: a token bucket a route, filled in steps. A
 * bucket outlives the snapshot that its route came with, or every change of configuration would be a free burst.
 */
export class RateLimitFilter implements Filter {
  readonly name = "rate-limit";
  readonly #clock: Clock;
  readonly #share: Share;
  readonly #buckets = new LruMap<string, TokenBucket>(MAX_BUCKETS);
  readonly #byRoute = new WeakMap<ServiceRoute, TokenBucket>();

  /** `share`: of every rate; default: all. */
  constructor(clock: Clock, share: Share = WHOLE) {
    this.#clock = clock;
    this.#share = share;
  }

  onRequest(exchange: Exchange): "continue" | "wait" {
    const { route } = exchange;
    const limit = route?.config.rateLimit;
    if (route === undefined || limit === null || limit === undefined) return "continue";
    const bucket = this.#byRoute.get(route) ?? this.#bucketOf(exchange, route, limit);
    if (bucket.take()) return "continue";
    const seconds = String(Math.ceil(bucket.untilFillMs / 1000));
    exchange.reply(429, "local_rate_limited", "RL", "local_rate_limited", {
      "x-envoy-ratelimited": "true",
      "x-ratelimit-limit": String(limit.maxTokens),
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": seconds,
      "retry-after": seconds,
    });
    return "wait";
  }

  #bucketOf({ service }: Exchange, route: ServiceRoute, limit: LocalRateLimit): TokenBucket {
    const { maxTokens, tokensPerFill, fillIntervalMs } = limit;
    const key = JSON.stringify([service?.host, route.rule, route.place, maxTokens, tokensPerFill, fillIntervalMs]);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      const whole = { maxTokens, tokensPerFill: tokensPerFill || 1, fillIntervalMs: fillIntervalMs || 1_000 };
      bucket = new TokenBucket(partOfBucket(whole, this.#share), this.#clock);
      this.#buckets.set(key, bucket);
    }
    this.#byRoute.set(route, bucket);
    return bucket;
  }
}
