import { LruMap } from "../../../shared/base/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { PoolOptions } from "../cluster/connection-pool.ts";
import type { Connector } from "../cluster/connector.ts";
import { Host } from "../cluster/host.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { ForwardPlan } from "../filter/router.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";
import { splitAuthority } from "./resolve.ts";

/** Hosts outside the mesh whose connections are kept. */
const MAX_HOSTS = 256;
const TIMEOUT_MS = 15_000;

/** Requests to hosts that are no service, to wherever DNS says, in plain text. */
export class Passthrough {
  readonly #clusters = new LruMap<string, Cluster>(MAX_HOSTS);
  readonly #connector: Connector;
  readonly #pool: PoolOptions;
  readonly #isOwn: (address: string, port: number) => boolean;

  /** `isOwn`: the proxy's own listener, to which it must not forward in a circle. */
  constructor(connector: Connector, pool: PoolOptions, isOwn: (address: string, port: number) => boolean) {
    this.#connector = connector;
    this.#pool = pool;
    this.#isOwn = isOwn;
  }

  plan(exchange: Exchange): ForwardPlan | undefined {
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
    exchange.record.destination = { ...UNKNOWN_PEER, host, port };
    const key = `${host}:${port}`;
    let cluster = this.#clusters.get(key);
    if (cluster === undefined) {
      cluster = new Cluster(`passthrough|${key}`);
      const ports = new Map([[port, { address, port, plaintext: true }]]);
      cluster.update(
        [new Host({ ...UNKNOWN_PEER, host, ip: address, port }, true, ports, this.#connector, this.#pool)],
        "ROUND_ROBIN",
      );
      const oldest = this.#clusters.size < MAX_HOSTS ? undefined : this.#clusters.values().next().value;
      for (const evicted of oldest?.hosts ?? []) evicted.close();
      this.#clusters.set(key, cluster);
    }
    return { cluster, servicePort: port, timeoutMs: TIMEOUT_MS, attempts: 0, perTryTimeoutMs: 0 };
  }

  sweep(nowMs: number): void {
    for (const cluster of this.#clusters.values()) for (const host of cluster.hosts) host.sweep(nowMs);
  }

  /** Idle connections end; requests under way go on. */
  close(): void {
    for (const cluster of this.#clusters.values()) for (const host of cluster.hosts) host.close();
  }
}
