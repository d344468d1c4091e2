import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** A request as an application got it. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When it was complete, on the clock that never goes back. */
  readonly atMs: number;
  /** What it came on. */
  readonly socket: Socket;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** What an application answers; it may also answer by hand, later or never. */
export type Respond = (received: Received, response: ServerResponse) => Reply | undefined;

/** An application that keeps what it is sent, and answers as told. */
export class Application {
  readonly received: Received[] = [];
  /** Accepted so far. */
  connections = 0;
  respond: Respond;
  readonly #server: Server;

  /** `tls`: it speaks nothing else. */
  constructor(respond: Respond = () => ({ body: "ok" }), tls?: { readonly cert: string; readonly key: string }) {
    this.respond = respond;
    const listener: RequestListener = (message, response) => {
      let body = "";
      message.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
      message.on("end", () => {
        const { method = "", url = "", headers, socket } = message;
        const received = { method, url, headers, body, atMs: performance.now(), socket };
        this.received.push(received);
        const reply = this.respond(received, response);
        if (reply !== undefined) response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? "");
      });
    };
    this.#server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
    this.#server.on("connection", () => this.connections++);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get http(): Server {
    return this.#server;
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** With the code as the body. */
export function answering(status: number, headers: Readonly<Record<string, string>> = {}): Respond {
  return () => ({ status, headers, body: String(status) });
}

/** Fails so many times, then works. */
export function failing(times: number, status = 503, headers: Readonly<Record<string, string>> = {}): Respond {
  let left = times;
  return () => (left-- > 0 ? { status, headers, body: String(status) } : { body: "ok" });
}
