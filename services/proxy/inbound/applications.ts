import type { Clock } from "../../../shared/base/index.ts";
import { type ClusterLimits, DEFAULT_LIMITS, partOfLimits } from "../cluster/circuit-breaker.ts";
import { Cluster } from "../cluster/cluster.ts";
import { DEFAULT_POLICY } from "../cluster/cluster-policy.ts";
import type { Connector } from "../cluster/connector.ts";
import { Host } from "../cluster/host.ts";
import type { WorkloadPort } from "../config.ts";
import type { Share } from "../share.ts";
import type { Peer } from "../stream/record.ts";

/** An application's own keep-alive time-out is often 5 s (Node's default): connections to it are given up before. */
const IDLE_TIMEOUT_MS = 4_000;
const LIMITS: ClusterLimits = { ...DEFAULT_LIMITS, idleTimeoutMs: IDLE_TIMEOUT_MS };

/** The application's own ports, each as a cluster of one. */
export class Applications {
  readonly #clusters = new Map<number, Cluster>();
  readonly #stopSweep: () => void;

  constructor(self: Peer, ports: readonly WorkloadPort[], connector: Connector, share: Share, clock: Clock) {
    const policy = { ...DEFAULT_POLICY, limits: partOfLimits(LIMITS, share) };
    for (const { number, address, port } of ports) {
      const cluster = new Cluster(`inbound|${number}||`, { clock });
      const { breaker } = cluster;
      const at = new Map([[number, { address, port, plaintext: true }]]);
      cluster.update([new Host({ peer: self, ports: at, connector, breaker })], policy);
      this.#clusters.set(number, cluster);
    }
    this.#stopSweep = clock.every(1_000, () => {
      for (const cluster of this.#clusters.values()) cluster.sweep(Date.now());
    });
  }

  get(servicePort: number): Cluster | undefined {
    return this.#clusters.get(servicePort);
  }

  get clusters(): Iterable<Cluster> {
    return this.#clusters.values();
  }

  close(): void {
    this.#stopSweep();
    for (const cluster of this.#clusters.values()) cluster.close();
  }
}
