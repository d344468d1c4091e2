import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Incomplete, type ReadRequest, readRequest } from "./strict-reader.ts";

/** What the backend does with a request; text is sent as it is. */
export type Answer = (request: ReadRequest, connection: BackendConnection) => string | undefined;

export class BackendConnection {
  readonly socket: Socket;
  /** All bytes, in latin1. */
  raw = "";
  /** Requests that it carried. */
  requests = 0;
  #unread = "";

  constructor(socket: Socket, backend: RawBackend) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      this.raw += text;
      if (backend.onData !== undefined) {
        backend.onData(text, this);
        return;
      }
      this.#unread += text;
      this.#read(backend);
    });
  }

  #read(backend: RawBackend): void {
    while (this.#unread !== "") {
      try {
        const { request, length } = readRequest(this.#unread);
        this.#unread = this.#unread.slice(length);
        this.requests++;
        backend.requests.push(request);
        const answer = backend.answer(request, this);
        if (answer !== undefined) this.socket.write(answer, "latin1");
      } catch (error) {
        if (!(error instanceof Incomplete)) backend.faults.push(`${error}: ${JSON.stringify(this.#unread)}`);
        return;
      }
    }
  }
}

/** A server that reads strictly, keeps what it read, and says exactly what it is told to. */
export class RawBackend {
  readonly requests: ReadRequest[] = [];
  /** Bytes that are no request. There must be none: the proxy has let something through. */
  readonly faults: string[] = [];
  readonly connections: BackendConnection[] = [];
  answer: Answer;
  /** Takes all bytes in place of the reader. */
  onData: ((text: string, connection: BackendConnection) => void) | undefined;
  readonly #server: Server;

  constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((socket) => this.connections.push(new BackendConnection(socket, this)));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { socket } of this.connections) socket.destroy();
    await closed;
  }
}

export function ok(body = "", ...fields: string[]): string {
  return [`HTTP/1.1 200 OK`, `Content-Length: ${body.length}`, ...fields, "", body].join("\r\n");
}
