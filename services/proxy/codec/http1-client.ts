import type { Socket } from "node:net";
import type { UpstreamEvents, UpstreamStream } from "../stream/stream.ts";
import { ClientStream, type RequestOwner } from "./http1-client-stream.ts";
import { Http1Error } from "./http1-error.ts";
import { FieldParser } from "./http1-fields.ts";
import type { Http1Limits } from "./http1-settings.ts";
import type { SocketReader } from "./socket-reader.ts";

/** How long before its server would close an idle connection it gets no more requests; or half the time, if shorter. */
const IDLE_MARGIN_MS = 1_000;
/** How long a tunnel that its client has left may take to hand over the client's last bytes. */
const TUNNEL_FLUSH_MS = 10_000;

export interface Http1ClientOptions {
  readonly limits: Http1Limits;
  /** The connection may serve another request. */
  onIdle(connection: Http1ClientConnection): void;
  onClosed(connection: Http1ClientConnection): void;
}

/**
 * One connection to a server: one request at a time, and another one only when the last was sent and answered to its
 * end, to the byte.
 */
export class Http1ClientConnection implements RequestOwner {
  readonly socket: Socket;
  readonly fields = new FieldParser();
  /** Requests that it has been given. */
  requests = 0;
  /** Since the Unix epoch: when the identities on it lapse, and the end of the last request. */
  expiresMs = Number.POSITIVE_INFINITY;
  idleSinceMs = 0;
  readonly #options: Http1ClientOptions;
  #stream: ClientStream | undefined;
  #pending: Buffer | undefined;
  #leaving = false;
  #closed = false;
  /** Until when its server keeps it, less a margin. */
  #keptUntilMs = Number.POSITIVE_INFINITY;

  /** `reader`: of the socket, which then has no `data` events. */
  constructor(socket: Socket, options: Http1ClientOptions, reader?: SocketReader) {
    this.socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    if (reader === undefined) socket.on("data", (chunk: Buffer) => void this.#onData(chunk));
    else reader.to((chunk) => this.#onData(chunk));
    socket.on("drain", () => this.#stream?.events.onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#onClose());
  }

  get usable(): boolean {
    if (this.#closed || this.socket.destroyed || !this.socket.writable || this.#stream !== undefined) return false;
    return this.#keptUntilMs === Number.POSITIVE_INFINITY || performance.now() < this.#keptUntilMs;
  }

  open(events: UpstreamEvents): UpstreamStream {
    const stream = new ClientStream(this, events, this.requests > 0, this.#options.limits);
    this.requests++;
    this.#stream = stream;
    return stream;
  }

  close(): void {
    this.socket.destroy();
  }

  abandon(stream: ClientStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (!stream.tunnel) {
      this.socket.destroy();
      return;
    }
    // What the client of a tunnel said last is still to reach the server.
    this.#leaving = true;
    this.socket.setTimeout(TUNNEL_FLUSH_MS, () => this.socket.destroy());
    this.socket.destroySoon();
    this.socket.resume();
  }

  /** Whether nothing of the chunk is needed any more. */
  #onData(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (stream === undefined) {
      // A server that speaks unasked cannot be trusted with the next request.
      if (!this.#leaving) this.socket.destroy();
      return true;
    }
    const buffer = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = undefined;
    let position: number;
    try {
      position = stream.read(buffer);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#stream = undefined;
      this.socket.destroy();
      stream.events.onReset("protocol-error", error.message);
      return !stream.events.holds();
    }
    if (stream.done) {
      const reusable = stream.reusable && position === buffer.length;
      this.#stream = undefined;
      if (reusable) this.#keepFor(stream.idleLimitMs);
      // The last pieces may have come in one read, after a pause: the next response must not wait behind it.
      if (this.socket.isPaused()) this.socket.resume();
      if (reusable && this.socket.writable) this.#options.onIdle(this);
      else this.socket.destroy();
    } else if (position < buffer.length) {
      this.#pending = buffer.subarray(position);
    }
    stream.events.onFlush();
    return !stream.events.holds() && this.#pending === undefined;
  }

  /** A request that meets the server's close would be lost, so the client gives up first. */
  #keepFor(idleLimitMs: number): void {
    this.#keptUntilMs =
      idleLimitMs === Number.POSITIVE_INFINITY
        ? idleLimitMs
        : performance.now() + idleLimitMs - Math.min(IDLE_MARGIN_MS, idleLimitMs / 2);
  }

  #onEnd(): void {
    const stream = this.#stream;
    if (stream?.untilClose === true) {
      this.#stream = undefined;
      stream.endByClose();
    }
    this.socket.destroy();
  }

  #onClose(): void {
    this.#closed = true;
    const stream = this.#stream;
    this.#stream = undefined;
    this.#options.onClosed(this);
    stream?.events.onReset("connection-closed");
  }
}
