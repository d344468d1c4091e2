import {
  type Clock,
  type Deferred,
  deferred,
  errorMessage,
  jittered,
  TimeoutError,
  UnavailableError,
  WireError,
} from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { Table } from "../wire/index.ts";
import type { Bus, BusSubscription } from "./bus.ts";
import { isOlder, open, type TableMessage } from "./envelope.ts";
import { type AppliedState, type FollowedKey, type FollowState, NOT_APPLIED } from "./followed.ts";
import type { BusMessage } from "./message.ts";
import type { TableHead, TableHeads } from "./table-heads.ts";

/** What a Follow needs of its table. */
export interface FollowSource {
  readonly bus: Bus;
  readonly table: Table;
  readonly clock: Clock;
  readonly log: Logger;
  readonly heads: TableHeads;
  readonly decode: ((value: Uint8Array, key: string) => unknown) | undefined;
  readonly read: (key: string) => Promise<TableMessage | undefined>;
}

/** An absent key is asked for again at most this often. */
const NEGATIVE_MS = 5_000;
const RETRY_MS = 1_000;
/** A head may overtake nothing, but its reader may be busy with the very message: ask a little later. */
const HEAD_LAG_MS = 100;

/** One key as the process that has the bus follows it. */
export class Follow implements FollowedKey {
  readonly key: string;
  readonly #source: FollowSource;
  readonly #onDestroy: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #waiters = new Set<Deferred<void>>();
  #users = 0;
  #destroyed = false;
  #state: FollowState = "loading";
  #value: Uint8Array | undefined;
  #epoch = 0;
  #sequence = 0;
  #applied: AppliedState = NOT_APPLIED;
  #subscription: BusSubscription | undefined;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** The bucket has no such key, but its owner does not vouch for that yet. */
  #missing = false;
  /** The last value that did not pass `decode`: not worth reading again. */
  #refused = { epoch: 0, sequence: 0 };
  #cancelRetry: (() => void) | undefined;

  constructor(source: FollowSource, key: string, onDestroy: () => void) {
    this.#source = source;
    this.key = key;
    this.#onDestroy = onDestroy;
  }

  /** Whether anybody lives by it: a value from before may be kept for whoever asks for it. */
  get used(): boolean {
    return this.#users > 0;
  }

  get state(): FollowState {
    return this.#state;
  }

  get value(): Uint8Array | undefined {
    return this.#value;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get sequence(): number {
    return this.#sequence;
  }

  get applied(): AppliedState {
    return this.#applied;
  }

  setApplied(applied: AppliedState): void {
    this.#applied = applied;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async ready(timeoutMs: number): Promise<void> {
    if (this.#isKnown()) return;
    const known = deferred<void>();
    this.#waiters.add(known);
    const cancel = this.#source.clock.after(timeoutMs, () =>
      known.reject(new TimeoutError(`table ${this.#source.table}: ${this.key} is not known after ${timeoutMs} ms`)),
    );
    try {
      await known.promise;
    } finally {
      cancel();
      this.#waiters.delete(known);
    }
  }

  close(): void {
    this.release();
    if (!this.used) this.destroy();
  }

  /** Ends one user's interest, but not the following: whoever keeps it so has to destroy it if nobody uses it again. */
  release(): void {
    this.#users = Math.max(0, this.#users - 1);
  }

