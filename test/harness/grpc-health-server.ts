import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** What a server answers to one Check; left out is what a good server says of one that serves. */
export interface GrpcAnswer {
  readonly status?: number;
  readonly contentType?: string;
  /** The message with its prefix. */
  readonly body?: Buffer;
  /** Undefined: none. */
  readonly grpcStatus?: string | undefined;
  /** grpc-status stands in the head, and nothing follows. */
  readonly headOnly?: boolean;
}

/** A message as gRPC sends it: flag and length before it. */
export function grpcMessage(bytes: readonly number[], flag = 0): Buffer {
  return Buffer.from([flag, 0, 0, 0, bytes.length, ...bytes]);
}

export const SERVING: GrpcAnswer = { body: grpcMessage([8, 1]) };
export const NOT_SERVING: GrpcAnswer = { body: grpcMessage([8, 2]) };
export const UNIMPLEMENTED: GrpcAnswer = { grpcStatus: "12", headOnly: true };

/** A gRPC server that knows the health protocol, on Node's HTTP/2. */
export class GrpcHealthServer {
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  readonly authorities: string[] = [];
  /** Undefined: it never answers. */
  answer: GrpcAnswer | undefined;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(answer: GrpcAnswer | undefined = SERVING) {
    this.answer = answer;
    this.#server = createServer();
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => undefined);
    });
    this.#server.on("stream", (stream, headers) => this.#onStream(stream, String(headers[":authority"])));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that it holds. */
  get connections(): number {
    return this.#sessions.size;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onStream(stream: ServerHttp2Stream, authority: string): void {
    const chunks: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      // Prefix, then field 1: tag and length (of less than 128 bytes).
      this.asked.push(Buffer.concat(chunks).subarray(7).toString());
      this.authorities.push(authority);
      if (this.answer !== undefined) reply(stream, this.answer);
    });
  }
}

function reply(stream: ServerHttp2Stream, answer: GrpcAnswer): void {
  const { status = 200, contentType = "application/grpc", body = Buffer.alloc(0), headOnly = false } = answer;
  const grpcStatus = "grpcStatus" in answer ? answer.grpcStatus : "0";
  const outcome = grpcStatus === undefined ? {} : { "grpc-status": grpcStatus };
  const head = { ":status": status, "content-type": contentType };
  if (headOnly) {
    stream.respond({ ...head, ...outcome }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(outcome));
  stream.end(body);
}
