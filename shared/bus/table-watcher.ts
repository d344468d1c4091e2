import { type Clock, errorMessage, jittered, NotFoundError, UnavailableError, WireError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { Table } from "../wire/index.ts";
import type { Bus, BusSubscription } from "./bus.ts";
import { isOlder, open, type TableMessage } from "./envelope.ts";
import type { BusMessage } from "./message.ts";
import { type TableHead, TableHeads } from "./table-heads.ts";
import type { Position } from "./table-owner.ts";
import { TableStore } from "./table-store.ts";

/*
 * Follows a whole table, over a connection into account STORE: subscribe, flush, list, keep the newer of each key. The
 * same doubts as a follower of single keys lead to listing again, and so does a head whose count differs from ours twice in a
 * row. What a listing does not contain is dropped only when the owner says that the bucket is complete, in the epoch listed.
 */

export interface WatchedValue extends Position {
  readonly value: Uint8Array;
}

export interface TableWatcherOptions {
  readonly bus: Bus;
  readonly table: Table;
  readonly clock: Clock;
  readonly log: Logger;
  /** A value that is new, changed, or (undefined) gone. */
  readonly onChange: (key: string, value: Uint8Array | undefined, position: Position) => void;
  /** After each complete listing. */
  readonly onSynced?: () => void;
  /** How far apart watchers spread their listings, in milliseconds; default 1000. */
  readonly spreadMs?: number;
}

const RETRY_MS = 1_000;

export class TableWatcher {
  readonly #options: TableWatcherOptions;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #entries = new Map<string, WatchedValue>();
  /** Where deleted keys were deleted, until the next listing. */
  readonly #deleted = new Map<string, Position>();
  #heads: TableHeads | undefined;
  #subscription: BusSubscription | undefined;
  #store: TableStore | undefined;
  #synced = false;
  #closed = false;
  #listing: Promise<void> | undefined;
  #listAgain = false;
  #differs = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(options: TableWatcherOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#log = options.log.child({ table: options.table });
  }

  /** The table as known now. */
  get entries(): ReadonlyMap<string, WatchedValue> {
    return this.#entries;
  }

  /** Whether the whole table has been read once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The owner's last head; undefined before the first. */
  get head(): TableHead | undefined {
    return this.#heads?.head;
  }

  /** Whether the owner was heard lately and says that the table is complete. */
  get complete(): boolean {
    return this.#heads?.complete ?? false;
  }

  start(): void {
    if (this.#subscription !== undefined || this.#closed) return;
    const { clock, table, spreadMs } = this.#options;
    this.#subscription = this.#bus.subscribe(this.#bus.subjects.table(table, ">"), (message) =>
      this.#onBroadcast(message),
    );
    this.#heads = new TableHeads({
      bus: this.#bus,
      table,
      clock,
      onDoubt: () => this.#list(),
      onHead: (head, before) => this.#onHead(head, before),
      ...(spreadMs === undefined ? {} : { spreadMs }),
    });
    this.#list();
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.close();
    this.#heads?.close();
    this.#cancelRetry?.();
  }

  #onBroadcast(message: BusMessage): void {
    const { subjects } = this.#bus;
    const { table, key } = subjects.parseTable(message.subject);
    if (table !== this.#options.table) return;
    let update: TableMessage;
    try {
      update = open(subjects, table, key, message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#log.warn({ tableKey: key, reason: error.message }, "a message that is not the table's was dropped");
      return;
    }
    const epoch = this.#store?.epoch ?? 0;
    if (update.kind === "value")
      this.#accept(key, { epoch: update.epoch || epoch, sequence: update.sequence, value: update.value });
    else void this.#confirm(key);
  }

  #accept(key: string, next: WatchedValue): void {
    const present = this.#entries.get(key) ?? this.#deleted.get(key);
    if (present !== undefined && !isOlder(present, next)) return;
    this.#deleted.delete(key);
    this.#entries.set(key, next);
    this.#options.onChange(key, next.value, { epoch: next.epoch, sequence: next.sequence });
  }

  #drop(key: string, at: Position): void {
    const present = this.#entries.get(key);
    if (present === undefined || !isOlder(present, at)) return;
    this.#entries.delete(key);
    this.#deleted.set(key, at);
    this.#options.onChange(key, undefined, at);
  }

  /** A broadcast deletion, or a head, made us doubt one key: ask the bucket. */
  async #confirm(key: string): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#closed) return;
    try {
      const value = await store.get(key);
      if (this.#closed) return;
      if (value !== undefined) this.#accept(key, value);
      else this.#drop(key, { epoch: store.epoch, sequence: (await store.last(key)).sequence });
    } catch (error) {
      this.#retry(error);
    }
  }

  #onHead(head: TableHead, before: TableHead | undefined): void {
    const store = this.#store;
    if (store === undefined || head.epoch !== store.epoch) {
      if (store === undefined || head.epoch > store.epoch) this.#retryAfter(jittered(100, 1));
      return;
    }
    if (head.complete && before?.complete === false) this.#retryAfter(jittered(100, 1));
    for (const [key, sequence] of head.recent) {
      const present = this.#entries.get(key) ?? this.#deleted.get(key);
      if (present === undefined || isOlder(present, { epoch: head.epoch, sequence })) void this.#confirm(key);
    }
    this.#differs = head.count === this.#entries.size ? 0 : this.#differs + 1;
    if (this.#differs >= 2) {
      this.#differs = 0;
      this.#list();
    }
  }

  #list(): void {
    if (this.#closed || !this.#bus.connected) return;
    if (this.#listing !== undefined) {
      this.#listAgain = true;
      return;
    }
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#listing = this.#listOnce()
      .catch((error: unknown) => this.#retry(error))
      .finally(() => {
        this.#listing = undefined;
        if (!this.#listAgain) return;
        this.#listAgain = false;
        this.#list();
      });
  }

  async #listOnce(): Promise<void> {
    const { table } = this.#options;
    await this.#bus.flush();
    const wasComplete = this.#heads?.complete === true ? this.#heads.head?.epoch : undefined;
    const store = await TableStore.open(this.#bus, table, { create: false });
    const known = new Set(this.#entries.keys());
    const { info, messages } = await store.listMessages();
    if (this.#closed) return;
    this.#store = store;
    this.#deleted.clear();
    for (const message of messages) {
      known.delete(message.key);
      if (message.kind === "value")
        this.#accept(message.key, {
          epoch: message.epoch || store.epoch,
          sequence: message.sequence,
          value: message.value,
        });
      else this.#drop(message.key, { epoch: store.epoch, sequence: message.sequence });
    }
    if (wasComplete === store.epoch && info.createdUs === store.epoch) {
      for (const key of known) this.#drop(key, { epoch: store.epoch, sequence: info.lastSequence });
    }
    this.#synced = true;
    this.#options.onSynced?.();
  }

  #retry(error: unknown): void {
    if (this.#closed) return;
    const isExpected = error instanceof NotFoundError || error instanceof UnavailableError;
    this.#log[isExpected ? "debug" : "warn"](
      { reason: errorMessage(error) },
      "the table could not be read; trying again",
    );
    this.#retryAfter(jittered(RETRY_MS, 0.5));
  }

  #retryAfter(delayMs: number): void {
    if (this.#cancelRetry !== undefined || this.#closed) return;
    this.#cancelRetry = this.#options.clock.after(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#list();
    });
  }
}
