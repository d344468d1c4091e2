import { type Clock, errorMessage, fnv1a32 } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { type EndpointInput, EndpointSet } from "../../shared/wire/index.ts";

/**
 * Instances of a service, spread over keys of table `endpoints` so that one instance's coming and going costs its
 * followers a small message however large the service is: shard = fnv1a32(instance) mod n, at most 100 instances each.
 *
 * The first change of a shard is written at once, later ones at most every 200 ms: a rollout of a hundred instances
 * becomes a few messages, a single death is known immediately.
 *
 * n only grows, and doubles when it does, so that old and new shards stay comparable. The new upper half is
 * written first, while the lower half still holds everything; then the service's configuration names the new n; only
 * then does the lower half shrink. At no time does a follower of either n miss an instance.
 *
 * Instances choose their names, so they can choose names of one hash: no n parts those. Growth therefore ends where
 * shards would be nearly empty on average, whatever the fullest one holds.
 */
export interface EndpointTable {
  set(key: string, value: Uint8Array): Promise<unknown>;
  remove(key: string): Promise<unknown>;
}

export interface EndpointShardsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: EndpointTable;
  /** The instances of a service. */
  endpoints(key: string): readonly EndpointInput[];
  /** The service must be announced with its new number of shards. */
  onGrown(service: string): void;
  /** Between two writes of one shard; default 200 ms. */
  readonly periodMs?: number;
  /** Default 100. */
  readonly maxPerShard?: number;
}

const RETRY_MS = 1000;
/** Shards are not split further when they would hold fewer than this part of what they may, on average. */
const LEAST_FILL = 1 / 8;

interface Shard {
  readonly key: string;
  readonly index: number;
  dirty: boolean;
  writtenMs: number;
  cancel: (() => void) | undefined;
  writing: Promise<boolean> | undefined;
}

interface ServiceShards {
  /** The number that followers know. */
  announced: number;
  /** The number that they are to know. */
  wanted: number;
  readonly shards: Shard[];
}

export class EndpointShards {
  readonly #options: EndpointShardsOptions;
  readonly #periodMs: number;
  readonly #maxPerShard: number;
  readonly #services = new Map<string, ServiceShards>();
  #paused = true;
  #stopped = false;

  constructor(options: EndpointShardsOptions) {
    this.#options = options;
    this.#periodMs = options.periodMs ?? 200;
    this.#maxPerShard = options.maxPerShard ?? 100;
  }

  /** Starts to write: everything is known that instances come from. Until then changes are only noted. */
  begin(): void {
    this.#paused = false;
    for (const [service, state] of this.#services) for (const shard of state.shards) this.#schedule(service, shard);
  }

  /** Takes over the number of shards that an earlier leader announced. */
  restore(service: string, announced: number): void {
    const state = this.#stateOf(service);
    state.announced = Math.max(1, announced);
    state.wanted = state.announced;
    this.#extend(service, state);
  }

  /** The number to announce. */
  count(service: string): number {
    return this.#services.get(service)?.wanted ?? 1;
  }

  /** Keys in table `endpoints` of the shards to announce. */
  keys(service: string): string[] {
    const state = this.#services.get(service);
    return state === undefined ? [] : state.shards.slice(0, state.wanted).map((shard) => shard.key);
  }

  /** These instances of the service came, went or changed. */
  touch(service: string, instances: Iterable<string>): void {
    const state = this.#stateOf(service);
    for (const instance of instances) {
      const hash = fnv1a32(instance);
      this.#mark(state, hash % state.announced);
      this.#mark(state, hash % state.wanted);
    }
    this.#growIfNeeded(service, state);
    for (const shard of state.shards) this.#schedule(service, shard);
  }

  touchAll(service: string): void {
    const state = this.#stateOf(service);
    this.#growIfNeeded(service, state);
    for (const shard of state.shards) {
      shard.dirty = true;
      this.#schedule(service, shard);
    }
  }

  /** Writes what is waiting for its turn, now. Returns false when the bus did not take all of it. */
  async flush(service: string): Promise<boolean> {
    const state = this.#services.get(service);
    if (state === undefined) return true;
    const results = await Promise.all(state.shards.map((shard) => this.#write(service, shard)));
    return results.every((written) => written);
  }

  /** The service's configuration with `count` shards is out: the old ones may shrink. */
  announced(service: string, count: number): void {
    const state = this.#services.get(service);
    if (state === undefined || state.announced >= count) return;
    const before = state.announced;
    state.announced = count;
    for (const shard of state.shards.slice(0, before)) {
      shard.dirty = true;
      this.#schedule(service, shard);
    }
  }

  /** Removes the shards of a service that is gone. */
  async remove(service: string): Promise<void> {
    const state = this.#services.get(service);
    if (state === undefined) return;
    this.#services.delete(service);
    for (const shard of state.shards) {
      shard.cancel?.();
      await shard.writing;
      await this.#options.table.remove(shard.key);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const state of this.#services.values()) {
      for (const shard of state.shards) shard.cancel?.();
    }
  }

  #stateOf(service: string): ServiceShards {
    let state = this.#services.get(service);
    if (state === undefined) {
      state = { announced: 1, wanted: 1, shards: [] };
      this.#services.set(service, state);
      this.#extend(service, state);
    }
    return state;
  }

  #extend(service: string, state: ServiceShards): void {
    for (let index = state.shards.length; index < state.wanted; index++) {
      const key = `${service}.${index}`;
      state.shards.push({ key, index, dirty: true, writtenMs: -Infinity, cancel: undefined, writing: undefined });
    }
  }

  #mark(state: ServiceShards, index: number): void {
    const shard = state.shards[index];
    if (shard !== undefined) shard.dirty = true;
  }

