import { randomBytes } from "node:crypto";
import { DeniedError, errorMessage, InvalidArgumentError, sleep, systemClock } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import type { ProxyStatus, TapAnswer, TapFilter, TapRow } from "../../shared/wire/index.ts";
import { gatherProxies, identityOf, proxyName } from "./proxies.ts";

/**
 * Watches live requests at many proxies: each is asked again and again and answers when it has something. Proxies that come
 * later are found by asking around every ten seconds; one that has not answered five times in a row is let go.
 */
export interface TapSessionOptions {
  readonly filter: TapFilter;
  /** Of each proxy. */
  readonly maxPerSecond: number;
  /** Which of the proxies to watch. Throws when there is none. */
  choose(statuses: readonly ProxyStatus[]): readonly ProxyStatus[];
  onRow(row: TapRow): void;
  /** What a person should know, such as a proxy that does not answer. */
  tell(text: string): void;
  /** Aborted: that was it. */
  readonly signal: AbortSignal;
}

const WAIT_MS = 1_000;
const ANSWER_MS = 4_000;
const RETRY_MS = 500;
const LOOK_AROUND_MS = 10_000;
const MAX_MISSED = 5;
/** Beyond it a mesh is looked at in part. */
const MAX_PROXIES = 100;

export class TapSession {
  readonly #bus: Bus;
  readonly #options: TapSessionOptions;
  readonly #id = randomBytes(9).toString("hex");
  readonly #watched = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #dropped = 0;
  #toldOfMany = false;

  constructor(bus: Bus, options: TapSessionOptions) {
    this.#bus = bus;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  /** Requests that fitted and were more than proxies keep for a watcher. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Resolves when aborted. Throws what refuses the question itself. */
  async run(): Promise<void> {
    try {
      await this.#run(this.#signal);
    } finally {
      this.#stop.abort();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#join(await gatherProxies(this.#bus));
    while (!signal.aborted) {
      const around = sleep(systemClock, LOOK_AROUND_MS, signal).catch(() => undefined);
      // A question that is refused is refused everywhere: the first refusal ends it.
      await Promise.race([around, ...[...this.#watched.values()].map((watching) => watching.then(() => around))]);
      if (!signal.aborted) this.#join(await gatherProxies(this.#bus).catch(() => []), true);
    }
    await Promise.all(this.#watched.values());
  }

  #join(statuses: readonly ProxyStatus[], isLater = false): void {
    const { choose, tell } = this.#options;
    let chosen: readonly ProxyStatus[];
    try {
      chosen = choose(statuses);
    } catch (error) {
      // Those that were there may be starting anew.
      if (isLater) return;
      throw error;
    }
    for (const status of chosen) {
      const name = proxyName(status);
      if (this.#watched.has(name)) continue;
      if (this.#watched.size >= MAX_PROXIES) {
        if (!this.#toldOfMany)
          tell(`watching ${MAX_PROXIES} of ${chosen.length} proxies; name a service to see all of its own`);
        this.#toldOfMany = true;
        return;
      }
      const watching = this.#watch(status).finally(() => this.#watched.delete(name));
      // Whoever waits for it hears of its failure; nobody may be waiting just then.
      watching.catch(() => undefined);
      this.#watched.set(name, watching);
    }
  }

  async #watch(status: ProxyStatus): Promise<void> {
    const { filter, maxPerSecond, onRow, tell } = this.#options;
    const signal = this.#signal;
    const subject = this.#bus.subjects.proxyTap(identityOf(status));
    const question = { id: this.#id, waitMs: WAIT_MS, filter, maxPerSecond };
    for (let missed = 0; !signal.aborted; ) {
      try {
        const answer = await this.#bus.requestJson(subject, question, { timeoutMs: ANSWER_MS, signal });
        const { rows, dropped } = answer as TapAnswer;
        missed = 0;
        this.#dropped += dropped;
        for (const row of rows) if (!signal.aborted) onRow(row);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof InvalidArgumentError || error instanceof DeniedError) throw error;
        if (++missed >= MAX_MISSED) {
          tell(`${proxyName(status)} is watched no more: ${errorMessage(error)}`);
          return;
        }
        await sleep(systemClock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }
}

/** Each request once: where its receiving end is a proxy too, that end tells it. */
export function isToldHere({ reporter, mutualTls }: TapRow): boolean {
  return reporter === "destination" || !mutualTls;
}
