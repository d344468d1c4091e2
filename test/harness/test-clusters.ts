import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import type { Http1Limits } from "../../services/proxy/codec/http1-settings.ts";
import { type Peer, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { Clock } from "../../shared/base/index.ts";
import { ServiceConfig, type TrafficPolicyInput } from "../../shared/wire/index.ts";

/** The port that requests are for. */
export const SERVICE_PORT = 9080;
/** What every instance serves unless it says otherwise. */
const SERVICE_PORTS = [SERVICE_PORT, 9081];

/** A port on loopback, or more of what a registration tells. */
export type Instance = number | InstanceFacts;

export interface InstanceFacts {
  readonly port: number;
  readonly servicePorts?: readonly number[];
  readonly weight?: number;
  readonly locality?: string;
  readonly healthy?: boolean;
}

export interface TestClustersOptions {
  readonly services: Readonly<Record<string, readonly Instance[]>>;
  readonly self: Peer;
  readonly policy: TrafficPolicyInput | undefined;
  readonly limits: Http1Limits;
  readonly clock: Clock;
}

/** Where the caller itself is. */
export const LOCALITY = "eu/west/1";

/** A cluster a service, with instances that have no sidecar. */
export class TestClusters {
  readonly connector: Connector;
  readonly #clusters = new Map<string, Cluster>();
  readonly #clock: Clock;
  #policy: TrafficPolicyInput | undefined;

  constructor({ services, self, policy, limits, clock }: TestClustersOptions) {
    this.#clock = clock;
    this.#policy = policy;
    this.connector = new Connector({
      connectTimeoutMs: 1_000,
      self,
      limits,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    for (const [service, instances] of Object.entries(services)) this.#update(this.of(service), instances);
  }

  /** An unknown service is one without instances. */
  of(service: string): Cluster {
    const known = this.#clusters.get(service);
    if (known !== undefined) return known;
    const cluster = new Cluster(service, { clock: this.#clock, locality: LOCALITY });
    this.#clusters.set(service, cluster);
    return cluster;
  }

  get first(): Cluster {
    return [...this.#clusters.values()][0] ?? this.of("nobody");
  }

  use(instances: readonly Instance[], policy = this.#policy): void {
    this.#policy = policy;
    this.#update(this.first, instances);
  }

  close(): void {
    for (const cluster of this.#clusters.values()) cluster.close();
  }

  #update(cluster: Cluster, instances: readonly Instance[]): void {
    const policies = this.#policy === undefined ? [] : [this.#policy];
    const policy = compilePolicy(ServiceConfig.decode(ServiceConfig.encode({ policies })).policies[0]);
    // Its limits hold before the instances, which share them.
    if (cluster.hosts.length === 0) cluster.update([], policy);
    const known = new Map(cluster.hosts.map((host) => [host.key, host]));
    const hosts = instances.map((instance) => {
      const facts = typeof instance === "number" ? { port: instance } : instance;
      const host = known.get(String(facts.port)) ?? this.#host(cluster, facts);
      host.healthy = facts.healthy ?? true;
      return host;
    });
    for (const host of known.values()) if (!hosts.includes(host)) host.close();
    cluster.update(hosts, policy);
  }

  #host(cluster: Cluster, { port, servicePorts = SERVICE_PORTS, weight = 1, locality = "" }: InstanceFacts): Host {
    return new Host({
      peer: { ...UNKNOWN_PEER, service: cluster.name, instance: String(port), ip: "127.0.0.1", port },
      ports: new Map(servicePorts.map((served) => [served, { address: "127.0.0.1", port, plaintext: true }])),
      connector: this.connector,
      breaker: cluster.breaker,
      weight,
      locality,
    });
  }
}
