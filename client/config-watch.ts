import { Backoff, errorMessage, LruMap, sleep, systemClock } from "../shared/base/index.ts";
import type { Bus, BusMessage } from "../shared/bus/index.ts";
import { createKindRegistry, type Resource, revisionOf } from "../shared/model/index.ts";
import { kindToken, tableKey } from "../shared/wire/index.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import type { ConfigClient } from "./config-client.ts";
import { isTombstone, type ResourceVersion, type Tombstone } from "./resources.ts";
import { StreamScope } from "./stream-scope.ts";

/**
 * Configuration as it changes. First what is there, then every change, in the order of their revisions for each
 * resource; none is told twice and, in the end, none is missed.
 *
 * Changes come as broadcasts, which may be lost: while the connection is away, or when this program reads too slowly. So
 * after each of these the list is read again and compared with what was told: what differs is told as a change. A resource
 * that is missing from the list counts as deleted only when its history says so, since a replica of Pilot may answer from a
 * moment ago. What lies between two looks (created and deleted again meanwhile) is not told.
 */
export type ConfigEvent =
  | { readonly type: "added" | "modified"; readonly revision: number; readonly resource: Resource }
  | { readonly type: "deleted"; readonly revision: number; readonly resource: Tombstone }
  /** What was there at the start has been told. */
  | { readonly type: "synced" };

export interface WatchOptions {
  /** Any of these kinds, in any spelling; default: all. */
  readonly kinds?: readonly string[];
  /** Default: all. */
  readonly namespace?: string;
  /** Default: all. */
  readonly name?: string;
  /** Whether to tell what is there already; default true. */
  readonly initial?: boolean;
  /** Events that may wait to be read; beyond, the list is read again when they have been. Default 10 000. */
  readonly capacity?: number;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

interface Told {
  readonly revision: number;
  readonly isDeleted: boolean;
}

const DEFAULT_CAPACITY = 10_000;
const MAX_DELETED_KEPT = 10_000;
const MAX_DELETION_LOOKS = 3;
const LOOK_AGAIN_MS = 200;
const RETRY = { baseMs: 500, maxMs: 10_000 } as const;

export class ConfigWatch implements AsyncIterableIterator<ConfigEvent> {
  readonly #bus: Bus;
  readonly #client: ConfigClient;
  readonly #options: WatchOptions;
  readonly #kinds: ReadonlySet<string> | undefined;
  readonly #present = new Map<string, Told>();
  readonly #deleted = new LruMap<string, Told>(MAX_DELETED_KEPT);
  readonly #queue: BoundedQueue<ConfigEvent>;
  readonly #stopping = new AbortController();
  readonly #closers: (() => void)[] = [];
  #isBehind = true;
  #isListing = false;
  #isSynced = false;

  /** Throws InvalidArgumentError for a kind that is not known. */
  constructor(bus: Bus, client: ConfigClient, options: WatchOptions = {}, scope = new StreamScope()) {
    this.#bus = bus;
    this.#client = client;
    this.#options = options;
    const registry = createKindRegistry();
    this.#kinds = options.kinds && new Set(options.kinds.map((spelling) => registry.resolve(spelling).kind));
    this.#queue = new BoundedQueue(options.capacity ?? DEFAULT_CAPACITY, () => this.#stop());
    for (const subject of this.#subjects()) {
      const subscription = bus.subscribe(subject, (message) => this.#onChange(message));
      this.#closers.push(() => subscription.close());
    }
    this.#closers.push(
      bus.onState((state) => {
        if (state !== "disconnected") this.#catchUp();
      }),
    );
    this.#closers.push(scope.enter(this.#queue, options.signal));
    this.#catchUp();
  }

