import {
  type Clock,
  ConflictError,
  errorMessage,
  jittered,
  type MeshError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
} from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import { Head, type Table } from "../wire/index.ts";
import type { Bus } from "./bus.ts";
import { forEachLimited } from "./direct-get.ts";
import type { StoredValue } from "./envelope.ts";
import { checkValueSize, TableStore } from "./table-store.ts";

/*
 * The leader's side of one table. It alone writes, and only while each key's last sequence is the one it knows: a
 * conflict means that somebody else leads now, and is reported, not retried.
 *
 * Every two seconds it looks at the bucket and publishes a head, over the same connection as the writes. A bucket that is
 * gone, or has another creation time, was lost: it is made again, `restore` gives its content back, and until that is written the
 * head does not say `complete`, so that no follower takes the empty bucket for a mass deletion.
 *
 * An outcome that is unknown (no answer, then reconnect) is settled by reading the key, at the next conflict at the
 * latest: if it holds what was written, it was us. Values of compiled tables that could not be written stay wanted and are written when the bus is back; those of
 * `config` do not, because whoever asked for the change has been told that it failed.
 */

export const HEAD_PERIOD_MS = 2_000;
export const HEAD_RECENT_MS = 30_000;

const MAX_RECENT = 4_096;
const PARALLEL_WRITES = 32;

export interface TableOwnerOptions {
  /** A connection into account STORE. */
  readonly bus: Bus;
  readonly table: Table;
  readonly clock: Clock;
  readonly log: Logger;
  /** Somebody else wrote: this process leads no longer. */
  readonly onConflict: () => void;
  /** The table's content, asked for after the bucket was lost. Default: what this owner wrote last. */
  readonly restore?: () => Iterable<readonly [key: string, value: Uint8Array]>;
}

export interface Position {
  readonly epoch: number;
  readonly sequence: number;
}

interface Entry {
  /** What the bucket holds; undefined after a deletion. */
  stored: Uint8Array | undefined;
  sequence: number;
  /** What it should hold. */
  wanted: Uint8Array | undefined;
  /** What a write whose outcome is unknown may have left there. */
  doubtful: { readonly value: Uint8Array | undefined } | undefined;
  /** The write under way: writes to one key follow one another. */
  writing: Promise<void> | undefined;
}

export class TableOwner {
  readonly #options: TableOwnerOptions;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #recent = new Map<string, { sequence: number; deleted: boolean; atMs: number }>();
  readonly #stops: (() => void)[] = [];
  #store: TableStore | undefined;
  #complete = false;
  #restored = true;
  #stopped = false;
  #ticking: Promise<void> | undefined;

  constructor(options: TableOwnerOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#log = options.log.child({ table: options.table });
  }

