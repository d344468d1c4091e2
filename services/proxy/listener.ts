import type { AddressInfo, Server, Socket } from "node:net";
import type { Clock } from "../../shared/base/index.ts";
import type { Http1ServerConnection } from "./codec/http1-server.ts";

/** Connections of one listener; more are closed at once. */
export const MAX_CONNECTIONS = 10_000;
/** How long a drained connection may go on with the request in progress. */
const CLOSE_DEADLINE_MS = 5_000;

/**
 * A listening socket with its connections. Draining stops accepting and ends each connection after its request; an
 * identity that lapses drains the connections that rest on it.
 */
export class Listener {
  readonly #server: Server;
  readonly #connections = new Map<Http1ServerConnection, number>();
  /** Also those that have not come as far as a request. */
  readonly #sockets = new Set<Socket>();
  readonly #stopSweep: () => void;
  #closing = false;
  #closed = false;
  #onEmpty = () => {};

  constructor(server: Server, clock: Clock) {
    this.#server = server;
    server.maxConnections = MAX_CONNECTIONS;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty();
      });
    });
    this.#stopSweep = clock.every(1_000, () => this.#sweep(clock.now()));
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** The bound port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", () => {});
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** `expiresMs`: when the identities on the connection lapse. */
  add(connection: Http1ServerConnection, expiresMs = Number.POSITIVE_INFINITY): void {
    this.#connections.set(connection, expiresMs);
    if (this.#closing) connection.announceClose();
    connection.socket.once("close", () => this.#connections.delete(connection));
  }

  /** Takes a connection that was accepted elsewhere, as if it had come to its own socket. */
  accept(socket: Socket): void {
    if (this.#closed || this.#sockets.size >= this.#server.maxConnections) socket.destroy();
    else this.#server.emit("connection", socket);
  }

  /** Default 10,000. */
  set maxConnections(count: number) {
    this.#server.maxConnections = count;
  }

  /** From now on every response says `Connection: close`: callers go elsewhere while this one still serves. */
  announceClose(): void {
    this.#closing = true;
    for (const connection of this.#connections.keys()) connection.announceClose();
  }

  /** Every connection ends after its request; idle ones end now. */
  drainConnections(): void {
    for (const connection of this.#connections.keys()) connection.drain();
  }

  /** Stops accepting, ends every connection after its request, the last ones after a deadline. */
  async close(): Promise<void> {
    this.#stopSweep();
    this.#closed = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // The server itself knows only of those that came to its own socket.
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      if (this.#sockets.size === 0) resolve();
    });
    this.drainConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, CLOSE_DEADLINE_MS);
    await Promise.all([closed, emptied]);
    clearTimeout(timer);
  }

  #sweep(nowMs: number): void {
    for (const [connection, expiresMs] of this.#connections) if (expiresMs <= nowMs) connection.drain();
  }
}
