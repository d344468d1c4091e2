import type { Socket } from "node:net";
import type { DownstreamEvents, DownstreamStream, RequestHead, ResetReason, ResponseHead } from "../stream/stream.ts";
import { ChunkedDecoder } from "./http1-chunked.ts";
import {
  encodeFields,
  Http1Error,
  type Http1Limits,
  hasToken,
  type ParsedRequest,
  parseRequestHead,
  removeHopByHop,
  statusLine,
} from "./http1-head.ts";
import { MessageWriter } from "./http1-writer.ts";

/** Bytes of later requests that are kept while one is being answered; beyond that the socket is paused. */
const MAX_PIPELINED_BYTES = 64 * 1024;
/** Longest wait of an idle connection for its next request, and of a client for a response to move on. */
const IDLE_TIMEOUT_MS = 3_600_000;
/** How long a closing connection still takes in what the client sends: closed at once, it would lose the answer. */
const LINGER_MS = 1_000;

export interface Http1ServerOptions {
  readonly limits: Http1Limits;
  /** The scheme of origin-form requests. */
  readonly scheme: "http" | "https";
  /** Only the explicit outbound listener takes CONNECT: the tunnel's bytes are then read as requests to that host. */
  readonly acceptConnect: boolean;
  /** A request's head is complete; the exchange that is returned gets the rest. */
  onRequest(head: RequestHead, end: boolean, stream: DownstreamStream): DownstreamEvents;
  /** A request that could not be read was answered here. */
  onRefused?(error: Http1Error): void;
}

/**
 * One client connection of HTTP/1.1. Requests are answered one after the other, so pipelined ones wait as bytes.
 * After anything that leaves the position in the byte stream uncertain, the connection is closed.
 */
export class Http1ServerConnection {
  readonly socket: Socket;
  readonly #options: Http1ServerOptions;
  #pending: Buffer | undefined;
  #scanned = 0;
  #stream: ServerStream | undefined;
  #draining = false;
  #reading = false;
  /** The kept bytes are about to be read: what arrives meanwhile goes behind them. */
  #scheduled = false;
  /** The last answer has been given: nothing that still comes is a request. */
  #ended = false;
  #connectAuthority: string | undefined;

  constructor(socket: Socket, options: Http1ServerOptions) {
    this.socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#stream?.closed());
  }

  /** Ends the connection after the request in progress, if any. */
  drain(): void {
    this.#draining = true;
    if (this.#stream === undefined) this.#end();
  }

  /** The next response closes the connection; until then it stays. */
  announceClose(): void {
    this.#draining = true;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get active(): boolean {
    return this.#stream !== undefined;
  }

  /** Bytes that came before the connection was handed to this codec. */
  unshift(chunk: Buffer): void {
    this.#onData(chunk);
  }

  /** A client that closes its half has gone: that is how a disconnect looks, and it must cancel what is under way. */
  #onEnd(): void {
    this.#stream?.closed();
    this.#end();
  }

