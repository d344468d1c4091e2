import type { Clock } from "../../../shared/base/index.ts";
import type { Share } from "../share.ts";

export interface TokenBucketOptions {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

/** A worker's part. Tokens are whole: where a fill has fewer of them than there are parts, each gets one less often. */
export function partOfBucket({ maxTokens, tokensPerFill, fillIntervalMs }: TokenBucketOptions, share: Share) {
  const seldom = Math.max(1, share.count / tokensPerFill);
  return {
    maxTokens: share.part(maxTokens),
    tokensPerFill: share.part(tokensPerFill),
    fillIntervalMs: fillIntervalMs * seldom,
  };
}

/** Starts full; gets some tokens at every interval, in steps and never more than it holds. No timer: it looks back. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  readonly #clock: Clock;
  #tokens: number;
  #filledMs: number;

  constructor(options: TokenBucketOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#tokens = options.maxTokens;
    this.#filledMs = clock.monotonic();
  }

  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  get untilFillMs(): number {
    return this.#filledMs + this.#options.fillIntervalMs - this.#clock.monotonic();
  }

  #fill(): void {
    const { maxTokens, tokensPerFill, fillIntervalMs } = this.#options;
    const fills = Math.floor((this.#clock.monotonic() - this.#filledMs) / fillIntervalMs);
    if (fills <= 0) return;
    this.#filledMs += fills * fillIntervalMs;
    this.#tokens = Math.min(maxTokens, this.#tokens + fills * tokensPerFill);
  }
}
