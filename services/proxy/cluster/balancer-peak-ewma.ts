import type { Balancer, Random } from "./balancer.ts";
import type { Host } from "./host.ts";
import { LatencyAverage } from "./latency-average.ts";

/** What a failed or refused try counts for, or quick errors would look like a quick host and draw all traffic. */
export const FAILURE_PENALTY_MS = 5_000;

/**
 * The cheaper of two random hosts, where the cost is the latency seen of it times the requests it has, over its share
 * (Linkerd's balancer). A host that has not been heard of costs nothing, until its first request is under way.
 */
export class PeakEwmaBalancer implements Balancer {
  readonly #random: Random;
  readonly #nowMs: () => number;
  #hosts: readonly Host[] = [];

  constructor(random: Random = Math.random, nowMs: () => number = () => performance.now()) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    for (const host of hosts) host.latency ??= new LatencyAverage();
  }

  choose(): Host | undefined {
    const hosts = this.#hosts;
    const count = hosts.length;
    if (count <= 1) return hosts[0];
    const first = Math.floor(this.#random() * count);
    const second = (first + 1 + Math.floor(this.#random() * (count - 1))) % count;
    const a = hosts[first] as Host;
    const b = hosts[second] as Host;
    const nowMs = this.#nowMs();
    return costOf(b, nowMs) < costOf(a, nowMs) ? b : a;
  }
}

function costOf(host: Host, nowMs: number): number {
  const latencyMs = host.latency?.read(nowMs) ?? 0;
  if (latencyMs === 0 && host.activeRequests > 0) return FAILURE_PENALTY_MS + host.activeRequests;
  return (latencyMs * (host.activeRequests + 1)) / host.share;
}
