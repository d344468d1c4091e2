import type { Peer } from "../stream/record.ts";
import { ConnectionPool, type PoolOptions } from "./connection-pool.ts";
import type { Connector } from "./connector.ts";

/** Where a host serves one service port. */
export interface HostPort {
  readonly address: string;
  readonly port: number;
  /** No sidecar there: plain text to the application itself. */
  readonly plaintext: boolean;
}

/** One instance of a service. It outlives the snapshots that name it, and so do its connections. */
export class Host {
  readonly peer: Peer;
  healthy: boolean;
  activeRequests = 0;
  readonly ports: ReadonlyMap<number, HostPort>;
  readonly #pools = new Map<number, ConnectionPool>();
  readonly #connector: Connector;
  readonly #options: PoolOptions;
  #closed = false;

  constructor(
    peer: Peer,
    healthy: boolean,
    ports: ReadonlyMap<number, HostPort>,
    connector: Connector,
    options: PoolOptions,
  ) {
    this.peer = peer;
    this.healthy = healthy;
    this.ports = ports;
    this.#connector = connector;
    this.#options = options;
  }

  /** The connections to one service port; undefined when the instance does not serve it. */
  pool(servicePort: number): ConnectionPool | undefined {
    const existing = this.#pools.get(servicePort);
    if (existing !== undefined) return existing;
    const target = this.ports.get(servicePort);
    if (target === undefined) return undefined;
    const pool = new ConnectionPool(
      (events) => this.#connector.connect({ ...target, peer: this.peer, servicePort }, events),
      this.#options,
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