  async next(): Promise<IteratorResult<ConfigEvent>> {
    if (this.#queue.length === 0 && this.#isBehind) this.#catchUp();
    return this.#queue.next();
  }

  async return(): Promise<IteratorResult<ConfigEvent>> {
    return this.#queue.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #stop(): void {
    this.#stopping.abort();
    for (const close of this.#closers.splice(0)) close();
  }

  #subjects(): readonly string[] {
    const { namespace, name } = this.#options;
    const ending = `${namespace === undefined ? "*" : tableKey(namespace)}.${name === undefined ? "*" : tableKey(name)}`;
    const kinds = this.#kinds === undefined ? ["*"] : [...this.#kinds].map(kindToken);
    return kinds.map((kind) => this.#bus.subjects.table("config", `${kind}.${ending}`));
  }

  #isWanted({ kind, metadata }: ResourceVersion): boolean {
    const { namespace, name } = this.#options;
    return (
      (this.#kinds?.has(kind) ?? true) &&
      (namespace === undefined || metadata.namespace === namespace) &&
      (name === undefined || metadata.name === name)
    );
  }

  #onChange(message: BusMessage): void {
    const version = JSON.parse(message.text()) as ResourceVersion;
    if (this.#isWanted(version)) this.#observe(version);
  }

  /** Tells what is newer than what was told; when there is no room, it is told later. */
  #observe(version: ResourceVersion): void {
    const key = keyOf(version);
    const told = this.#present.get(key) ?? this.#deleted.get(key);
    const revision = revisionOf(version);
    if (told !== undefined && told.revision >= revision) return;
    if (this.#queue.isFull) {
      this.#isBehind = true;
      return;
    }
    const isNew = told === undefined || told.isDeleted;
    const isQuiet = !this.#isSynced && this.#options.initial === false;
    if (isTombstone(version)) {
      this.#present.delete(key);
      this.#deleted.set(key, { revision, isDeleted: true });
      if (!isNew && !isQuiet) this.#queue.push({ type: "deleted", revision, resource: version });
      return;
    }
    this.#deleted.delete(key);
    this.#present.set(key, { revision, isDeleted: false });
    if (!isQuiet) this.#queue.push({ type: isNew ? "added" : "modified", revision, resource: version });
  }

  /** Reads the list until nothing is missing. The first time a failure ends the watch; later it is tried again. */
  #catchUp(): void {
    this.#isBehind = true;
    if (this.#isListing || this.#stopping.signal.aborted) return;
    this.#isListing = true;
    void this.#readUntilCurrent()
      .catch((error: unknown) => this.#queue.fail(error))
      .finally(() => {
        this.#isListing = false;
        // Asked for again just now, or room was made meanwhile.
        if (this.#isBehind && !this.#queue.isFull) this.#catchUp();
      });
  }

  async #readUntilCurrent(): Promise<void> {
    const backoff = new Backoff(RETRY);
    const { signal } = this.#stopping;
    while (this.#isBehind && !signal.aborted) {
      this.#isBehind = false;
      try {
        // What the server has not yet been asked for would be missed between the list and the subscription.
        await this.#bus.flush();
        await this.#readOnce();
      } catch (error) {
        this.#isBehind = true;
        if (!this.#isSynced) throw error;
        this.#bus.log.warn({ reason: errorMessage(error) }, "the list of configuration cannot be read; trying again");
        await sleep(systemClock, backoff.nextMs(), signal).catch(() => undefined);
        continue;
      }
      // Without room the rest is read when the queue has been.
      if (this.#queue.isFull) this.#isBehind ||= !this.#isSynced;
      if (this.#isBehind && this.#queue.isFull) return;
      if (this.#isSynced || this.#isBehind) continue;
      this.#isSynced = true;
      this.#queue.push({ type: "synced" });
    }
  }

  async #readOnce(): Promise<void> {
    const before = new Map(this.#present);
    const { namespace } = this.#options;
    for (const kind of this.#kinds ?? [undefined]) {
      const query = { ...(kind !== undefined && { kind }), ...(namespace !== undefined && { namespace }) };
      for (const resource of await this.#client.list(query)) {
        before.delete(keyOf(resource));
        if (this.#isWanted(resource)) this.#observe(resource);
      }
    }
    for (const [key, told] of before) if (this.#present.get(key) === told) await this.#lookForDeletion(key, told);
  }

  async #lookForDeletion(key: string, told: Told): Promise<void> {
    const [kind = "", namespace = "", name = ""] = key.split("/");
    for (let look = 0; look < MAX_DELETION_LOOKS; look++) {
      if (look > 0) await sleep(systemClock, LOOK_AGAIN_MS, this.#stopping.signal);
      const versions = await this.#client.history({ kind, namespace, name }).catch(whenNotFound);
      const [newest] = versions;
      if (newest === undefined) continue;
      this.#observe(newest);
      return;
    }
    // Nobody remembers it any more.
    const metadata = { name, namespace, resourceVersion: String(told.revision + 1) };
    if (this.#present.get(key) === told) this.#observe({ apiVersion: "", kind, metadata, deleted: true });
  }
}

function keyOf({ kind, metadata }: ResourceVersion): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

function whenNotFound(error: unknown): readonly ResourceVersion[] {
  if (error instanceof Error && "code" in error && error.code === "ERR_MESH_NOT_FOUND") return [];
  throw error;
}
