import { type Clock, ConflictError, errorMessage, jittered, NotFoundError, UnavailableError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import type { Component } from "../wire/index.ts";
import type { Bus } from "./bus.ts";
import { directGet } from "./direct-get.ts";
import { LEASE_MS, TableStore } from "./table-store.ts";

/*
 * Who of several replicas leads: the one whose name stands under the role's key in bucket `<prefix>-leader`. The bucket forgets
 * a key after 3 s, so the leader writes it again each second, and only over its own last write; whoever finds no
 * name there tries to write the first one. When the leader has not managed to renew for 2.5 s, counted from before the
 * last write that worked, it steps down by itself: earlier than anybody else can be elected.
 *
 * A lease alone cannot stop a leader that was frozen between looking at its clock and writing. What does is that every table
 * write names the sequence that it replaces.
 */

export interface LeaderOptions {
  /** A connection into account STORE. */
  readonly bus: Bus;
  readonly role: Component;
  /** This replica's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onElected: () => void | Promise<void>;
  readonly onDeposed: () => void;
}

const RENEW_MS = 1_000;
const POLL_MS = 500;
const STEP_DOWN_MS = 2_500;
const READ_TIMEOUT_MS = 1_000;

export class Leader {
  readonly #options: LeaderOptions;
  readonly #log: Logger;
  readonly #value: Uint8Array;
  #store: TableStore | undefined;
  #leading = false;
  #sequence = 0;
  #leaderName: string | undefined;
  #stopped = true;
  #turn: Promise<void> = Promise.resolve();
  #cancelTurn = () => {};
  #cancelLease = () => {};

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#log = options.log.child({ role: options.role, replica: options.name });
    this.#value = new TextEncoder().encode(JSON.stringify({ name: options.name }));
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** Who led when last looked. */
  get leaderName(): string | undefined {
    return this.#leading ? this.#options.name : this.#leaderName;
  }

  /** Stands for election from now on; again after `resign`. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#schedule(0);
  }

  /** Gives the lead away at once, without waiting for the lease to lapse, and stands no more. */
  async resign(): Promise<void> {
    this.#stopped = true;
    this.#cancelTurn();
    await this.#turn;
    const wasLeading = this.#leading;
    this.#depose("resigned");
    if (!wasLeading || this.#store === undefined) return;
    try {
      await this.#store.delete(this.#options.role, this.#sequence);
    } catch (error) {
      this.#log.info({ reason: errorMessage(error) }, "the lease could not be given back; it lapses by itself");
    }
  }

  /** Someone else was seen writing as the leader: stop leading, and stand again after a whole lease. */
  stepDown(): void {
    if (!this.#leading) return;
    this.#depose("a write was refused");
    this.#cancelTurn();
    this.#schedule(LEASE_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelTurn();
    this.#cancelTurn = this.#options.clock.after(delayMs, () => {
      this.#turn = this.#take();
    });
  }

  async #take(): Promise<void> {
    try {
      if (this.#leading) await this.#renew();
      else await this.#stand();
    } catch (error) {
      if (error instanceof ConflictError) this.#depose("another replica leads");
      else {
        if (error instanceof NotFoundError) this.#store = undefined;
        this.#log.debug({ reason: errorMessage(error) }, "the leader bucket does not answer");
      }
    }
    this.#schedule(this.#leading ? RENEW_MS : jittered(POLL_MS, 0.2));
  }

  async #stand(): Promise<void> {
    const { bus, role, clock } = this.#options;
    if (!bus.connected) return;
    this.#store ??= await TableStore.open(bus, "leader", { create: true });
    const current = await directGet(bus, "leader", role, READ_TIMEOUT_MS).catch(async (error: unknown) => {
      // Without an answer: is the bucket gone, or only slow?
      if (error instanceof UnavailableError) await this.#store?.info();
      throw error;
    });
    if (current?.kind === "value") {
      this.#leaderName = nameIn(current.value);
      return;
    }
    const startedAtMs = clock.monotonic();
    this.#sequence = await this.#store.put(role, this.#value, current?.sequence ?? 0);
    if (this.#stopped) {
      await this.#store.delete(role, this.#sequence);
      return;
    }
    this.#leading = true;
    this.#extend(startedAtMs);
    this.#log.info("elected leader");
    // Renewals must go on while the new leader reads its tables.
    void this.#elected();
  }

  async #elected(): Promise<void> {
    try {
      await this.#options.onElected();
    } catch (error) {
      if (!this.#leading) return;
      this.#log.error({ err: error }, "could not take the lead");
      const { role } = this.#options;
      const sequence = this.#sequence;
      this.#depose("could not take the lead");
      await this.#store?.delete(role, sequence).catch(() => undefined);
    }
  }

  async #renew(): Promise<void> {
    const { bus, role, clock } = this.#options;
    if (!bus.connected) return;
    const startedAtMs = clock.monotonic();
    this.#store ??= await TableStore.open(bus, "leader", { create: true });
    try {
      this.#sequence = await this.#store.put(role, this.#value, this.#sequence);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      // The bucket was lost, and the lease with it: first come, first served.
      this.#store = await TableStore.open(bus, "leader", { create: true });
      this.#sequence = await this.#store.put(role, this.#value, 0);
    }
    if (this.#leading) this.#extend(startedAtMs);
  }

  #extend(startedAtMs: number): void {
    const { clock } = this.#options;
    this.#cancelLease();
    const left = STEP_DOWN_MS - (clock.monotonic() - startedAtMs);
    // Asks no clock again: a timer may fire a little early, and one that then did nothing would leave two leaders.
    this.#cancelLease = clock.after(Math.max(0, left), () => this.#depose("could not renew the lease in time"));
  }

  #depose(reason: string): void {
    if (!this.#leading) return;
    this.#leading = false;
    this.#cancelLease();
    this.#log.warn({ reason }, "leads no more");
    try {
      this.#options.onDeposed();
    } catch (error) {
      this.#log.error({ err: error }, "stepping down failed");
    }
  }
}

function nameIn(value: Uint8Array): string | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString("utf8"));
    return typeof parsed === "object" && parsed !== null && "name" in parsed ? String(parsed.name) : undefined;
  } catch {
    return undefined;
  }
}
