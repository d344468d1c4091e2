import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { deferred, InternalError } from "../../../shared/base/index.ts";
import { MAX_CONNECTIONS } from "../listener.ts";
import type { BindOrder } from "./messages.ts";

/*
 * Accepts connections for the workers and hands them out, in turn. A worker has one in hand at a time and gets the next
 * when it has said that it took the last: one that is slow, or hangs, gets no more than that, and whoever is free is
 * served first. Until then the connection stays open here too, unread; so when the worker dies, another one gets it and
 * the client notices nothing. (Node's cluster module forgets such a connection: its client would wait for ever.)
 *
 * The listening sockets are the primary's. They keep their ports, and the system's queue of connections before them,
 * whatever becomes of the workers; while there is none, connections wait.
 */

/** Who takes connections. */
export interface Taker {
  /** It takes no more, and has none in hand that it has not said so of. */
  readonly gone: boolean;
  /** Resolves when it is taken. Rejects when it cannot be, or when whoever should have taken it is gone by then. */
  take(listener: string, socket: Socket): Promise<unknown>;
}

interface Bound {
  readonly server: Server;
  readonly port: Promise<number>;
}

interface Arrival {
  readonly listener: string;
  readonly socket: Socket;
}

const BACKLOG = 1024;

export class Acceptor {
  readonly #bound = new Map<string, Bound>();
  readonly #takers = new Set<Taker>();
  /** The one who waits longest first. */
  readonly #free: Taker[] = [];
  #arrivals: Arrival[] = [];
  readonly #inHand = new Set<Arrival>();
  #onSettled: (() => void)[] = [];

  /** The port, the same for all workers: the first one's wish counts. */
  bind({ name, address, port }: BindOrder): Promise<number> {
    const known = this.#bound.get(name);
    if (known !== undefined) return known.port;
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#arrive({ listener: name, socket }));
    server.maxConnections = MAX_CONNECTIONS;
    const bound = deferred<number>();
    server.once("error", bound.reject);
    server.listen({ host: address, port, backlog: BACKLOG }, () => {
      server.off("error", bound.reject);
      server.on("error", () => {});
      bound.resolve((server.address() as AddressInfo).port);
    });
    this.#bound.set(name, { server, port: bound.promise });
    return bound.promise;
  }

  /** It gets connections from now on. */
  join(taker: Taker): void {
    this.#takers.add(taker);
    this.#free.push(taker);
    this.#handOut();
  }

  leave(taker: Taker): void {
    this.#takers.delete(taker);
    const place = this.#free.indexOf(taker);
    if (place >= 0) this.#free.splice(place, 1);
  }

  /** Accepts no more, and resolves when what has been accepted is handed out. `name`: only of that listener. */
  async close(name?: string): Promise<void> {
    const isMeant = (listener: string): boolean => name === undefined || listener === name;
    for (const [listener, { server }] of this.#bound) if (isMeant(listener)) server.close();
    while ([...this.#arrivals, ...this.#inHand].some(({ listener }) => isMeant(listener))) {
      if (this.#takers.size === 0) this.#drop(isMeant);
      else await new Promise<void>((resolve) => this.#onSettled.push(resolve));
    }
  }

  #arrive(arrival: Arrival): void {
    // What a client that is gone already has left is found by whoever takes it.
    arrival.socket.on("error", () => {});
    this.#arrivals.push(arrival);
    this.#handOut();
  }

  #handOut(): void {
    while (this.#arrivals.length > 0) {
      const taker = this.#free.shift();
      if (taker === undefined) return;
      const arrival = this.#arrivals.shift();
      if (arrival === undefined) throw new InternalError("no connection to hand out");
      void this.#give(arrival, taker);
    }
  }

  async #give(arrival: Arrival, taker: Taker): Promise<void> {
    this.#inHand.add(arrival);
    try {
      await taker.take(arrival.listener, arrival.socket);
      // The worker's copy lives on.
      arrival.socket.destroy();
    } catch {
      if (taker.gone) {
        this.leave(taker);
        this.#arrivals.unshift(arrival);
      } else {
        // Whatever it has done with the connection: no other may read on it.
        arrival.socket.destroy();
      }
    }
    this.#inHand.delete(arrival);
    if (this.#takers.has(taker)) this.#free.push(taker);
    this.#handOut();
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  #drop(isMeant: (listener: string) => boolean): void {
    for (const { listener, socket } of this.#arrivals) if (isMeant(listener)) socket.destroy();
    this.#arrivals = this.#arrivals.filter(({ listener }) => !isMeant(listener));
  }
}
