import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../../shared/base/index.ts";

/*
 * Whether the application may get traffic: a GET of its health URL every two seconds, any answer below 400 is good.
 * Two failures in a row make it unhealthy, one success healthy: a single slow answer must not take an instance out, and
 * a recovered one is wanted back. It starts unhealthy and is asked at once, so an application that is still starting
 * gets no traffic. Without a URL there is nothing to ask, and it counts as healthy.
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
  readonly #listeners = new Set<(healthy: boolean) => void>();
  #healthy: boolean;
  #overruled = false;
  #failures = 0;
  #isStopped = true;
  #cancelTimer = () => {};
  #abort: AbortController | undefined;

  constructor(options: HealthProbeOptions) {
    this.#options = options;
    this.#healthy = options.url === "";
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
    if (this.#options.url === "" || !this.#isStopped) return;
    this.#isStopped = false;
    void this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#abort?.abort();
  }

  async #probe(): Promise<void> {
    const { url, clock, periodMs = PERIOD_MS } = this.#options;
    this.#abort = new AbortController();
    const isGood = await answersWell(url, clock, this.#abort.signal);
    if (this.#isStopped) return;
    this.#failures = isGood ? 0 : this.#failures + 1;
    if (isGood) this.#become(true);
    else if (this.#failures >= FAILURES_TO_UNHEALTHY) this.#become(false);
    this.#cancelTimer = clock.after(periodMs, () => void this.#probe());
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

function answersWell(url: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const send = url.startsWith("https:") ? httpsRequest : httpRequest;
    const finish = (isGood: boolean): void => {
      cancel();
      resolve(isGood);
    };
    // A connection of its own each time: a kept one would hide an application that accepts no new ones.
    const request = send(url, { agent: false, signal, headers: { "user-agent": "lateen-health" } }, (response) => {
      finish(response.statusCode !== undefined && response.statusCode < 400);
      response.on("error", () => {}).resume();
    });
    const cancel = clock.after(TIMEOUT_MS, () => request.destroy(new Error("timeout")));
    request.on("error", () => finish(false)).end();
  });
}
