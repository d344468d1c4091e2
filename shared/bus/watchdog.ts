import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/index.ts";

/*
 * A member of a queue group whose event loop hangs keeps getting its share of the requests (old servers never evict it), and
 * every one of them times out. So each component watches itself and would rather be dead: a thread kills the process when the
 * loop has not turned for ten seconds.
 */

export interface EventLoopWatchdogOptions {
  readonly clock: Clock;
  /** Kill the process after this; default 10 000. */
  readonly limitMs?: number;
}

const BEATS_IN_LIMIT = 20;

export class EventLoopWatchdog {
  readonly #worker: Worker;
  readonly #beats: Int32Array;
  readonly #cancel: () => void;

  constructor({ clock, limitMs = 10_000 }: EventLoopWatchdogOptions) {
    const periodMs = Math.max(10, limitMs / BEATS_IN_LIMIT);
    this.#beats = new Int32Array(new SharedArrayBuffer(4));
    const file = new URL(`./watchdog-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(file, { workerData: { beats: this.#beats, limitMs, periodMs }, execArgv: [] });
    this.#worker.unref();
    this.#cancel = clock.every(periodMs, () => {
      const next = (Atomics.load(this.#beats, 0) + 1) & 0x3fffffff;
      Atomics.store(this.#beats, 0, next);
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    Atomics.store(this.#beats, 0, -1);
    await this.#worker.terminate();
  }
}