  #onDrain(): void {
    if (this.#stream !== undefined) this.#stream.events?.onDrain();
    else this.#readLater();
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    const buffer = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#scheduled) {
      this.#pending = buffer;
      return;
    }
    this.#pending = undefined;
    this.#read(buffer);
  }

  /** Takes up the kept bytes: in a turn of its own, since a stack per pipelined request would overflow. */
  #readLater(): void {
    if (this.#pending === undefined || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const rest = this.#pending;
      this.#pending = undefined;
      if (this.socket.isPaused()) this.socket.resume();
      if (rest !== undefined && !this.#ended && !this.socket.destroyed) this.#read(rest);
    });
  }

  /** No more requests; the socket closes once the client has, or soon. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pending = undefined;
    const { socket } = this;
    socket.end(() => {
      const linger = setTimeout(() => socket.destroy(), LINGER_MS);
      linger.unref();
      socket.once("close", () => clearTimeout(linger));
    });
    // A paused socket would never see the client's end.
    socket.resume();
  }

  #read(buffer: Buffer): void {
    this.#reading = true;
    let position = 0;
    try {
      while (position < buffer.length && !this.#ended && !this.socket.destroyed) {
        if (this.#stream === undefined) {
          // A client that does not read its answers gets no more of them.
          if (this.socket.writableNeedDrain) break;
          const next = this.#readHead(buffer, position);
          if (next < 0) break;
          position = next;
        } else if (this.#stream.receiving) {
          position = this.#stream.read(buffer, position);
        } else {
          break;
        }
      }
    } catch (error) {
      this.#refuse(error);
      return;
    } finally {
      this.#reading = false;
    }
    if (position < buffer.length && !this.#ended && !this.socket.destroyed) this.#keep(buffer.subarray(position));
    this.#stream?.events?.onFlush();
  }

  #keep(rest: Buffer): void {
    this.#pending = rest;
    if (rest.length > MAX_PIPELINED_BYTES) this.socket.pause();
  }

  /** The offset after the head, or -1 while it is incomplete. */
  #readHead(buffer: Buffer, start: number): number {
    let position = start;
    // RFC 9112 2.2: an empty line before a request is to be ignored.
    while (buffer[position] === 0x0d && buffer[position + 1] === 0x0a) position += 2;
    const end = buffer.indexOf("\r\n\r\n", Math.max(position, start + this.#scanned - 3));
    const { limits } = this.#options;
    if (end < 0 ? buffer.length - start > limits.maxHeadBytes : end - position > limits.maxHeadBytes) {
      throw new Http1Error(431, "http1.headers_too_large", `headers of more than ${limits.maxHeadBytes} bytes`);
    }
    if (end < 0) {
      refuseEarly(buffer, position);
      this.#scanned = buffer.length - start;
      return -1;
    }
    this.#scanned = 0;
    const request = parseRequestHead(buffer.toString("latin1", position, end), limits);
    this.#begin(request);
    return end + 4;
  }

  #begin(request: ParsedRequest): void {
    if (request.minorVersion === 0) throw new Http1Error(426, "low_version", "HTTP/1.0 is not supported: use HTTP/1.1");
    const target = this.#target(request);
    if (request.method === "CONNECT") {
      this.#connectAuthority = target.authority;
      this.socket.write("HTTP/1.1 200 OK\r\n\r\n");
      return;
    }
    const expectContinue = request.framing !== 0 && hasToken(request.headers, "expect", "100-continue");
    removeHopByHop(request.headers);
    const stream = new ServerStream(this, request, expectContinue);
    this.#stream = stream;
    const head: RequestHead = {
      method: request.method,
      authority: target.authority,
      scheme: target.scheme,
      path: target.path,
      headers: request.headers,
    };
    stream.events = this.#options.onRequest(head, request.framing === 0, stream);
    if (stream.sent) stream.events.onSent();
  }

  /** The four forms of RFC 9112 3.2. Exactly one valid Host; the target's authority wins over it. */
  #target(request: ParsedRequest): { authority: string; path: string; scheme: "http" | "https" } {
    const { target, headers, method } = request;
    let host: string | undefined;
    for (let i = 0; i < headers.keys.length; i++) {
      if (headers.keys[i] !== "host") continue;
      if (host !== undefined) throw new Http1Error(400, "http1.duplicate_host", "more than one Host header");
      host = headers.values[i];
    }
    if (host === undefined || (host !== "" && !AUTHORITY.test(host))) {
      throw new Http1Error(400, "missing_host_header", "missing or invalid Host header");
    }
    if (method === "CONNECT") {
      if (!this.#options.acceptConnect) throw new Http1Error(405, "connect_not_allowed", "CONNECT is not allowed here");
      if (!AUTHORITY.test(target) || !/:[0-9]+$/.test(target))
        throw new Http1Error(400, "http1.invalid_url", "CONNECT needs host:port");
      return { authority: target, path: "", scheme: "http" };
    }
    if (target.charCodeAt(0) === 0x2f) {
      return { authority: this.#connectAuthority ?? host, path: target, scheme: this.#options.scheme };
    }
    if (target === "*" && method === "OPTIONS") return { authority: host, path: "*", scheme: this.#options.scheme };
    const absolute = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(target);
    const authority = absolute?.[2] ?? "";
    if (absolute === null || !AUTHORITY.test(authority))
      throw new Http1Error(400, "http1.invalid_url", "invalid request target");
    const rest = absolute[3] ?? "";
    const path = rest.startsWith("/") ? rest : `/${rest}`;
    return { authority, path, scheme: absolute[1]?.toLowerCase() === "https" ? "https" : "http" };
  }

  /** Called by the stream when its response has left and its request is read. */
  finished(stream: ServerStream, keepAlive: boolean): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (!keepAlive || this.#draining) {
      this.#end();
      return;
    }
    if (this.socket.isPaused()) this.socket.resume();
    if (!this.#reading) this.#readLater();
  }

  #refuse(error: unknown): void {
    if (!(error instanceof Http1Error)) throw error;
    const stream = this.#stream;
    if (stream !== undefined) {
      this.#stream = undefined;
      stream.closed("protocol-error");
      if (stream.answering) {
        this.#ended = true;
        this.socket.destroy();
        return;
      }
    }
    this.#options.onRefused?.(error);
    const body = `${error.message}\n`;
    const extra = error.status === 426 ? "upgrade: HTTP/1.1\r\n" : "";
    this.socket.write(
      `${statusLine(error.status)}content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${extra}connection: close\r\n\r\n${body}`,
    );
    this.#end();
  }
}

