import type { Socket } from "node:net";
import { Http1ClientConnection } from "../codec/http1-client.ts";
import { DEFAULT_LIMITS, type Http1Limits } from "../codec/http1-settings.ts";
import type { SocketReader } from "../codec/socket-reader.ts";
import type { ResetReason } from "../stream/stream.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";

export interface ConnectEvents {
  /** `expiresMs`: when the identities on the connection lapse, since the Unix epoch; Infinity without any. */
  onConnected(socket: Socket, expiresMs: number, reader?: SocketReader): void;
  onFailed(reason: ResetReason, message: string): void;
}

/** Starts one connection; exactly one of the events follows. With a reader, the socket is read by that alone. */
export type Connect = (events: ConnectEvents) => void;

/** Who waits for a connection. */
export interface PoolWaiter {
  onConnection(connection: Http1ClientConnection): void;
  onFailure(reason: ResetReason, message: string): void;
}

/**
 * Keep-alive connections to one address. The one used last is used next, so that what is not needed idles out. A
 * connection is opened for each waiter that finds none idle; whoever waits longest gets whichever is ready first. How many there may
 * be, and how long each may serve, is said by the circuit breaker of the whole cluster.
 */
export class ConnectionPool {
  readonly #connect: Connect;
  readonly #breaker: CircuitBreaker;
  readonly #limits: Http1Limits;
  readonly #idle: Http1ClientConnection[] = [];
  readonly #waiters: PoolWaiter[] = [];
  readonly #connections = new Set<Http1ClientConnection>();
  #connecting = 0;
  #closed = false;

  constructor(connect: Connect, breaker: CircuitBreaker, limits: Http1Limits = DEFAULT_LIMITS) {
    this.#connect = connect;
    this.#limits = limits;
    this.#breaker = breaker;
  }

  get size(): number {
    return this.#connections.size + this.#connecting;
  }

  /** Answers at once when a connection is idle. `fresh`: one that has not served before, if another may be opened. */
  acquire(waiter: PoolWaiter, fresh: boolean): void {
    while (!fresh || !this.#breaker.mayConnect(this.size)) {
      const idle = this.#idle.pop();
      if (idle === undefined) break;
      if (idle.usable) {
        waiter.onConnection(idle);
        return;
      }
      idle.close();
    }
    if (!this.#breaker.mayWait()) {
      waiter.onFailure("overflow", "too many requests wait for a connection");
      return;
    }
    this.#waiters.push(waiter);
    this.#breaker.pending++;
    this.#refill();
  }

  cancel(waiter: PoolWaiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index < 0) return;
    this.#waiters.splice(index, 1);
    this.#breaker.pending--;
  }

  sweep(nowMs: number): void {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const idle = this.#idle[i];
      if (idle === undefined) continue;
      const keeps = nowMs < idle.expiresMs && nowMs - idle.idleSinceMs < this.#breaker.limits.idleTimeoutMs;
      if (keeps && idle.usable) continue;
      this.#idle.splice(i, 1);
      idle.close();
    }
  }

  /** No new connections; busy ones end with their request. Waiters are still served by connections under way. */
  close(): void {
    this.#closed = true;
    for (const idle of this.#idle.splice(0)) idle.close();
  }

  #open(): void {
    this.#connecting++;
    this.#breaker.connections++;
    this.#connect({
      onConnected: (socket, expiresMs, reader) => {
        this.#connecting--;
        const options = {
          limits: this.#limits,
          onIdle: (idle: Http1ClientConnection) => this.#release(idle),
          onClosed: (closed: Http1ClientConnection) => this.#forget(closed),
        };
        const connection = new Http1ClientConnection(socket, options, reader);
        connection.expiresMs = Math.min(expiresMs, Date.now() + this.#breaker.limits.maxConnectionDurationMs);
        this.#connections.add(connection);
        this.#release(connection);
      },
      onFailed: (reason, message) => {
        this.#connecting--;
        this.#breaker.connections--;
        this.#nextWaiter()?.onFailure(reason, message);
        this.#refill();
      },
    });
  }

  #release(connection: Http1ClientConnection): void {
    const nowMs = Date.now();
    if (connection.expiresMs <= nowMs || connection.requests >= this.#breaker.limits.maxRequestsPerConnection) {
      connection.close();
      this.#refill();
      return;
    }
    const waiter = this.#nextWaiter();
    if (waiter !== undefined) {
      waiter.onConnection(connection);
      return;
    }
    if (this.#closed) {
      connection.close();
      return;
    }
    connection.idleSinceMs = nowMs;
    this.#idle.push(connection);
  }

  #forget(connection: Http1ClientConnection): void {
    if (this.#connections.delete(connection)) this.#breaker.connections--;
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#refill();
  }

  #nextWaiter(): PoolWaiter | undefined {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) this.#breaker.pending--;
    return waiter;
  }

  /** Someone waits for whom no connection is under way: a new one, or the one that he waited for is gone. */
  #refill(): void {
    if (this.#waiters.length > this.#connecting && this.#breaker.mayConnect(this.size)) this.#open();
  }
}
