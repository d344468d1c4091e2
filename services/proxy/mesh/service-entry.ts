import { errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import { type Destination, type Endpoint, EndpointSet, ServiceConfig, tableKey } from "../../../shared/wire/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { RouteTable } from "../route/route-table.ts";
import { compileRoutes, destinationsOf, routesFor } from "../route/service-route.ts";
import type { DnsBook } from "./dns-book.ts";
import { EndpointNames, type Instance } from "./endpoint-names.ts";
import { firstUnheld } from "./requirements.ts";
import { ServiceClusters, type ServiceClustersDeps } from "./service-clusters.ts";
import type { Labels } from "./service-policies.ts";
import { createSnapshot, type ServiceSnapshot } from "./service-snapshot.ts";

/**
 * One service as this proxy follows it: its configuration, its endpoint shards, and the services that its routes lead
 * to. A new configuration comes into force only when everything that it requires is at hand; until then the last
 * snapshot stays, so that no request is ever routed to something that is not there yet. Endpoint changes need no new
 * snapshot: they change the hosts of the clusters that the routes already hold.
 */

export interface ServiceEntryDeps extends ServiceClustersDeps {
  /** What rules call this proxy: "mesh" by default. */
  readonly gateways?: readonly string[];
  readonly services: FollowedTable;
  readonly endpoints: FollowedTable;
  /** Undefined: names of endpoints are left to whoever connects. */
  readonly dns?: DnsBook;
  /** Another service that a route leads to. */
  entry(namespace: string, service: string): ServiceEntry;
}

export class ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  readonly follow: FollowedKey;
  lastUsedMs = Date.now();
  readonly #deps: ServiceEntryDeps;
  readonly #listeners = new Set<() => void>();
  readonly #clusters: ServiceClusters;
  readonly #names: EndpointNames | undefined;
  /** As they are listed, and with their names resolved. */
  #listed: readonly Endpoint[] = [];
  #endpoints: readonly Instance[] = [];
  #shards: FollowedKey[] = [];
  #dependencies = new Set<ServiceEntry>();
  #unsubscribe: (() => void)[] = [];
  /** Keys may be followed on by others: what they tell is none of a closed entry's business. */
  readonly #stopListening: (() => void)[] = [];
  #config: ServiceConfig | undefined;
  #snapshot: ServiceSnapshot | undefined;
  #rebuilding = false;

  constructor(namespace: string, name: string, deps: ServiceEntryDeps) {
    this.namespace = namespace;
    this.name = name;
    this.#deps = deps;
    this.#clusters = new ServiceClusters(namespace, name, deps);
    this.#names = deps.dns && new EndpointNames(deps.dns, () => this.#useEndpoints());
    this.follow = deps.services.follow(tableKey(namespace, name));
    this.#stopListening.push(this.follow.onChange(() => this.#onConfig()));
    this.#onConfig();
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  /** Whether the bus has answered that there is no such service. */
  get absent(): boolean {
    return this.follow.state === "absent";
  }

  /** Whether its configuration and its endpoints (or their absence) are known: others may route to it. */
  get loaded(): boolean {
    return this.absent || (this.#config !== undefined && this.#shardsKnown);
  }

  get clusters(): Iterable<Cluster> {
    return this.#clusters;
  }

  /** Who may serve it. Others route to its instances even while its own routes still wait for something. */
  get serviceAccounts(): ReadonlySet<string> {
    return this.#snapshot?.serviceAccounts ?? new Set(this.#config?.serviceAccounts);
  }

  /** The numbers of its ports, as far as its configuration is known. */
  get ports(): readonly number[] {
    return this.#config?.ports.map(({ number }) => number) ?? [];
  }

  /** Entries that this one keeps alive. */
  get dependencies(): ReadonlySet<ServiceEntry> {
    return this.#dependencies;
  }

  /** Called after each change of snapshot or of absence. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The instances with these labels. */
  cluster(labels: Labels): Cluster {
    return this.#clusters.of(labels);
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.follow.close();
    for (const shard of this.#shards) shard.close();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#names?.close();
    this.#clusters.close();
  }

  /** Called about once a second. */
  sweep(nowMs: number): void {
    this.#clusters.sweep(nowMs);
  }

  #onConfig(): void {
    const { value } = this.follow;
    if (value === undefined) {
      this.#config = undefined;
      this.#snapshot = undefined;
      this.#changed();
      return;
    }
    const config = ServiceConfig.decode(value);
    this.#config = config;
    this.#followShards(config.endpointShards);
    this.#rebuild();
  }

  #followShards(count: number): void {
    for (const removed of this.#shards.splice(count)) removed.close();
    while (this.#shards.length < count) {
      const shard = this.#deps.endpoints.follow(tableKey(this.namespace, this.name, String(this.#shards.length)));
      this.#stopListening.push(shard.onChange(() => this.#onEndpoints()));
      this.#shards.push(shard);
    }
    this.#onEndpoints();
  }

  /** All shards are known, or the bus has nothing to say about them. */
  get #shardsKnown(): boolean {
    return this.#shards.every((shard) => shard.state === "present" || shard.state === "absent");
  }

  #onEndpoints(): void {
    if (!this.#shardsKnown) return;
    const endpoints = new Map<string, Endpoint>();
    for (const shard of this.#shards) {
      const held = shard.value === undefined ? [] : EndpointSet.decode(shard.value).endpoints;
      for (const endpoint of held) endpoints.set(endpoint.instance, endpoint);
      shard.setApplied({ epoch: shard.epoch, sequence: shard.sequence, revision: 0 });
    }
    this.#listed = [...endpoints.values()];
    this.#useEndpoints();
    this.#rebuild();
    // Other services may wait for just these endpoints.
    this.#changed();
  }

  #useEndpoints(): void {
    this.#endpoints = this.#names?.resolve(this.#listed) ?? this.#listed;
    this.#clusters.update(this.#config, this.#endpoints);
  }

  #rebuild(): void {
    const config = this.#config;
    if (config === undefined || this.#rebuilding) return;
    // Making clusters of other services may call back here.
    this.#rebuilding = true;
    try {
      this.#rebuildFrom(config);
    } finally {
      this.#rebuilding = false;
    }
  }

  #rebuildFrom(config: ServiceConfig): void {
    if (this.#snapshot?.config === config) return;
    const waiting = this.#missing(config);
    if (waiting !== undefined) {
      this.follow.setApplied({ ...this.follow.applied, reason: `waiting for ${waiting}` });
      return;
    }
    let snapshot: ServiceSnapshot;
    try {
      const routes = compileRoutes(
        routesFor(config, this.#deps.self.namespace),
        this.#deps.self,
        (destination) => this.#clusterOf(destination),
        this.#deps.gateways,
      );
      snapshot = createSnapshot(config, new RouteTable(routes));
    } catch (error) {
      this.follow.setApplied({ ...this.follow.applied, reason: errorMessage(error) });
      return;
    }
    this.#snapshot = snapshot;
    this.#clusters.update(config, this.#endpoints);
    this.follow.setApplied({ epoch: this.follow.epoch, sequence: this.follow.sequence, revision: config.revision });
    this.#changed();
  }

  /** The first thing that the configuration needs and that is not here yet; following it is started. */
  #missing(config: ServiceConfig): string | undefined {
    let missing: string | undefined;
    const dependencies = new Set<ServiceEntry>();
    for (const route of routesFor(config, this.#deps.self.namespace)) {
      for (const destination of destinationsOf(route)) {
        if (destination.namespace === this.namespace && destination.service === this.name) continue;
        const other = this.#deps.entry(destination.namespace, destination.service);
        if (!dependencies.has(other)) dependencies.add(other);
        if (!other.loaded) missing ??= `service ${destination.service}.${destination.namespace}`;
      }
    }
    this.#depend(dependencies);
    const used = new Set([this.follow.key, ...[...dependencies].map(({ follow }) => follow.key)]);
    missing ??= firstUnheld(config.requires, this.#deps, used);
    if (!this.#shardsKnown) missing ??= `endpoints of ${this.name}.${this.namespace}`;
    return missing;
  }

  #depend(dependencies: Set<ServiceEntry>): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#dependencies = dependencies;
    for (const other of dependencies) this.#unsubscribe.push(other.onChange(() => this.#rebuild()));
  }

  #clusterOf(destination: Destination | null | undefined): Cluster {
    if (destination === null || destination === undefined) return this.cluster({});
    if (destination.namespace === this.namespace && destination.service === this.name)
      return this.cluster(destination.labels);
    return this.#deps.entry(destination.namespace, destination.service).cluster(destination.labels);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
