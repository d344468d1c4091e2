import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A TCP relay in front of a server, to stop reading from it, or to cut it off. */
export class Relay {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; upstream: Socket }>();
  #paused = false;
  #cut = false;

  constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.#cut) {
        client.destroy();
        return;
      }
      const upstream = connect(targetPort, "127.0.0.1");
      const pair = { client, upstream };
      this.#pairs.add(pair);
      const end = () => {
        client.destroy();
        upstream.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of [client, upstream]) {
        socket.on("error", end);
        socket.on("close", end);
      }
      client.pipe(upstream);
      upstream.pipe(client);
      if (this.#paused) upstream.pause();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops reading what the server sends. */
  pause(): void {
    this.#paused = true;
    for (const { client, upstream } of this.#pairs) {
      upstream.unpipe(client);
      upstream.pause();
    }
  }

  resume(): void {
    this.#paused = false;
    for (const { client, upstream } of this.#pairs) upstream.pipe(client);
  }

  /** Breaks every connection and refuses new ones until `mend`. */
  cut(): void {
    this.#cut = true;
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  mend(): void {
    this.#cut = false;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export async function startRelay(targetPort: number): Promise<Relay> {
  const relay = new Relay(targetPort);
  await relay.listen();
  return relay;
}
