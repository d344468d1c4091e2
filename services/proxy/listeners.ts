import type { Listener } from "./listener.ts";

export interface BoundListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly listener: Listener;
}

/** Has a listener get the connections to an address; answers with the bound port. */
export type Bind = (name: string, listener: Listener, address: string, port: number) => Promise<number>;

const listenHere: Bind = (_name, listener, address, port) => listener.listen(address, port);

/** The proxy's listening sockets by name, to be shown, drained and closed together. */
export class Listeners {
  readonly #bind: Bind;
  readonly #bound: BoundListener[] = [];
  readonly #closed = new Set<Listener>();

  /** `bind`: where connections come from; default: a socket of this process. */
  constructor(bind: Bind = listenHere) {
    this.#bind = bind;
  }

  /** The bound port. */
  async open(name: string, listener: Listener, address: string, port: number): Promise<number> {
    const bound = await this.#bind(name, listener, address, port);
    this.#bound.push({ name, address, port: bound, listener });
    return bound;
  }

  get active(): readonly BoundListener[] {
    return this.#bound.filter(({ listener }) => !this.#closed.has(listener));
  }

  get connections(): number {
    return this.#bound.reduce((sum, { listener }) => sum + listener.connections, 0);
  }

  announceClose(): void {
    for (const { listener } of this.#bound) listener.announceClose();
  }

  /** No new connections; those that there are end after their request. `name`: only that one. */
  async close(name?: string): Promise<void> {
    const closing = this.active.filter((each) => name === undefined || each.name === name);
    for (const { listener } of closing) this.#closed.add(listener);
    await Promise.all(closing.map(({ listener }) => listener.close()));
  }
}
