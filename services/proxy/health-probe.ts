import type { Clock } from "../../shared/base/index.ts";
import { answersWell, parseHealthUrl } from "./health-question.ts";

/*
 * Whether the application may get traffic: its health URL is asked every two seconds. Two failures in a row make it
 * unhealthy, one success healthy: a single slow answer must not take an instance out, and a recovered one is wanted
 * back. It starts unhealthy and is asked at once, so an application that is still starting gets no traffic. Without a
 * URL there is nothing to ask, and it counts as healthy.
 */

const PERIOD_MS = 2_000;
const TIMEOUT_MS = 1_500;
const FAILURES_TO_UNHEALTHY = 2;

export interface HealthProbeOptions {
  /** Empty: no probe, always healthy. */
  readonly url: string;
  readonly clock: Clock;
  /** In milliseconds, default 2000. */
  readonly periodMs?: number;
}

export class HealthProbe {
  readonly #options: HealthProbeOptions;
  readonly #url: URL | undefined;
  readonly #listeners = new Set<(healthy: boolean) => void>();
  #healthy: boolean;
  #overruled = false;
  #failures = 0;
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
    const { clock, periodMs = PERIOD_MS } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    const cancelTimeout = clock.after(TIMEOUT_MS, () => abort.abort());
    const isGood = await answersWell(url, abort.signal);
    cancelTimeout();
    if (this.#isStopped) return;
    this.#failures = isGood ? 0 : this.#failures + 1;
    if (isGood) this.#become(true);
    else if (this.#failures >= FAILURES_TO_UNHEALTHY) this.#become(false);
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
