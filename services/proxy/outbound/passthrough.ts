import { LruMap } from "../../../shared/base/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import { type ClusterPolicy, compilePolicy } from "../cluster/cluster-policy.ts";
import type { Connector } from "../cluster/connector.ts";
import { Host } from "../cluster/host.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { ForwardPlan } from "../filter/router.ts";
import { splitAuthority } from "../route/authority.ts";
import { type Share, WHOLE } from "../share.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";
import { countAttempt } from "./forward.ts";

/**
 * Requests that go where the application says, by DNS: those to hosts that are no service, in plain text and by no rule;
 * and those to services without endpoints, by the routes and the policies of the service. Each host and port is a cluster of
 * its own, so that one that hangs takes no other with it. Those of a service share its limits.
 */

/** Hosts outside the mesh whose connections are kept. */
const MAX_HOSTS = 256;
const TIMEOUT_MS = 15_000;

/** Whose policy a cluster goes by: a service's, or that of hosts which are no service. */
type Owner = Pick<Cluster, "name" | "breaker" | "policy">;

interface Outside {
  readonly cluster: Cluster;
  readonly breaker: Cluster["breaker"];
  readonly policy: ClusterPolicy;
}

interface Target {
  readonly cluster: Cluster;
  readonly servicePort: number;
  readonly host: string;
}

export class Passthrough {
  readonly #outsides = new LruMap<string, Outside>(MAX_HOSTS);
  readonly #connector: Connector;
  readonly #policy: ClusterPolicy;
  readonly #isOwn: (address: string, port: number) => boolean;

  /** `isOwn`: the proxy's own listener, to which it must not forward in a circle. `share`: of the limits. */
  constructor(connector: Connector, isOwn: (address: string, port: number) => boolean, share: Share = WHOLE) {
    this.#connector = connector;
    this.#policy = compilePolicy(undefined, share);
    this.#isOwn = isOwn;
  }

  plan(exchange: Exchange): ForwardPlan | undefined {
    const { host, port = 80 } = splitAuthority(exchange.head.authority);
    const target = this.#target(exchange, host, port, undefined);
    if (target === undefined) return undefined;
    exchange.record.destination = { ...UNKNOWN_PEER, host, port };
    return { ...target, timeoutMs: TIMEOUT_MS, attempts: 0, perTryTimeoutMs: 0 };
  }

  /**
   * As the plan says, but for where: the host that the client named stands (load balancing PASSTHROUGH), whatever a rule
   * has made of it since. `authority`: as it was named.
   */
  reroute(exchange: Exchange, plan: ForwardPlan, authority: string): ForwardPlan | undefined {
    const { host } = splitAuthority(authority);
    const target = this.#target(exchange, host, plan.servicePort, plan.cluster);
    return target && { ...plan, ...target, onHost: countAttempt };
  }

  get clusters(): Iterable<Cluster> {
    return [...this.#outsides.values()].map(({ cluster }) => cluster);
  }

  sweep(nowMs: number): void {
    for (const cluster of this.clusters) cluster.sweep(nowMs);
  }

  /** Idle connections end; requests under way go on. */
  close(): void {
    for (const cluster of this.clusters) cluster.close();
  }

  /** Answers the exchange itself when there is none. */
  #target(exchange: Exchange, host: string, port: number, owner: Owner | undefined): Target | undefined {
    const address = host.replace(/^\[|\]$/g, "");
    if (exchange.head.scheme === "https" && owner?.policy.tls === undefined) {
      // In plain text is not how the application asked for it.
      exchange.reply(501, "https_not_supported", "NR", "https to hosts outside the mesh is not supported");
      return undefined;
    }
    if (host === "" || this.#isOwn(address, port)) {
      exchange.reply(502, "forwarding_loop", "NR", "the request leads back to this proxy");
      return undefined;
    }
    return { cluster: this.#cluster(host, address, port, owner), servicePort: port, host };
  }

  #cluster(host: string, address: string, port: number, owner: Owner | undefined): Cluster {
    const key = `${owner?.name ?? "passthrough"}|${host}:${port}`;
    const policy = owner?.policy ?? this.#policy;
    const known = this.#outsides.get(key);
    const isSame = known?.policy === policy && (owner === undefined || known.breaker === owner.breaker);
    if (known !== undefined && isSame) return known.cluster;
    known?.cluster.close();
    const cluster = new Cluster(key, owner === undefined ? {} : { breaker: owner.breaker });
    const peer = { ...UNKNOWN_PEER, host: address, ip: address, port };
    const ports = new Map([[port, { address, port, plaintext: true, tls: policy.tls }]]);
    cluster.update([new Host({ peer, ports, connector: this.#connector, breaker: cluster.breaker })], policy);
    if (known === undefined && this.#outsides.size >= MAX_HOSTS) this.#outsides.values().next().value?.cluster.close();
    this.#outsides.set(key, { cluster, breaker: cluster.breaker, policy });
    return cluster;
  }
}