/** An incomplete head that can never become one (TLS, say, or lines without CR) is not worth waiting for. */
function refuseEarly(buffer: Buffer, position: number): void {
  const first = buffer[position] ?? 0x41;
  if ((first <= 0x20 && first !== 0x0d) || first >= 0x7f || buffer.includes("\n\n", position)) {
    throw new Http1Error(400, "http1.invalid_request_line", "not an HTTP/1.1 request");
  }
}

const AUTHORITY = /^(?:[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/** One request on the connection and its response. */
class ServerStream implements DownstreamStream {
  events: DownstreamEvents | undefined;
  receiving: boolean;
  sent = false;
  readonly #connection: Http1ServerConnection;
  readonly #method: string;
  readonly #decoder: ChunkedDecoder | undefined;
  readonly #writer: MessageWriter;
  #remaining: number;
  #keepAlive: boolean;
  #expectContinue: boolean;
  #closed = false;
  /** Part of the response has been given. */
  answering = false;

  constructor(connection: Http1ServerConnection, request: ParsedRequest, expectContinue: boolean) {
    this.#connection = connection;
    this.#method = request.method;
    this.#writer = new MessageWriter(connection.socket);
    this.#decoder = request.framing === "chunked" ? new ChunkedDecoder() : undefined;
    this.#remaining = typeof request.framing === "number" ? request.framing : 0;
    this.receiving = request.framing !== 0;
    this.#keepAlive = request.keepAlive;
    this.#expectContinue = expectContinue;
  }

  /** Hands body bytes on; returns the offset after them. */
  read(buffer: Buffer, start: number): number {
    let end: number;
    if (this.#decoder !== undefined) {
      // The last piece is held back so that the end travels with it.
      let held: Buffer | undefined;
      end = this.#decoder.read(buffer, start, (piece) => {
        if (held !== undefined) this.events?.onData(held, false);
        held = piece;
      });
      const { done } = this.#decoder;
      if (done) this.receiving = false;
      if (held !== undefined || done) this.events?.onData(held ?? EMPTY, done);
    } else {
      end = Math.min(buffer.length, start + this.#remaining);
      this.#remaining -= end - start;
      if (this.#remaining === 0) this.receiving = false;
      this.events?.onData(
        start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end),
        this.#remaining === 0,
      );
    }
    if (!this.receiving && this.sent) this.#done();
    return end;
  }

  sendInterim(status: number): void {
    if (this.#closed || this.sent || (status === 100 && !this.#expectContinue)) return;
    if (status === 100) this.#expectContinue = false;
    this.#connection.socket.write(`${statusLine(status)}\r\n`, "latin1");
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.#closed) return;
    this.answering = true;
    const { status, headers } = head;
    // RFC 9110 8.6.
    if (status === 204) headers.remove("content-length");
    let text = statusLine(status) + encodeFields(headers);
    const bodiless = this.#method === "HEAD" || status === 204 || status === 304;
    let chunked = false;
    if (!bodiless && !headers.has("content-length")) {
      if (end) {
        text += "content-length: 0\r\n";
      } else {
        chunked = true;
        text += "transfer-encoding: chunked\r\n";
      }
    }
    // A response that comes before its request is read leaves bytes that nobody will read.
    if (this.receiving || this.#connection.draining) this.#keepAlive = false;
    if (!this.#keepAlive) text += "connection: close\r\n";
    this.#writer.head(`${text}\r\n`, chunked, bodiless);
    if (end) this.#finish();
  }

  sendData(chunk: Buffer, end: boolean): boolean {
    if (this.#closed || this.sent) return true;
    const ready = this.#writer.data(chunk, end);
    if (end) this.#finish();
    return ready;
  }

  flush(): void {
    if (!this.#closed) this.#writer.flush();
  }

  pause(): void {
    this.#connection.socket.pause();
  }

  resume(): void {
    this.#connection.socket.resume();
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.socket.destroy();
  }

  /** The client went away, or sent what cannot be read. */
  closed(reason: ResetReason = "connection-closed"): void {
    if (this.#closed || this.sent) return;
    this.#closed = true;
    this.events?.onReset(reason);
  }

  #finish(): void {
    this.sent = true;
    this.#writer.flush();
    this.events?.onSent();
    if (this.receiving && this.#keepAlive) this.#keepAlive = false;
    if (!this.receiving || !this.#keepAlive) this.#done();
  }

  #done(): void {
    this.#connection.finished(this, this.#keepAlive);
  }
}

const EMPTY = Buffer.alloc(0);
