import { errorMessage } from "../../../shared/base/index.ts";
import type { Follow, TableFollower } from "../../../shared/bus/index.ts";
import {
  type Endpoint,
  EndpointSet,
  type Route,
  ServiceConfig,
  type TrafficPolicy,
  tableKey,
} from "../../../shared/wire/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { PoolOptions } from "../cluster/connection-pool.ts";
import type { Connector } from "../cluster/connector.ts";
import { Host, type HostPort } from "../cluster/host.ts";
import { compileRoutes, isSource } from "../route/service-route.ts";
import type { Peer } from "../stream/record.ts";
import type { ServiceSnapshot } from "./service-snapshot.ts";

/**
 * One service as this proxy follows it: its configuration, its endpoint shards, and the services that its routes lead
 * to. A new configuration comes into force only when everything that it requires is at hand; until then the last
 * snapshot stays, so that no request is ever routed to something that is not there yet. Endpoint changes need no new
 * snapshot: they change the hosts of the clusters that the routes already hold.
 */

export interface ServiceEntryDeps {
  readonly self: Peer;
  readonly services: TableFollower;
  readonly endpoints: TableFollower;
  readonly connector: Connector;
  readonly pool: PoolOptions;
  /** Another service that a route leads to. */
  entry(namespace: string, service: string): ServiceEntry;
}

type Labels = Readonly<Record<string, string>>;

interface VersionCluster {
  readonly labels: Labels;
  readonly cluster: Cluster;
}

export class ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  readonly follow: Follow;
  lastUsedMs = Date.now();
  readonly #deps: ServiceEntryDeps;
  readonly #listeners = new Set<() => void>();
  readonly #clusters = new Map<string, VersionCluster>();
  readonly #hosts = new Map<string, { readonly host: Host; readonly identity: string }>();
  #shards: Follow[] = [];
  #dependencies = new Set<ServiceEntry>();
  #unsubscribe: (() => void)[] = [];
  #config: ServiceConfig | undefined;
  #snapshot: ServiceSnapshot | undefined;
  #rebuilding = false;

  constructor(namespace: string, name: string, deps: ServiceEntryDeps) {
    this.namespace = namespace;
    this.name = name;
    this.#deps = deps;
    this.follow = deps.services.follow(tableKey(namespace, name));
    this.follow.onChange(() => this.#onConfig());
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

  get hosts(): Iterable<Host> {
    return [...this.#hosts.values()].map((entry) => entry.host);
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
    const cluster = new Cluster(`${this.name}.${this.namespace}${key === "" ? "" : `|${key}`}`);
    this.#clusters.set(key, { labels, cluster });
    this.#updateCluster({ labels, cluster });
    return cluster;
  }

  close(): void {
    this.follow.close();
    for (const shard of this.#shards) shard.close();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { host } of this.#hosts.values()) host.close();
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
      shard.onChange(() => this.#onEndpoints());
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
    const seen = new Set<string>();
    for (const shard of this.#shards) {
      const endpoints = shard.value === undefined ? [] : EndpointSet.decode(shard.value).endpoints;
      for (const endpoint of endpoints) {
        seen.add(endpoint.instance);
        this.#updateHost(endpoint);
      }
      shard.setApplied({ epoch: shard.epoch, sequence: shard.sequence, revision: 0 });
    }
    for (const [instance, { host }] of this.#hosts) {
      if (seen.has(instance)) continue;
      this.#hosts.delete(instance);
      host.close();
    }
    for (const version of this.#clusters.values()) this.#updateCluster(version);
    this.#rebuild();
    // Other services may wait for just these endpoints.
    this.#changed();
  }

  /** A host that only changed its health keeps its connections. */
  #updateHost(endpoint: Endpoint): void {
    const identity = JSON.stringify([
      endpoint.address,
      endpoint.ports,
      endpoint.labels,
      endpoint.principal,
      endpoint.plaintext,
    ]);
    const known = this.#hosts.get(endpoint.instance);
    if (known?.identity === identity) {
      known.host.healthy = endpoint.healthy;
      return;
    }
    known?.host.close();
    const ports = new Map<number, HostPort>(
      endpoint.ports.map((port) => [
        port.number,
        { address: endpoint.address, port: port.addressPort, plaintext: endpoint.plaintext },
      ]),
    );
    const peer: Peer = {
      namespace: this.namespace,
      service: this.name,
      host: this.#config?.host ?? "",
      workload: endpoint.workload,
      instance: endpoint.instance,
      principal: endpoint.plaintext ? "" : endpoint.principal,
      labels: endpoint.labels,
      ip: endpoint.address,
      port: endpoint.ports[0]?.number ?? 0,
    };
    const host = new Host(peer, endpoint.healthy, ports, this.#deps.connector, this.#deps.pool);
    this.#hosts.set(endpoint.instance, { host, identity });
  }

  #updateCluster({ labels, cluster }: VersionCluster): void {
    const hosts = [...this.#hosts.values()]
      .map((entry) => entry.host)
      .filter((host) => hasLabels(host.peer.labels, labels));
    cluster.update(hosts, this.#policyFor(labels)?.loadBalancing || "ROUND_ROBIN");
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
      snapshot = {
        namespace: config.namespace,
        name: config.name,
        host: config.host,
        ports: new Map(config.ports.map((port) => [port.number, port.protocol])),
        routes: compileRoutes(config.routes, this.#deps.self, (route, index) => this.#clusterOf(route, index)),
        serviceAccounts: new Set(config.serviceAccounts),
        config,
      };
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
      for (const { destination } of route.destinations) {
        if (destination === null || destination === undefined) continue;
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

  #clusterOf(route: Route, index: number): Cluster {
    const destination = route.destinations[index]?.destination;
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