  /** One user more. An absent key is asked for again when the answer is older than 5 s. */
  retain(): void {
    this.#users++;
    const age = this.#source.clock.monotonic() - this.#readAtMs;
    if (this.#state === "unavailable" || (this.#state === "absent" && age > NEGATIVE_MS)) void this.refresh();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#subscription?.close();
    this.#cancelRetry?.();
    this.#onDestroy();
    for (const waiter of this.#waiters) waiter.reject(new UnavailableError(`${this.key} is not followed any more`));
  }

  /** Subscribes and reads the key. */
  start(): void {
    if (this.#subscription !== undefined) return;
    const { bus, table } = this.#source;
    this.#subscription = bus.subscribe(bus.subjects.table(table, this.key), (message) => this.#onBroadcast(message));
    void this.refresh();
  }

  /** Reads the key from its bucket; single-flight, and once more when asked for during a read. */
  refresh(): Promise<void> {
    if (this.#destroyed) return Promise.resolve();
    if (this.#reading !== undefined) {
      this.#readAgain = true;
      return this.#reading;
    }
    this.#reading = this.#readUntilSettled().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  onHead(head: TableHead, nowComplete: boolean): void {
    const recent = head.recent.get(this.key);
    const newest = recent === undefined ? undefined : { epoch: head.epoch, sequence: recent };
    const isBehind = newest !== undefined && isOlder(this, newest) && isOlder(this.#refused, newest);
    if (isBehind) this.#retry(jittered(HEAD_LAG_MS, 1));
    else if (nowComplete && (this.#missing || this.#epoch !== head.epoch)) this.#retry(jittered(HEAD_LAG_MS * 2, 1));
  }

  /** Takes a value if it is newer than what there is and passes `decode`. */
  accept(next: { epoch: number; sequence: number; value: Uint8Array }): void {
    if (this.#epoch !== 0 && !isOlder(this, next)) return;
    if (this.#refused.epoch !== 0 && !isOlder(this.#refused, next)) return;
    try {
      this.#source.decode?.(next.value, this.key);
    } catch (error) {
      this.#source.log.warn(
        { tableKey: this.key, reason: errorMessage(error) },
        "a table value was refused; the last good one stays",
      );
      this.#refused = { epoch: next.epoch, sequence: next.sequence };
      this.#applied = { ...this.#applied, reason: errorMessage(error) };
      return;
    }
    this.#epoch = next.epoch;
    this.#sequence = next.sequence;
    this.#missing = false;
    this.#change("present", next.value);
  }

  /** Takes the word of an earlier run that there is no such key, until the bus says something. */
  acceptAbsence(at: { epoch: number; sequence: number }): void {
    if (this.#state === "loading") this.#giveUp(at.epoch, at.sequence);
  }

  #onBroadcast(message: BusMessage): void {
    const { bus, table, log } = this.#source;
    let update: TableMessage;
    try {
      update = open(bus.subjects, table, this.key, message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      log.warn({ tableKey: this.key, reason: error.message }, "a message that is not the table's was dropped");
      return;
    }
    if (update.kind === "value") this.accept(update);
    else void this.refresh();
  }

  async #readUntilSettled(): Promise<void> {
    do {
      this.#readAgain = false;
      await this.#read();
    } while (this.#readAgain && !this.#destroyed);
  }

  async #read(): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const { bus, clock, heads, log } = this.#source;
    const wasComplete = heads.complete;
    const headEpoch = heads.head?.epoch;
    const [epochBefore, sequenceBefore] = [this.#epoch, this.#sequence];
    try {
      await bus.flush();
      const answer = await this.#source.read(this.key);
      if (this.#destroyed) return;
      this.#readAtMs = clock.monotonic();
      if (answer?.kind === "value") this.accept(answer);
      else if (this.#epoch !== epochBefore || this.#sequence !== sequenceBefore) {
        // A broadcast came in between; which of the two is newer, only another read can tell.
        this.#readAgain = true;
      } else if (answer?.kind === "marker") this.#onMarker(answer.sequence);
      else if (wasComplete && headEpoch === heads.head?.epoch) this.#giveUp(headEpoch ?? 0, heads.head?.sequence ?? 0);
      else this.#onMissing();
    } catch (error) {
      if (this.#destroyed) return;
      if (error instanceof WireError)
        log.warn({ tableKey: this.key, reason: error.message }, "a bucket's answer was dropped");
      if (!this.#isKnown()) this.#change("unavailable", undefined);
      if (bus.connected) this.#retry(jittered(RETRY_MS, 0.5));
    }
  }

  /** The bucket itself says that the key was deleted. */
  #onMarker(sequence: number): void {
    const epoch = this.#source.heads.head?.epoch ?? this.#epoch;
    if (epoch === this.#epoch && sequence < this.#sequence) return;
    this.#giveUp(epoch, sequence);
  }

  /** Not in the bucket, which may have been made a moment ago: what there is stays. */
  #onMissing(): void {
    this.#missing = true;
    if (this.#isKnown()) return;
    // With no head heard yet the bucket's word is all there is; an owner still filling it is worth waiting for.
    const isFilling = this.#source.heads.head?.complete === false;
    this.#change(isFilling ? "unavailable" : "absent", undefined);
  }

  #giveUp(epoch: number, sequence: number): void {
    this.#epoch = epoch;
    this.#sequence = sequence;
    this.#missing = false;
    this.#change("absent", undefined);
  }

  #retry(delayMs: number): void {
    if (this.#cancelRetry !== undefined || this.#destroyed) return;
    this.#cancelRetry = this.#source.clock.after(delayMs, () => {
      this.#cancelRetry = undefined;
      void this.refresh();
    });
  }

  #isKnown(): boolean {
    return this.#state === "present" || this.#state === "absent";
  }

  #change(state: FollowState, value: Uint8Array | undefined): void {
    if (state === this.#state && value === undefined && this.#value === undefined) return;
    this.#state = state;
    this.#value = value;
    if (this.#isKnown()) {
      for (const waiter of this.#waiters) waiter.resolve();
    }
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#source.log.error({ err: error, tableKey: this.key }, "a table listener failed");
      }
    }
  }
}
