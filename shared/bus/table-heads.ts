import { type Clock, jittered } from "../base/index.ts";
import { Head, type Table } from "../wire/index.ts";
import type { Bus, BusSubscription } from "./bus.ts";

/*
 * The follower's clockwork: when to doubt what one has. Broadcasts may be lost one by one (found by the next head's
 * list of recent keys) or all together: by a reconnect, a slow-consumer error, a bucket made anew, or silence of the owner for
 * 30 s. In the second case everything followed is read again, at a random moment, because all followers of the mesh
 * notice at the same time.
 */

export interface TableHead {
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly complete: boolean;
  readonly recent: ReadonlyMap<string, number>;
}

export interface TableHeadsOptions {
  readonly bus: Bus;
  readonly table: Table;
  readonly clock: Clock;
  /** Read everything again. */
  readonly onDoubt: () => void;
  /** A head of the newest epoch; `before` is the previous one. */
  readonly onHead: (head: TableHead, before: TableHead | undefined) => void;
  /** How far apart followers spread their reading, in milliseconds; default 1000. */
  readonly spreadMs?: number;
}

const SILENCE_MS = 30_000;

export class TableHeads {
  readonly #options: TableHeadsOptions;
  readonly #subscription: BusSubscription;
  readonly #stopState: () => void;
  #head: TableHead | undefined;
  #headAtMs = 0;
  #connectedBefore: boolean;
  #cancelSilence = () => {};
  #cancelDoubt: (() => void) | undefined;

  constructor(options: TableHeadsOptions) {
    this.#options = options;
    const { bus, table } = options;
    this.#connectedBefore = bus.connected;
    this.#subscription = bus.subscribe(bus.subjects.head(table), (message) => this.#onHead(message.decode(Head)));
    this.#stopState = bus.onState((state) => {
      if (state === "disconnected") return;
      // The first connection of all needs no waiting: nobody else is in step with it.
      this.#doubt(this.#connectedBefore ? (options.spreadMs ?? 1_000) : 0);
      this.#connectedBefore = true;
    });
    this.#watchSilence();
  }

  get head(): TableHead | undefined {
    return this.#head;
  }

  /** Whether the owner was heard lately and says that every key is there: only then does absence mean deletion. */
  get complete(): boolean {
    return this.#head?.complete === true && this.#options.clock.monotonic() - this.#headAtMs < SILENCE_MS;
  }

  close(): void {
    this.#subscription.close();
    this.#stopState();
    this.#cancelSilence();
    this.#cancelDoubt?.();
  }

  #onHead(wire: Head): void {
    const before = this.#head;
    if (wire.table !== this.#options.table || (before !== undefined && wire.epoch < before.epoch)) return;
    const head: TableHead = {
      epoch: wire.epoch,
      sequence: wire.sequence,
      count: wire.count,
      complete: wire.complete,
      recent: new Map(wire.recent.map(({ key, sequence }) => [key ?? "", sequence ?? 0])),
    };
    this.#head = head;
    this.#headAtMs = this.#options.clock.monotonic();
    this.#watchSilence();
    if (before !== undefined && head.epoch !== before.epoch) this.#doubt(this.#options.spreadMs ?? 1_000);
    this.#options.onHead(head, before);
  }

  #watchSilence(): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#options.clock.after(jittered(SILENCE_MS, 0.1), () => {
      this.#options.onDoubt();
      this.#watchSilence();
    });
  }

  #doubt(spreadMs: number): void {
    if (this.#cancelDoubt !== undefined) return;
    this.#cancelDoubt = this.#options.clock.after(Math.random() * spreadMs, () => {
      this.#cancelDoubt = undefined;
      this.#options.onDoubt();
    });
  }
}
