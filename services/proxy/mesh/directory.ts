import type { Clock } from "../../../shared/base/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { ServiceEntry, type ServiceEntryDeps } from "./service-entry.ts";
import type { ServiceSnapshot } from "./service-snapshot.ts";

/**
 * The services that this proxy knows: those that its application has called, and those that their routes lead to.
 * Following begins with the first request for a service, which is held until the bus has answered; interest is scope.
 * What has not been used for a while is forgotten.
 */

/** How long the first request for a service is held. */
export const HOLD_MS = 1_000;
/** Names that do not exist are asked for again after this, and forgotten when unused this long. */
const NEGATIVE_MS = 5_000;
/** How long what nobody uses is followed. */
export const IDLE_MS = 600_000;
const SWEEP_MS = 1_000;
/** Names come from requests: more than these are not followed. */
const MAX_ENTRIES = 10_000;

export type Lookup =
  | { readonly state: "present"; readonly snapshot: ServiceSnapshot }
  | { readonly state: "absent" }
  | { readonly state: "unavailable" };

const ABSENT: Lookup = { state: "absent" };
const UNAVAILABLE: Lookup = { state: "unavailable" };

export type DirectoryOptions = Omit<ServiceEntryDeps, "entry">;

export class Directory {
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #pinned = new Set<ServiceEntry>();
  readonly #deps: ServiceEntryDeps;
  readonly #clock: Clock;
  readonly #stopSweep: () => void;

  constructor(options: DirectoryOptions) {
    this.#clock = options.clock;
    this.#deps = { ...options, entry: (namespace, service) => this.entry(namespace, service) };
    this.#stopSweep = options.clock.every(SWEEP_MS, () => this.#sweep());
  }

  get entries(): Iterable<ServiceEntry> {
    return this.#entries.values();
  }

  /** The entry of a service, followed from now on. */
  entry(namespace: string, service: string): ServiceEntry {
    const key = `${namespace}/${service}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry = new ServiceEntry(namespace, service, this.#deps);
    this.#entries.set(key, entry);
    return entry;
  }

  /** An entry that is never forgotten: a gateway's destinations, the proxy's own service. */
  pin(namespace: string, service: string): ServiceEntry {
    const entry = this.entry(namespace, service);
    this.#pinned.add(entry);
    return entry;
  }

  unpin(entry: ServiceEntry): void {
    this.#pinned.delete(entry);
  }

  /** At once when the service is known; a promise, of at most HOLD_MS, while it is not. */
  lookup(namespace: string, service: string): Lookup | Promise<Lookup> {
    const key = `${namespace}/${service}`;
    const entry = this.#entries.get(key);
    if (entry === undefined && this.#entries.size >= MAX_ENTRIES) return ABSENT;
    return this.look(entry ?? this.entry(namespace, service));
  }

  look(entry: ServiceEntry): Lookup | Promise<Lookup> {
    entry.lastUsedMs = Date.now();
    const { snapshot } = entry;
    if (snapshot !== undefined) return { state: "present", snapshot };
    if (entry.absent) return ABSENT;
    return this.#hold(entry);
  }

  /** The instances of a cluster's host, for the admin API. */
  *clusters(): Iterable<Cluster> {
    for (const entry of this.#entries.values()) yield* entry.clusters;
  }

  close(): void {
    this.#stopSweep();
    for (const entry of this.#entries.values()) entry.close();
    this.#entries.clear();
  }

  #hold(entry: ServiceEntry): Promise<Lookup> {
    return new Promise((resolve) => {
      const settle = (lookup: Lookup): void => {
        cancel();
        stop();
        resolve(lookup);
      };
      const cancel = this.#clock.after(HOLD_MS, () => settle(UNAVAILABLE));
      const stop = entry.onChange(() => {
        if (entry.snapshot !== undefined) settle({ state: "present", snapshot: entry.snapshot });
        else if (entry.absent) settle(ABSENT);
      });
    });
  }

  #sweep(): void {
    const now = Date.now();
    const needed = new Set<ServiceEntry>(this.#pinned);
    for (const entry of this.#entries.values()) for (const dependency of entry.dependencies) needed.add(dependency);
    for (const [key, entry] of this.#entries) {
      entry.sweep(now);
      const limit = entry.absent ? NEGATIVE_MS : IDLE_MS;
      if (needed.has(entry) || now - entry.lastUsedMs < limit) continue;
      this.#entries.delete(key);
      entry.close();
    }
  }
}