  /** Opens or makes the bucket and returns what it holds; throws when the bus is not there. */
  async start(): Promise<Map<string, StoredValue>> {
    const store = await TableStore.open(this.#bus, this.#options.table, { create: true });
    const values = await this.#load(store);
    this.#store = store;
    this.#stops.push(
      this.#options.clock.every(HEAD_PERIOD_MS, () => void this.#tick()),
      this.#bus.onState((state) => {
        if (state === "connected")
          this.#stops.push(this.#options.clock.after(jittered(200, 0.5), () => void this.#tick()));
      }),
    );
    this.#publishHead(0);
    return values;
  }

  /** When the bucket that is being written was created, microseconds since the Unix epoch; 0 before `start`. */
  get epoch(): number {
    return this.#store?.epoch ?? 0;
  }

  /**
   * Writes the value if its bytes changed. Throws UnavailableError, ConflictError when no longer the leader,
   * InvalidArgumentError for a value that no message can carry.
   */
  async set(key: string, value: Uint8Array): Promise<{ sequence: number; changed: boolean }> {
    checkValueSize(this.#options.table, key, value);
    const entry = this.#entry(key);
    const before = entry.sequence;
    entry.wanted = Uint8Array.from(value);
    await this.#settle(key, entry);
    return { sequence: entry.sequence, changed: entry.sequence !== before };
  }

  /** Deletes the key, on the same terms as `set`. */
  async remove(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.wanted = undefined;
    await this.#settle(key, entry);
  }

  /** Where a key's present value stands; undefined when it has none. */
  position(key: string): Position | undefined {
    const entry = this.#entries.get(key);
    return entry?.stored === undefined ? undefined : { epoch: this.epoch, sequence: entry.sequence };
  }

  /** The keys with a value in the bucket. */
  *keys(): Iterable<string> {
    for (const [key, entry] of this.#entries) if (entry.stored !== undefined) yield key;
  }

  /** Every key that is to be served has been written: from now on absence means deletion. */
  markComplete(): void {
    this.#complete = true;
    this.#publishHead(0);
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { stored: undefined, sequence: 0, wanted: undefined, doubtful: undefined, writing: undefined };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  async #load(store: TableStore): Promise<Map<string, StoredValue>> {
    const { messages } = await store.listMessages();
    const values = new Map<string, StoredValue>();
    for (const message of messages) {
      const isNew = !this.#entries.has(message.key);
      const entry = this.#entry(message.key);
      entry.sequence = message.sequence;
      entry.stored = undefined;
      if (message.kind === "value") {
        const epoch = message.epoch === 0 ? store.epoch : message.epoch;
        values.set(message.key, { key: message.key, sequence: message.sequence, epoch, value: message.value });
        // A value sealed for another incarnation has to be written again.
        if (epoch === store.epoch) entry.stored = message.value;
      }
      if (isNew) entry.wanted = entry.stored;
    }
    return values;
  }

  /** Brings the bucket to what is wanted of the key. */
  async #settle(key: string, entry: Entry): Promise<void> {
    while (entry.writing !== undefined) await entry.writing.catch(() => undefined);
    if (same(entry.stored, entry.wanted)) return;
    const writing = this.#write(key, entry);
    entry.writing = writing;
    try {
      await writing;
    } finally {
      entry.writing = undefined;
    }
    // Somebody may have wanted something newer meanwhile; it is waiting for its own turn.
  }

  async #write(key: string, entry: Entry): Promise<void> {
    const { wanted } = entry;
    const store = this.#store;
    if (this.#stopped || store === undefined) throw new UnavailableError(`table ${this.#options.table} is not owned`);
    try {
      entry.sequence =
        wanted === undefined ? await store.delete(key, entry.sequence) : await store.put(key, wanted, entry.sequence);
      entry.stored = wanted;
      entry.doubtful = undefined;
    } catch (error) {
      if (error instanceof ConflictError || error instanceof TimeoutError)
        await this.#resolve(key, entry, wanted, error);
      else {
        if (error instanceof NotFoundError) void this.#tick();
        else entry.doubtful = { value: wanted };
        this.#giveUp(entry, wanted);
        throw error instanceof NotFoundError
          ? new UnavailableError(`bucket of ${this.#options.table} is gone`, { cause: error })
          : error;
      }
    }
    this.#recent.delete(key);
    this.#recent.set(key, {
      sequence: entry.sequence,
      deleted: wanted === undefined,
      atMs: this.#options.clock.monotonic(),
    });
  }

  /** After a conflict or an unknown outcome: was it our own write, a lost bucket, or another leader? */
  async #resolve(key: string, entry: Entry, wanted: Uint8Array | undefined, error: MeshError): Promise<void> {
    const store = this.#store;
    if (store === undefined) throw error;
    entry.doubtful ??= error instanceof TimeoutError ? { value: wanted } : undefined;
    const info = await store.info().catch(() => undefined);
    if (info === undefined || info.createdUs !== store.epoch) {
      void this.#tick();
      this.#giveUp(entry, wanted);
      throw new UnavailableError(`bucket of ${this.#options.table} was lost`, { cause: error });
    }
    const { sequence, value } = await store.last(key);
    if (sequence > entry.sequence && same(value, wanted)) {
      entry.sequence = sequence;
      entry.stored = wanted;
      entry.doubtful = undefined;
      return;
    }
    if (sequence > entry.sequence && entry.doubtful !== undefined && same(value, entry.doubtful.value)) {
      entry.sequence = sequence;
      entry.stored = value;
      entry.doubtful = undefined;
      return await this.#write(key, entry);
    }
    if (sequence === entry.sequence) {
      this.#giveUp(entry, wanted);
      throw error instanceof TimeoutError
        ? error
        : new UnavailableError(`${this.#options.table} ${key}: try again`, { cause: error });
    }
    this.stop();
    this.#options.onConflict();
    throw error instanceof ConflictError
      ? error
      : new ConflictError(`${this.#options.table} ${key}: written by another`);
  }

  /** A failed change of `config` is not wanted any more; other tables' are written later. */
  #giveUp(entry: Entry, wanted: Uint8Array | undefined): void {
    if (this.#options.table === "config" && entry.wanted === wanted) entry.wanted = entry.stored;
  }

  #tick(): Promise<void> {
    this.#ticking ??= this.#look()
      .catch((error: unknown) => this.#log.warn({ err: error }, `table not served: ${errorMessage(error)}`))
      .finally(() => {
        this.#ticking = undefined;
      });
    return this.#ticking;
  }

  async #look(): Promise<void> {
    const store = this.#store;
    if (this.#stopped || store === undefined || !this.#bus.connected) return;
    const info = await store.info().catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    });
    if (this.#stopped) return;
    if (info === undefined || info.createdUs !== store.epoch || !this.#restored) await this.#restore();
    else {
      try {
        await this.#writeWanted();
      } finally {
        // One key that cannot be written must not silence the head of all the others.
        this.#publishHead(info.lastSequence);
      }
    }
  }

  async #restore(): Promise<void> {
    this.#restored = false;
    const store = await TableStore.open(this.#bus, this.#options.table, { create: true });
    this.#log.warn({ epoch: store.epoch }, "the bucket was lost; restoring it");
    for (const entry of this.#entries.values()) {
      entry.sequence = 0;
      entry.stored = undefined;
    }
    await this.#load(store);
    this.#store = store;
    this.#recent.clear();
    for (const [key, value] of this.#options.restore?.() ?? []) this.#entry(key).wanted = Uint8Array.from(value);
    await this.#writeWanted();
    this.#restored = true;
    this.#publishHead(0);
  }

  async #writeWanted(): Promise<void> {
    const behind = [...this.#entries].filter(
      ([, entry]) => entry.writing === undefined && !same(entry.stored, entry.wanted),
    );
    await forEachLimited(behind, PARALLEL_WRITES, ([key, entry]) => this.#settle(key, entry));
  }

  #publishHead(bucketSequence: number): void {
    const store = this.#store;
    if (store === undefined || this.#stopped) return;
    const oldest = this.#options.clock.monotonic() - HEAD_RECENT_MS;
    for (const [key, { atMs }] of this.#recent) {
      if (atMs >= oldest && this.#recent.size <= MAX_RECENT) break;
      this.#recent.delete(key);
    }
    let count = 0;
    let sequence = bucketSequence;
    for (const entry of this.#entries.values()) {
      if (entry.stored !== undefined) count++;
      sequence = Math.max(sequence, entry.sequence);
    }
    this.#bus.publish(this.#bus.subjects.head(this.#options.table), Head, {
      table: this.#options.table,
      epoch: store.epoch,
      sequence,
      count,
      complete: this.#complete && this.#restored,
      recent: [...this.#recent].map(([key, { sequence: last, deleted }]) => ({ key, sequence: last, deleted })),
    });
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
