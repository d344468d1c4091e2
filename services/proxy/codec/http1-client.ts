import type { Socket } from "node:net";
import type { RequestHead, ResetReason, UpstreamEvents, UpstreamStream } from "../stream/stream.ts";
import { ChunkedDecoder } from "./http1-chunked.ts";
import { Http1Error, type Http1Limits, type ParsedResponse, parseResponseHead, removeHopByHop } from "./http1-head.ts";
import { MessageWriter } from "./http1-writer.ts";

export interface Http1ClientOptions {
  readonly limits: Http1Limits;
  /** The connection may serve another request. */
  onIdle(connection: Http1ClientConnection): void;
  onClosed(connection: Http1ClientConnection): void;
}

/** One connection to a server: one request at a time. */
export class Http1ClientConnection {
  readonly socket: Socket;
  /** Requests that it has been given. */
  requests = 0;
  readonly #options: Http1ClientOptions;
  #stream: ClientStream | undefined;
  #pending: Buffer | undefined;
  #closed = false;

  constructor(socket: Socket, options: Http1ClientOptions) {
    this.socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("drain", () => this.#stream?.events.onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#onClose());
  }

  get usable(): boolean {
    return !this.#closed && !this.socket.destroyed && this.socket.writable && this.#stream === undefined;
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

  #onData(chunk: Buffer): void {
    const stream = this.#stream;
    if (stream === undefined) {
      // A server that speaks unasked cannot be trusted with the next request.
      this.socket.destroy();
      return;
    }
    const buffer = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = undefined;
    let position: number;
    try {
      position = stream.read(buffer);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#fail(stream, "protocol-error");
      return;
    }
    if (stream.done) {
      const reusable = stream.reusable && position === buffer.length;
      this.#stream = undefined;
      // The last pieces may have come in one read, after a pause: the next response must not wait behind it.
      if (this.socket.isPaused()) this.socket.resume();
      if (reusable && this.socket.writable) this.#options.onIdle(this);
      else this.socket.destroy();
    } else if (position < buffer.length) {
      this.#pending = buffer.subarray(position);
    }
    stream.events.onFlush();
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
    if (stream !== undefined) stream.events.onReset("connection-closed");
  }

  #fail(stream: ClientStream, reason: ResetReason): void {
    this.#stream = undefined;
    this.socket.destroy();
    stream.events.onReset(reason);
  }

  /** The exchange gave up on its request. */
  abandon(stream: UpstreamStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.socket.destroy();
  }
}

class ClientStream implements UpstreamStream {
  readonly events: UpstreamEvents;
  readonly reused: boolean;
  readonly #connection: Http1ClientConnection;
  readonly #limits: Http1Limits;
  readonly #writer: MessageWriter;
  #method = "GET";
  #requestSent = false;
  #response: ParsedResponse | undefined;
  #decoder: ChunkedDecoder | undefined;
  #remaining = 0;
  done = false;

  constructor(connection: Http1ClientConnection, events: UpstreamEvents, reused: boolean, limits: Http1Limits) {
    this.#connection = connection;
    this.events = events;
    this.reused = reused;
    this.#limits = limits;
    this.#writer = new MessageWriter(connection.socket);
  }

  get untilClose(): boolean {
    return this.#response?.framing === "until-close";
  }

  /** Whether the next request may follow on the connection. */
  get reusable(): boolean {
    return this.#requestSent && this.#response?.keepAlive === true;
  }

  sendHead(head: RequestHead, end: boolean): void {
    this.#method = head.method;
    const { headers } = head;
    let text = `${head.method} ${head.path} HTTP/1.1\r\nhost: ${head.authority}\r\n`;
    const { names, keys, values } = headers;
    let hasLength = false;
    for (let i = 0; i < names.length; i++) {
      const key = keys[i];
      if (key === "host") continue;
      if (key === "content-length") hasLength = true;
      text += `${names[i]}: ${values[i]}\r\n`;
    }
    const chunked = !end && !hasLength;
    if (chunked) text += "transfer-encoding: chunked\r\n";
    this.#writer.head(`${text}\r\n`, chunked, false);
    if (end) {
      this.#requestSent = true;
      this.#writer.flush();
    }
  }

  sendData(chunk: Buffer, end: boolean): boolean {
    if (end) this.#requestSent = true;
    const ready = this.#writer.data(chunk, end);
    if (end) this.#writer.flush();
    return ready;
  }

  flush(): void {
    this.#writer.flush();
  }

  pause(): void {
    this.#connection.socket.pause();
  }

  resume(): void {
    this.#connection.socket.resume();
  }

  reset(): void {
    this.#connection.abandon(this);
  }

  endByClose(): void {
    this.done = true;
    this.events.onData(EMPTY, true);
    this.events.onFlush();
  }

  /** Reads response bytes; returns the offset after what it consumed. Throws Http1Error. */
  read(buffer: Buffer): number {
    let position = 0;
    while (position < buffer.length && !this.done) {
      if (this.#response === undefined) {
        const next = this.#readHead(buffer, position);
        if (next < 0) break;
        position = next;
      } else {
        position = this.#readBody(buffer, position, this.#response);
      }
    }
    return position;
  }

  #readHead(buffer: Buffer, start: number): number {
    const end = buffer.indexOf("\r\n\r\n", start);
    if ((end < 0 ? buffer.length : end) - start > this.#limits.maxHeadBytes) {
      throw new Http1Error(502, "http1.headers_too_large", "response headers are too large");
    }
    if (end < 0) return -1;
    const response = parseResponseHead(buffer.toString("latin1", start, end), this.#method, this.#limits);
    if (response.status < 200) {
      if (response.status === 101)
        throw new Http1Error(502, "http1.unexpected_upgrade", "upgrade that nobody asked for");
      this.events.onInterim(response.status);
      return end + 4;
    }
    this.#response = response;
    removeHopByHop(response.headers);
    if (response.framing === "chunked") this.#decoder = new ChunkedDecoder();
    else if (typeof response.framing === "number") this.#remaining = response.framing;
    const ended = response.framing === 0;
    if (ended) this.done = true;
    this.events.onHead({ status: response.status, headers: response.headers }, ended);
    return end + 4;
  }

  #readBody(buffer: Buffer, start: number, response: ParsedResponse): number {
    if (this.#decoder !== undefined) {
      // The last piece is held back so that the end travels with it.
      let held: Buffer | undefined;
      const next = this.#decoder.read(buffer, start, (piece) => {
        if (held !== undefined) this.events.onData(held, false);
        held = piece;
      });
      if (this.#decoder.done) this.done = true;
      if (held !== undefined || this.done) this.events.onData(held ?? EMPTY, this.done);
      return next;
    }
    if (response.framing === "until-close") {
      this.events.onData(start === 0 ? buffer : buffer.subarray(start), false);
      return buffer.length;
    }
    const end = Math.min(buffer.length, start + this.#remaining);
    this.#remaining -= end - start;
    if (this.#remaining === 0) this.done = true;
    this.events.onData(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end), this.done);
    return end;
  }
}

const EMPTY = Buffer.alloc(0);
