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

/** Hosts outside the mesh whose connections are kept. */
const MAX_HOSTS = 256;
const TIMEOUT_MS = 15_000;

interface Target {
  readonly cluster: Cluster;
  readonly servicePort: number;
  readonly host: string;
}

/** Requests to hosts that are no service, to wherever DNS says, in plain text. */
export class Passthrough {
  readonly #clusters = new LruMap<string, Cluster>(MAX_HOSTS);
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
    const target = this.#target(exchange);
    if (target === undefined) return undefined;
    const { host, servicePort } = target;
    exchange.record.destination = { ...UNKNOWN_PEER, host, port: servicePort };
    return { ...target, timeoutMs: TIMEOUT_MS, attempts: 0, perTryTimeoutMs: 0 };
  }

  /** As the plan says, but for where: the address that the client named stands (load balancing PASSTHROUGH). */
  reroute(exchange: Exchange, { timeoutMs, attempts, retry, perTryTimeoutMs }: ForwardPlan): ForwardPlan | undefined {
    const target = this.#target(exchange);
    return target && { ...target, timeoutMs, attempts, retry, perTryTimeoutMs };
  }

  sweep(nowMs: number): void {
    for (const cluster of this.#clusters.values()) cluster.sweep(nowMs);
  }

  /** Idle connections end; requests under way go on. */
  close(): void {
    for (const cluster of this.#clusters.values()) cluster.close();
  }

  /** Answers the exchange itself when there is none. */
  #target(exchange: Exchange): Target | undefined {
    const { host, port = 80 } = splitAuthority(exchange.head.authority);
    const address = host.replace(/^\[|\]$/g, "");
    if (exchange.head.scheme === "https") {
      // In plain text is not how the application asked for it.
      exchange.reply(501, "https_not_supported", "NR", "https to hosts outside the mesh is not supported");
      return undefined;
    }
    if (host === "" || this.#isOwn(address, port)) {
      exchange.reply(502, "forwarding_loop", "NR", "the request leads back to this proxy");
      return undefined;
    }
    return { cluster: this.#cluster(host, address, port), servicePort: port, host };
  }

  #cluster(host: string, address: string, port: number): Cluster {
    const key = `${host}:${port}`;
    const known = this.#clusters.get(key);
    if (known !== undefined) return known;
    const cluster = new Cluster(`passthrough|${key}`);
    const peer = { ...UNKNOWN_PEER, host, ip: address, port };
    const ports = new Map([[port, { address, port, plaintext: true }]]);
    cluster.update([new Host({ peer, ports, connector: this.#connector, breaker: cluster.breaker })], this.#policy);
    if (this.#clusters.size >= MAX_HOSTS) this.#clusters.values().next().value?.close();
    this.#clusters.set(key, cluster);
    return cluster;
  }
}
