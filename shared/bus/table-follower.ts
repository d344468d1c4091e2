import { type Clock, MeshError } from "../base/index.ts";
import type { Logger } from "../obs/index.ts";
import { SyncReply, type Table } from "../wire/index.ts";
import type { Bus } from "./bus.ts";
import { directGet, forEachLimited } from "./direct-get.ts";
import { Follow, type FollowSource } from "./follow.ts";
import type { FollowedTable } from "./followed.ts";
import { TableHeads } from "./table-heads.ts";

/*
 * Follows single keys of a table: subscribe, flush, read the key from its bucket, keep the newer of what the two say. So
 * a value is there as soon as the bus answers, whoever is down, and no change after the subscription can be missed but
 * by a lost message, which the next head brings to light.
 *
 * A value is given up only for a newer one, or for a deletion that the bucket confirms, or when it is absent from a bucket whose owner
 * says that everything is in it. A bucket that does not answer, or was just made again, takes nothing away.
 */

export interface TableFollowerOptions {
  readonly bus: Bus;
  readonly table: Table;
  readonly clock: Clock;
  readonly log: Logger;
  /** Throws when the bytes are not a good value: the old one is kept. */
  readonly decode?: (value: Uint8Array, key: string) => unknown;
  /** Who answers `sync` requests; default: a proxy of the connection's name. */
  readonly role?: string;
  readonly name?: string;
  /** How far apart followers spread the reading of everything, in milliseconds; default 1000. */
  readonly spreadMs?: number;
}

const PARALLEL_READS = 32;

export class TableFollower implements FollowedTable {
  readonly #options: TableFollowerOptions;
  readonly #bus: Bus;
  readonly #follows = new Map<string, Follow>();
  readonly #heads: TableHeads;
  readonly #source: FollowSource;

  constructor(options: TableFollowerOptions) {
    this.#options = options;
    this.#bus = options.bus;
    const { bus, table, clock, log, decode, spreadMs } = options;
    this.#heads = new TableHeads({
      bus,
      table,
      clock,
      onDoubt: () => void this.#readAll(),
      onHead: (head, before) => {
        const nowComplete = head.complete && (before?.complete !== true || before.epoch !== head.epoch);
        for (const follow of this.#follows.values()) follow.onHead(head, nowComplete);
      },
      ...(spreadMs === undefined ? {} : { spreadMs }),
    });
    this.#source = {
      bus,
      table,
      clock,
      log: log.child({ table }),
      heads: this.#heads,
      decode,
      read: (key) => directGet(bus, table, key),
    };
  }

  get table(): Table {
    return this.#options.table;
  }

  get followed(): Iterable<Follow> {
    return this.#follows.values();
  }

  get(key: string): Follow | undefined {
    return this.#follows.get(key);
  }

  follow(key: string): Follow {
    const follow = this.#follows.get(key) ?? this.#create(key);
    follow.retain();
    follow.start();
    return follow;
  }

  /**
   * What is known from before (undefined: that there is no such key), to serve until the bus says something newer.
   * Nobody uses it yet; whoever never will has to destroy it.
   */
  seed(key: string, value: Uint8Array | undefined, epoch: number, sequence: number): Follow {
    const follow = this.#follows.get(key) ?? this.#create(key);
    if (value === undefined) follow.acceptAbsence({ epoch, sequence });
    else follow.accept({ epoch, sequence, value });
    follow.start();
    return follow;
  }

  close(): void {
    this.#heads.close();
    for (const follow of [...this.#follows.values()]) follow.destroy();
  }

  #create(key: string): Follow {
    const { role = "proxy", name = this.#bus.name } = this.#options;
    // Who does not live by the key has nothing to apply, and must not be waited for.
    const sync = this.#bus.serve(this.#bus.subjects.sync(this.#options.table, key), () =>
      follow.used ? { type: SyncReply, value: { role, name, ...follow.applied } } : undefined,
    );
    const follow: Follow = new Follow(this.#source, key, () => {
      sync.close();
      this.#follows.delete(key);
    });
    this.#follows.set(key, follow);
    return follow;
  }

  async #readAll(): Promise<void> {
    const follows = [...this.#follows.values()];
    try {
      await forEachLimited(follows, PARALLEL_READS, (follow) => follow.refresh());
    } catch (error) {
      if (!(error instanceof MeshError)) this.#options.log.error({ err: error }, "reading a table again failed");
    }
  }
}
