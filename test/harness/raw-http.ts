import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A client that says and hears bytes, for what no well-behaved client would do. */
export class RawClient {
  readonly socket: Socket;
  #received = "";
  #closed = false;
  #failure: Error | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#failure = error;
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#closed = true;
        this.#wake();
      });
    }
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  /** Heard and not yet taken. */
  get received(): string {
    return this.#received;
  }

  /** The other side has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Takes what was heard up to and with `end`; throws when it does not come. */
  async take(end: string, withinMs = 5_000): Promise<string> {
    await this.#until(() => this.#received.includes(end) || this.#closed, withinMs);
    const index = this.#received.indexOf(end);
    if (index < 0)
      throw new Error(`no ${JSON.stringify(end)} in ${JSON.stringify(this.#received)}, closed ${this.#closed}`);
    const text = this.#received.slice(0, index + end.length);
    this.#received = this.#received.slice(index + end.length);
    return text;
  }

  /** One response with a Content-Length or chunks; `bodiless` for answers to HEAD. */
  async response(bodiless = false): Promise<{ status: number; head: string; body: string }> {
    const head = await this.take("\r\n\r\n");
    const status = Number(head.slice(9, 12));
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (bodiless || status < 200 || status === 204 || status === 304) return { status, head, body: "" };
    if (/^transfer-encoding: chunked/im.test(head)) {
      let body = "";
      for (;;) {
        const size = Number.parseInt(await this.take("\r\n"), 16);
        const chunk = await this.#exactly(size + 2);
        if (size === 0) return { status, head, body };
        body += chunk.slice(0, -2);
      }
    }
    return { status, head, body: await this.#exactly(length) };
  }

  /** Waits for the other side to end; this one may still speak. */
  async ended(withinMs = 5_000): Promise<void> {
    await this.#until(() => this.#closed, withinMs);
    if (!this.#closed) throw new Error(`still open after ${JSON.stringify(this.#received)}`);
  }

  close(): void {
    this.socket.destroy();
  }

  async #exactly(length: number): Promise<string> {
    await this.#until(() => this.#received.length >= length || this.#closed, 5_000);
    if (this.#received.length < length)
      throw new Error(`${this.#received.length} of ${length} bytes, closed ${this.#closed}`);
    const text = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return text;
  }

  async #until(condition: () => boolean, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!condition() && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, deadline - performance.now());
        this.#waiting.add(done);
      });
    }
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** A TCP server that ends with its connections. */
export class RawServer {
  readonly server: Server;
  /** Accepted so far. */
  accepted = 0;
  readonly #sockets = new Set<Socket>();

  constructor(onConnection: (socket: Socket, index: number) => void) {
    this.server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
      onConnection(socket, this.accepted++);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connected now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Calls back with each complete head (requests without bodies) that arrives on a socket. */
export function onHeads(socket: Socket, onHead: (head: string) => void): void {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const head = text.slice(0, end + 4);
      text = text.slice(end + 4);
      onHead(head);
    }
  });
}

/** Sends bytes over a connection of their own, and resolves to what came back before it ended. */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => (received += chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
  });
}
