import type { Clock } from "../../shared/base/index.ts";
import { answersWell, parseHealthUrl } from "./health-question.ts";

/*
 * Whether the application may get traffic: its health URL is asked every two seconds. Two failures in a row make it
 * unhealthy, one success healthy, unless the settings say otherwise: a single slow answer must not take an instance out,
 * and a recovered one is wanted back. It starts unhealthy and is asked at once, so an application that is still starting gets no traffic. Without a
 * URL there is nothing to ask, and it counts as healthy.
 */

export const HEALTH_DEFAULTS = { periodMs: 2_000, timeoutMs: 1_500, failureThreshold: 2, successThreshold: 1 } as const;

export interface HealthProbeOptions {
  /** Empty: no probe, always healthy. */
  readonly url: string;
  readonly clock: Clock;
  /** In milliseconds, default 2000. */
  readonly periodMs?: number;
  /** In milliseconds, default 1500. */
  readonly timeoutMs?: number;
  /** Bad answers in a row that make it unhealthy, default 2. */
  readonly failureThreshold?: number;
  /** Good answers in a row that make it healthy, default 1. */
  readonly successThreshold?: number;
}

export class HealthProbe {
  readonly #options: HealthProbeOptions;
  readonly #url: URL | undefined;
  readonly #listeners = new Set<(healthy: boolean) => void>();
  #healthy: boolean;
  #overruled = false;
  #failures = 0;
  #successes = 0;
  #isStopped = true;
  #cancelTimer = () => {};
  #abort: AbortController | undefined;

  constructor(options: HealthProbeOptions) {
    this.#options = options;
    this.#url = parseHealthUrl(options.url);
    this.#healthy = this.#url === undefined;
  }

  get healthy(): boolean {
    return this.#healthy && !this.#overruled;
  }

  /** Somebody has said that the application gets no traffic, whatever it answers. */
  get overruled(): boolean {
    return this.#overruled;
  }

  /** `failed`: unhealthy from now on, until told otherwise. */
  overrule(failed: boolean): void {
    this.#change(() => {
      this.#overruled = failed;
    });
  }

  onChange(listener: (healthy: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#url === undefined || !this.#isStopped) return;
    this.#isStopped = false;
    void this.#probe(this.#url);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#abort?.abort();
  }

  async #probe(url: URL): Promise<void> {
    const { clock, periodMs, timeoutMs, failureThreshold, successThreshold } = { ...HEALTH_DEFAULTS, ...this.#options };
    const abort = new AbortController();
    this.#abort = abort;
    const cancelTimeout = clock.after(timeoutMs, () => abort.abort());
    const isGood = await answersWell(url, abort.signal);
    cancelTimeout();
    if (this.#isStopped) return;
    this.#failures = isGood ? 0 : this.#failures + 1;
    this.#successes = isGood ? this.#successes + 1 : 0;
    if (this.#successes >= successThreshold) this.#become(true);
    else if (this.#failures >= failureThreshold) this.#become(false);
    this.#cancelTimer = clock.after(periodMs, () => void this.#probe(url));
  }

  #become(healthy: boolean): void {
    this.#change(() => {
      this.#healthy = healthy;
    });
  }

  #change(act: () => void): void {
    const before = this.healthy;
    act();
    if (this.healthy === before) return;
    for (const listener of this.#listeners) listener(this.healthy);
  }
}
