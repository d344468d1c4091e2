import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

/** What one request of the load is, and what must come back. */
export interface LoadRequest {
  readonly text: string;
  readonly expected: string;
}

export interface LoadAnswer {
  /** Field lines, as they came. */
  readonly head: string;
}

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** The n-th of the whole load. */
  request(n: number): LoadRequest;
  onAnswer?(answer: LoadAnswer): void;
}

/**
 * A steady load over connections that stay: each asks again as soon as it has its answer, on the one socket that it has
 * from beginning to end. Whatever is not a 200 with the body that was expected is a failure, and so is a socket that
 * closes: it is not replaced, since nobody may have closed it.
 */
export class KeepAliveLoad {
  readonly failures: string[] = [];
  readonly #options: LoadOptions;
  readonly #connections: Connection[] = [];
  #asked = 0;
  #answered = 0;
  #stopping = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    for (let i = 0; i < options.connections; i++) this.#connections.push(new Connection(this));
  }

  get answered(): number {
    return this.#answered;
  }

  /** Sockets that are still those of the beginning. */
  get open(): number {
    return this.#connections.filter(({ open }) => open).length;
  }

  get options(): LoadOptions {
    return this.#options;
  }

  /** Resolves when this many more requests have been answered; throws when the load stands still before. */
  async more(count: number, withinMs = 20_000): Promise<void> {
    const goal = this.#answered + count;
    await eventually(() => this.#answered >= goal, { withinMs });
  }

  /** Lets every connection have its last answer, counts the sockets that are left, and closes them. */
  async stop(): Promise<{ readonly answered: number; readonly open: number; readonly failures: readonly string[] }> {
    this.#stopping = true;
    await eventually(() => this.#connections.every(({ waiting }) => !waiting), { withinMs: 20_000 });
    const { open } = this;
    for (const connection of this.#connections) connection.close();
    return { answered: this.#answered, open, failures: this.failures };
  }

  next(): LoadRequest | undefined {
    return this.#stopping ? undefined : this.#options.request(this.#asked++);
  }

  done(): void {
    this.#answered++;
  }
}

class Connection {
  readonly #load: KeepAliveLoad;
  readonly #socket: Socket;
  #current: LoadRequest | undefined;
  #received = "";
  #open = false;

  constructor(load: KeepAliveLoad) {
    this.#load = load;
    this.#socket = connect({ port: load.options.port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("connect", () => {
      this.#open = true;
      this.#ask();
    });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#read();
    });
    this.#socket.on("error", (error) => this.#lost(error.message));
    this.#socket.on("end", () => this.#lost("the other side ended the connection"));
    this.#socket.on("close", () => this.#lost("closed"));
  }

  get open(): boolean {
    return this.#open;
  }

  get waiting(): boolean {
    return this.#open && this.#current !== undefined;
  }

  close(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #ask(): void {
    this.#current = this.#load.next();
    if (this.#current !== undefined) this.#socket.write(this.#current.text, "latin1");
  }

  /** Answers have a length: those of the application, and the proxy's own. */
  #read(): void {
    const end = this.#received.indexOf("\r\n\r\n") + 4;
    if (end < 4) return;
    const head = this.#received.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? Number.NaN);
    if (this.#received.length < end + length) return;
    const body = this.#received.slice(end, end + length);
    const { expected } = this.#current ?? { expected: "nothing was asked" };
    if (!head.startsWith("HTTP/1.1 200 ")) this.#load.failures.push(`${head.split("\r\n")[0]}: ${body.slice(0, 200)}`);
    else if (this.#received.length !== end + length || body !== expected) this.#load.failures.push("another's answer");
    this.#received = "";
    this.#load.options.onAnswer?.({ head });
    this.#load.done();
    this.#ask();
  }

  #lost(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#load.failures.push(`${why} while ${this.#current === undefined ? "idle" : "a request was under way"}`);
    this.#socket.destroy();
  }
}

/** Every other request has a body, which must come back; the others must come back with their path. */
export function mixedRequest(authority: string, bodyBytes = 64): (n: number) => LoadRequest {
  const filling = "x".repeat(bodyBytes);
  return (n) => {
    if (n % 2 === 0) return { text: `GET /${n} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, expected: `/${n}` };
    const expected = `${n} ${filling}`;
    const head = `POST /${n} HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: ${expected.length}\r\n\r\n`;
    return { text: head + expected, expected };
  };
}
