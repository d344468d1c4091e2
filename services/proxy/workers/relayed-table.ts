import { type Clock, TimeoutError } from "../../../shared/base/index.ts";
import {
  type AppliedState,
  type FollowedKey,
  type FollowedTable,
  type FollowState,
  NOT_APPLIED,
} from "../../../shared/bus/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import { DATA_TABLES, type DataTable, type DataTables } from "../mesh/tables.ts";
import type { KeyUpdate, WorkerNotice } from "./messages.ts";

/** The tables as a worker has them: the primary follows, and tells every change. */
export class RelayedTables {
  readonly tables: DataTables;
  readonly #tell: (notice: WorkerNotice) => void;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #keys = new Map<number, RelayedKey>();
  #lastId = 0;

  constructor(tell: (notice: WorkerNotice) => void, clock: Clock, log: Logger) {
    this.#tell = tell;
    this.#clock = clock;
    this.#log = log;
    const tables = DATA_TABLES.map((table) => [
      table,
      new RelayedTable(table, (key, onClosed) => this.#open(table, key, onClosed)),
    ]);
    this.tables = Object.fromEntries(tables) as DataTables;
  }

  /** What is not followed any more is none of its business. */
  update(update: KeyUpdate): void {
    this.#keys.get(update.id)?.update(update);
  }

  #open(table: DataTable, key: string, onClosed: () => void): RelayedKey {
    const id = ++this.#lastId;
    const relayed = new RelayedKey(key, {
      clock: this.#clock,
      log: this.#log,
      applied: (applied) => this.#tell({ type: "applied", id, applied }),
      closed: () => {
        this.#keys.delete(id);
        this.#tell({ type: "unfollow", id });
        onClosed();
      },
    });
    this.#keys.set(id, relayed);
    this.#tell({ type: "follow", id, table, key });
    return relayed;
  }
}

class RelayedTable implements FollowedTable {
  readonly table: DataTable;
  readonly #open: (key: string, onClosed: () => void) => RelayedKey;
  readonly #keys = new Map<string, RelayedKey>();

  constructor(table: DataTable, open: (key: string, onClosed: () => void) => RelayedKey) {
    this.table = table;
    this.#open = open;
  }

  get followed(): Iterable<FollowedKey> {
    return this.#keys.values();
  }

  get(key: string): FollowedKey | undefined {
    return this.#keys.get(key);
  }

  follow(key: string): FollowedKey {
    const known = this.#keys.get(key);
    if (known !== undefined) {
      known.retain();
      return known;
    }
    const relayed = this.#open(key, () => this.#keys.delete(key));
    this.#keys.set(key, relayed);
    return relayed;
  }
}

interface KeyOwner {
  readonly clock: Clock;
  readonly log: Logger;
  applied(applied: AppliedState): void;
  closed(): void;
}

class RelayedKey implements FollowedKey {
  readonly key: string;
  readonly #owner: KeyOwner;
  readonly #listeners = new Set<() => void>();
  #users = 1;
  #known: Omit<KeyUpdate, "id"> = { state: "loading", epoch: 0, sequence: 0, value: undefined };
  #applied: AppliedState = NOT_APPLIED;

  constructor(key: string, owner: KeyOwner) {
    this.key = key;
    this.#owner = owner;
  }

  get state(): FollowState {
    return this.#known.state;
  }

  get value(): Uint8Array | undefined {
    return this.#known.value;
  }

  get epoch(): number {
    return this.#known.epoch;
  }

  get sequence(): number {
    return this.#known.sequence;
  }

  get applied(): AppliedState {
    return this.#applied;
  }

  setApplied(applied: AppliedState): void {
    this.#applied = applied;
    this.#owner.applied(applied);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(timeoutMs: number): Promise<void> {
    const isKnown = (): boolean => this.state === "present" || this.state === "absent";
    if (isKnown()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.onChange(() => {
        if (!isKnown()) return;
        stop();
        cancel();
        resolve();
      });
      const cancel = this.#owner.clock.after(timeoutMs, () => {
        stop();
        reject(new TimeoutError(`${this.key} is not known after ${timeoutMs} ms`));
      });
    });
  }

  retain(): void {
    this.#users++;
  }

  close(): void {
    if (--this.#users === 0) this.#owner.closed();
  }

  update(update: KeyUpdate): void {
    this.#known = update;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#owner.log.error({ err: error, tableKey: this.key }, "a table listener failed");
      }
    }
  }
}
