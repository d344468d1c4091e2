import { SocketReader } from "../codec/socket-reader.ts";
import type { Peer } from "../stream/record.ts";
import type { ClientTlsPolicy } from "../tls/origination.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { Connector } from "./connector.ts";
import type { LatencyAverage } from "./latency-average.ts";
import type { OutlierRecord } from "./outlier-detector.ts";

/**
 * So many connections of a service are read into buffers of their own (SocketReader): measured, that costs less than a
 * new buffer for every read at 64 connections, and more at 512.
 */
const MAX_READERS = 64;

/** Where a host serves one service port. */
export interface HostPort {
  readonly address: string;
  readonly port: number;
  /** No sidecar there: plain text to the application itself. */
  readonly plaintext: boolean;
  /** Instead of plain text, TLS that this proxy begins. */
  readonly tls?: ClientTlsPolicy | undefined;
  /** What its sidecar knows it as; default: the service that is called, and its port. */
  readonly own?: { readonly service: string; readonly port: number };
}

export interface HostOptions {
  readonly peer: Peer;
  readonly ports: ReadonlyMap<number, HostPort>;
  readonly connector: Connector;
  /** The counts of the cluster that it belongs to. */
  readonly breaker?: CircuitBreaker;
  /** As registered, default 1. */
  readonly weight?: number;
  /** "region/zone/sub-zone", as much of it as is known. */
  readonly locality?: string;
}

/**
 * One instance of a service, as one cluster sees it: how it fared with others is no concern of a cluster with another
 * policy. It outlives the snapshots that name it, and so do its connections.
 */
export class Host {
  readonly peer: Peer;
  readonly ports: ReadonlyMap<number, HostPort>;
  readonly locality: string;
  /** What consistent hashing knows it by: the same for every proxy. */
  readonly key: string;
  /** As the registry says. */
  healthy = true;
  /** As this proxy's own health checks say. */
  checkFailed = false;
  /** As its answers say. */
  ejected = false;
  activeRequests = 0;
  weight: number;
  /** Of its weight, while it warms up. */
  warmth = 1;
  /** When it became available, on the clock that never goes back; undefined while it is not. */
  availableSinceMs: number | undefined;
  outlier: OutlierRecord | undefined;
  latency: LatencyAverage | undefined;
  readonly #pools = new Map<number, ConnectionPool>();
  readonly #connector: Connector;
  readonly #breaker: CircuitBreaker;
  #closed = false;

  constructor({ peer, ports, connector, breaker = new CircuitBreaker(), weight = 1, locality = "" }: HostOptions) {
    this.peer = peer;
    this.ports = ports;
    this.weight = weight;
    this.locality = locality;
    this.key = peer.instance || `${peer.ip}:${peer.port}`;
    this.#connector = connector;
    this.#breaker = breaker;
  }

  get available(): boolean {
    return this.healthy && !this.checkFailed && !this.ejected;
  }

  /** Its share among the others, now. */
  get share(): number {
    return this.weight * this.warmth;
  }

  get connector(): Connector {
    return this.#connector;
  }

  /** The connections to one service port; undefined when the instance does not serve it. */
  pool(servicePort: number): ConnectionPool | undefined {
    const existing = this.#pools.get(servicePort);
    if (existing !== undefined) return existing;
    const target = this.ports.get(servicePort);
    if (target === undefined) return undefined;
    const pool = new ConnectionPool(
      (events) => {
        const { connectTimeoutMs: timeoutMs, tcpKeepaliveMs: keepaliveMs } = this.#breaker.limits;
        const isRead = target.plaintext && target.tls === undefined && this.#breaker.connections <= MAX_READERS;
        const reader = isRead ? { reader: new SocketReader() } : {};
        this.#connector.connect({ ...target, peer: this.peer, servicePort, timeoutMs, keepaliveMs, ...reader }, events);
      },
      this.#breaker,
      this.#connector.limits,
    );
    this.#pools.set(servicePort, pool);
    if (this.#closed) pool.close();
    return pool;
  }

  /** Closes idle connections that are too old; called about once a second. */
  sweep(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.sweep(nowMs);
  }

  get connections(): number {
    let total = 0;
    for (const pool of this.#pools.values()) total += pool.size;
    return total;
  }

  /** Requests in progress finish; idle connections end now. */
  close(): void {
    this.#closed = true;
    for (const pool of this.#pools.values()) pool.close();
  }
}
