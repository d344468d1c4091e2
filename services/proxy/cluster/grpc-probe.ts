import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from "node:http2";
import type { Socket } from "node:net";
import { GrpcHealthRequest, GrpcHealthResponse } from "../../../shared/wire/index.ts";
import { isGrpcContentType } from "../route/request-parts.ts";

/**
 * gRPC's health protocol (grpc.health.v1.Health/Check), one question over a connection of its own. It is asked every
 * few seconds and not for every request, so that Node's own HTTP/2 is good enough for it.
 *
 * Good is one answer alone: status 200, an uncompressed message that says SERVING, grpc-status 0. Whatever else comes
 * is bad, a server that does not know the service or the protocol included, as with Envoy.
 */
export interface GrpcQuestion {
  readonly authority: string;
  /** What is asked for; empty: the server as a whole. */
  readonly service: string;
}

const SERVING = 1;
/** Flag (1: compressed) and length come before a message. */
const PREFIX_BYTES = 5;
const MAX_ANSWER_BYTES = 1_024;

export class GrpcProbe {
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  #done: ((isServing: boolean) => void) | undefined;
  #isOk = false;
  #grpcStatus: unknown;
  #body: Buffer = Buffer.alloc(0);

  /** It closes the socket, which is connected; `done` is told once. */
  constructor(socket: Socket, question: GrpcQuestion, done: (isServing: boolean) => void) {
    this.#socket = socket;
    this.#done = done;
    socket.on("error", () => {});
    // The origin that Node wants here is not sent: the request names its own.
    this.#session = connect("http://health", { createConnection: () => socket, settings: { enablePush: false } });
    this.#session.on("error", () => this.#settle(false));
    this.#session.on("close", () => this.#settle(false));
    this.#ask(question);
  }

  /** Nothing more is told. */
  cancel(): void {
    this.#done = undefined;
    this.#session.destroy();
    this.#socket.destroy();
  }

  #ask({ authority, service }: GrpcQuestion): void {
    const stream = this.#session.request({
      ":method": "POST",
      ":scheme": "http",
      ":authority": authority,
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "Lateen/HC",
    });
    stream.on("response", (head) => this.#onHead(head));
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("trailers", (trailers) => {
      this.#grpcStatus = trailers["grpc-status"];
    });
    stream.on("error", () => this.#settle(false));
    stream.on("close", () => this.#settle(this.#isServing()));
    stream.end(frame(GrpcHealthRequest.encode({ service })));
  }

  #onHead(head: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#isOk = head[":status"] === 200 && isGrpcContentType(head["content-type"]);
    this.#grpcStatus = head["grpc-status"];
  }

  #onData(chunk: Buffer): void {
    this.#body = Buffer.concat([this.#body, chunk]);
    if (this.#body.length > MAX_ANSWER_BYTES) this.#settle(false);
  }

  #isServing(): boolean {
    if (!this.#isOk || this.#grpcStatus !== "0") return false;
    const body = this.#body;
    if (body.length < PREFIX_BYTES || body[0] !== 0 || body.readUInt32BE(1) !== body.length - PREFIX_BYTES)
      return false;
    try {
      return GrpcHealthResponse.decode(body.subarray(PREFIX_BYTES)).status === SERVING;
    } catch {
      return false;
    }
  }

  #settle(isServing: boolean): void {
    const done = this.#done;
    this.cancel();
    done?.(isServing);
  }
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}