  #growIfNeeded(service: string, state: ServiceShards): void {
    // One step at a time: not before the last one was announced.
    if (state.wanted !== state.announced) return;
    const endpoints = this.#options.endpoints(service);
    if (
      endpoints.length <= this.#maxPerShard * state.wanted &&
      this.#largest(endpoints, state.wanted) <= this.#maxPerShard
    )
      return;
    let wanted = state.wanted;
    while (
      this.#largest(endpoints, wanted) > this.#maxPerShard &&
      wanted * 2 * this.#maxPerShard * LEAST_FILL <= endpoints.length
    )
      wanted *= 2;
    if (wanted === state.wanted) return;
    state.wanted = wanted;
    this.#extend(service, state);
    this.#options.onGrown(service);
  }

  #largest(endpoints: readonly EndpointInput[], count: number): number {
    const sizes = new Array<number>(count).fill(0);
    for (const endpoint of endpoints) {
      const index = fnv1a32(endpoint.instance ?? "") % count;
      sizes[index] = (sizes[index] ?? 0) + 1;
    }
    return sizes.reduce((largest, size) => Math.max(largest, size), 0);
  }

  #schedule(service: string, shard: Shard): void {
    if (!shard.dirty || shard.cancel !== undefined || this.#paused || this.#stopped) return;
    const waitMs = shard.writtenMs + this.#periodMs - this.#options.clock.monotonic();
    if (waitMs <= 0 && shard.writing === undefined) {
      void this.#write(service, shard);
      return;
    }
    shard.cancel = this.#options.clock.after(Math.max(waitMs, 1), () => {
      shard.cancel = undefined;
      void this.#write(service, shard);
    });
  }

  async #write(service: string, shard: Shard): Promise<boolean> {
    while (shard.writing !== undefined) await shard.writing;
    if (!shard.dirty || this.#paused || this.#stopped || !this.#services.has(service)) return !shard.dirty;
    shard.cancel?.();
    shard.cancel = undefined;
    shard.dirty = false;
    shard.writtenMs = this.#options.clock.monotonic();
    const bytes = EndpointSet.encode({ endpoints: this.#content(service, shard.index) });
    shard.writing = this.#options.table.set(shard.key, bytes).then(
      () => true,
      (error: unknown) => {
        this.#options.log.warn({ key: shard.key, reason: errorMessage(error) }, "endpoints not written, trying again");
        shard.dirty = true;
        shard.writtenMs = this.#options.clock.monotonic() + RETRY_MS;
        return false;
      },
    );
    const written = await shard.writing;
    shard.writing = undefined;
    if (shard.dirty) this.#schedule(service, shard);
    return written;
  }

  #content(service: string, index: number): EndpointInput[] {
    const state = this.#services.get(service);
    const endpoints = this.#options.endpoints(service);
    if (state === undefined) return [];
    const count = index < state.announced ? state.announced : state.wanted;
    return endpoints.filter((endpoint) => fnv1a32(endpoint.instance ?? "") % count === index);
  }
}
