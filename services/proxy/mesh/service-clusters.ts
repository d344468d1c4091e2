import type { Clock } from "../../../shared/base/index.ts";
import type { ServiceConfig } from "../../../shared/wire/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import { type ClusterPolicy, compilePolicy } from "../cluster/cluster-policy.ts";
import type { Connector } from "../cluster/connector.ts";
import { PASSTHROUGH } from "../cluster/create-balancer.ts";
import type { Share } from "../share.ts";
import type { Peer } from "../stream/record.ts";
import type { Instance } from "./endpoint-names.ts";
import { HostSet } from "./host-set.ts";
import { hasLabels, type Labels, labelsKey, ServicePolicies } from "./service-policies.ts";

/**
 * The clusters of one service: one for each set of labels that routes name, and beside it one for each port of which a
 * policy speaks apart. They outlive the snapshots that name them: what changes is who their hosts are and which policy
 * they have.
 */
export interface ServiceClustersDeps {
  readonly self: Peer;
  readonly connector: Connector;
  readonly clock: Clock;
  /** This proxy's, "region/zone/sub-zone"; empty when it does not know. */
  readonly locality?: string;
  /** Of the limits; default: all. */
  readonly share?: Share;
}

interface PortCluster {
  readonly cluster: Cluster;
  readonly hosts: HostSet;
}

interface VersionClusters {
  readonly labels: Labels;
  readonly all: PortCluster;
  /** Only of ports with a policy of their own. */
  readonly ports: Map<number, PortCluster>;
}

export class ServiceClusters {
  readonly #name: Pick<Peer, "namespace" | "service">;
  readonly #deps: ServiceClustersDeps;
  readonly #versions = new Map<string, VersionClusters>();
  #host = "";
  #passesThrough = false;
  #policies: ServicePolicies;
  #endpoints: readonly Instance[] = [];

  constructor(namespace: string, service: string, deps: ServiceClustersDeps) {
    this.#name = { namespace, service };
    this.#deps = deps;
    this.#policies = new ServicePolicies([], deps.self);
  }

  /** The instances with these labels. */
  of(labels: Labels): Cluster {
    const key = labelsKey(labels);
    const known = this.#versions.get(key);
    if (known !== undefined) return known.all.cluster;
    const version = { labels, all: this.#create(labels, 0), ports: new Map<number, PortCluster>() };
    this.#versions.set(key, version);
    this.#update(version);
    return version.all.cluster;
  }

  *[Symbol.iterator](): Iterator<Cluster> {
    for (const { all, ports } of this.#versions.values()) {
      yield all.cluster;
      for (const { cluster } of ports.values()) yield cluster;
    }
  }

  update(config: ServiceConfig | undefined, endpoints: readonly Instance[]): void {
    this.#host = config?.host ?? "";
    this.#passesThrough = config?.passthrough ?? false;
    this.#policies = new ServicePolicies(config?.policies ?? [], this.#deps.self);
    this.#endpoints = endpoints;
    for (const version of this.#versions.values()) this.#update(version);
  }

  /** Called about once a second. */
  sweep(nowMs: number): void {
    for (const cluster of this) cluster.sweep(nowMs);
  }

  close(): void {
    for (const cluster of this) cluster.close();
  }

  #create(labels: Labels, port: number): PortCluster {
    const { connector, clock, locality = "" } = this.#deps;
    const { namespace, service } = this.#name;
    const key = labelsKey(labels);
    const name = `${service}.${namespace}${port === 0 ? "" : `:${port}`}${key === "" ? "" : `|${key}`}`;
    const cluster = new Cluster(name, { clock, locality });
    return { cluster, hosts: new HostSet(connector, cluster.breaker) };
  }

  #update({ labels, all, ports }: VersionClusters): void {
    const endpoints = this.#endpoints.filter((endpoint) => hasLabels(endpoint.labels, labels));
    const wanted = new Set(this.#policies.portsOf(labels));
    for (const [port, { cluster }] of ports) {
      if (wanted.has(port)) continue;
      ports.delete(port);
      cluster.close();
    }
    for (const port of wanted) {
      const own = ports.get(port) ?? this.#create(labels, port);
      ports.set(port, own);
      this.#fill(own, labels, endpoints, port);
    }
    this.#fill(all, labels, endpoints, 0);
    all.cluster.setPorts(new Map([...ports].map(([port, { cluster }]) => [port, cluster])));
  }

  #fill({ cluster, hosts }: PortCluster, labels: Labels, endpoints: readonly Instance[], port: number): void {
    const policy = this.#policyOf(labels, port);
    cluster.update(hosts.update({ ...this.#name, host: this.#host }, endpoints, port, policy.tls), policy);
  }

  /** Where a service has no endpoints, whoever calls says where to. */
  #policyOf(labels: Labels, port: number): ClusterPolicy {
    const policy = compilePolicy(this.#policies.of(labels, port), this.#deps.share);
    return this.#passesThrough ? { ...policy, loadBalancing: PASSTHROUGH } : policy;
  }
}
