import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { FollowedKey, FollowedTable } from "../../../shared/bus/index.ts";
import {
  type Destination,
  type Endpoint,
  EndpointSet,
  ServiceConfig,
  type TrafficPolicy,
  tableKey,
} from "../../../shared/wire/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import { compilePolicy } from "../cluster/cluster-policy.ts";
import type { Connector } from "../cluster/connector.ts";
import type { Host } from "../cluster/host.ts";
import { isSource } from "../route/caller.ts";
import { RouteTable } from "../route/route-table.ts";
import { compileRoutes, destinationsOf } from "../route/service-route.ts";
import type { Share } from "../share.ts";
import type { Peer } from "../stream/record.ts";
import { HostSet } from "./host-set.ts";
import { createSnapshot, type ServiceSnapshot } from "./service-snapshot.ts";

/**
 * One service as this proxy follows it: its configuration, its endpoint shards, and the services that its routes lead
 * to. A new configuration comes into force only when everything that it requires is at hand; until then the last
 * snapshot stays, so that no request is ever routed to something that is not there yet. Endpoint changes need no new
 * snapshot: they change the hosts of the clusters that the routes already hold.
 */

export interface ServiceEntryDeps {
  readonly self: Peer;
  /** What rules call this proxy: "mesh" by default. */
  readonly gateways?: readonly string[];
  readonly services: FollowedTable;
  readonly endpoints: FollowedTable;
  readonly connector: Connector;
  readonly clock: Clock;
  /** This proxy's, "region/zone/sub-zone"; empty when it does not know. */
  readonly locality?: string;
  /** Of the limits; default: all. */
  readonly share?: Share;
  /** Another service that a route leads to. */
  entry(namespace: string, service: string): ServiceEntry;
}

type Labels = Readonly<Record<string, string>>;

interface VersionCluster {
  readonly labels: Labels;
  readonly cluster: Cluster;
  readonly hosts: HostSet;
}

export class ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  readonly follow: FollowedKey;
  lastUsedMs = Date.now();
  readonly #deps: ServiceEntryDeps;
  readonly #listeners = new Set<() => void>();
  readonly #clusters = new Map<string, VersionCluster>();
  #endpoints: readonly Endpoint[] = [];
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
    return [...this.#clusters.values()].map((version) => version.cluster);
  }

  /** Of all its clusters: an instance is a host of each that it belongs to. */
  get hosts(): Iterable<Host> {
    return [...this.#clusters.values()].flatMap(({ cluster }) => cluster.hosts);
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
    const key = labelsKey(labels);
    const known = this.#clusters.get(key);
    if (known !== undefined) return known.cluster;
    const { connector, clock, locality = "" } = this.#deps;
    const cluster = new Cluster(`${this.name}.${this.namespace}${key === "" ? "" : `|${key}`}`, { clock, locality });
    const hosts = new HostSet(connector, cluster.breaker);
    const version = { labels, cluster, hosts };
    this.#clusters.set(key, version);
    this.#updateCluster(version);
    return cluster;
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.follow.close();
    for (const shard of this.#shards) shard.close();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { cluster } of this.#clusters.values()) cluster.close();
  }

  /** Called about once a second. */
  sweep(nowMs: number): void {
    for (const { cluster } of this.#clusters.values()) cluster.sweep(nowMs);
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
    this.#endpoints = [...endpoints.values()];
    for (const version of this.#clusters.values()) this.#updateCluster(version);
    this.#rebuild();
    // Other services may wait for just these endpoints.
    this.#changed();
  }

  #updateCluster({ labels, cluster, hosts }: VersionCluster): void {
    const service = { namespace: this.namespace, service: this.name, host: this.#config?.host ?? "" };
    const endpoints = this.#endpoints.filter((endpoint) => hasLabels(endpoint.labels, labels));
    cluster.update(hosts.update(service, endpoints), compilePolicy(this.#policyFor(labels), this.#deps.share));
  }

  /** Labels must be equal, not a part: a policy for all versions is not one for each of them. */
  #policyFor(labels: Labels): TrafficPolicy | undefined {
    const key = labelsKey(labels);
    return this.#config?.policies.find(
      (policy) => isSource(policy.source, this.#deps.self) && labelsKey(policy.labels) === key,
    );
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
        config.routes,
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
    for (const version of this.#clusters.values()) this.#updateCluster(version);
    this.follow.setApplied({ epoch: this.follow.epoch, sequence: this.follow.sequence, revision: config.revision });
    this.#changed();
  }

  /** The first thing that the configuration needs and that is not here yet; following it is started. */
  #missing(config: ServiceConfig): string | undefined {
    let missing: string | undefined;
    const dependencies = new Set<ServiceEntry>();
    for (const route of config.routes) {
      for (const destination of destinationsOf(route)) {
        if (destination.namespace === this.namespace && destination.service === this.name) continue;
        const other = this.#deps.entry(destination.namespace, destination.service);
        if (!dependencies.has(other)) dependencies.add(other);
        if (!other.loaded) missing ??= `service ${destination.service}.${destination.namespace}`;
      }
    }
    this.#depend(dependencies);
    for (const required of config.requires) {
      const table = required.table === "service" ? this.#deps.services : this.#deps.endpoints;
      const follow = table.get(required.key);
      const held =
        follow !== undefined &&
        (follow.epoch > required.epoch || (follow.epoch === required.epoch && follow.sequence >= required.sequence));
      if (!held) missing ??= `${required.table} ${required.key}`;
    }
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

/** One text per set of labels, whatever their order. */
function labelsKey(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",");
}

function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
