import type { Socket } from "node:net";
import type { Clock } from "../../../shared/base/index.ts";
import type { DownstreamEvents, DownstreamStream, RequestHead } from "../stream/stream.ts";
import { Http1Error } from "./http1-error.ts";
import { FieldParser, hasToken, namesWebSocket, removeHopByHop } from "./http1-fields.ts";
import { headText, type ParsedRequest, parseRequestHead } from "./http1-head.ts";
import { refusal } from "./http1-refusal.ts";
import { ServerStream, type StreamOwner } from "./http1-server-stream.ts";
import type { Http1Settings } from "./http1-settings.ts";
import { TargetReader } from "./http1-target.ts";
import { LazyTimer } from "./lazy-timer.ts";

/** Bytes of later requests that are kept while one is being answered; beyond that the socket is paused. */
const MAX_PIPELINED_BYTES = 64 * 1024;
/** How long a closing connection still takes in what the client sends: closed at once, it would lose the answer. */
const LINGER_MS = 1_000;
/** How long a closing connection waits for a client that reads nothing of its answer. */
const FLUSH_PATIENCE_MS = 60_000;
/** In place of a time. */
const NOT_STARTED = -1;

export interface Http1ServerOptions {
  readonly settings: Http1Settings;
  readonly clock: Clock;
  /** The scheme of origin-form requests. */
  readonly scheme: "http" | "https";
  /** Only the explicit outbound listener takes CONNECT: the tunnel's bytes are then read as requests to that host. */
  readonly acceptConnect: boolean;
  /** A request's head is complete; the exchange that is returned gets the rest. */
  onRequest(head: RequestHead, end: boolean, stream: DownstreamStream): DownstreamEvents;
  /** A request of which not even the head could be read is answered here. */
  onRefused(error: Http1Error): void;
}

/**
 * One client connection of HTTP/1.1. Requests are answered one after the other, so pipelined ones wait as bytes.
 * After anything that leaves the position in the byte stream uncertain, the connection is closed: an answer is never
 * taken for another request's, and a body never for a request.
 */
export class Http1ServerConnection implements StreamOwner {
  readonly socket: Socket;
  readonly #options: Http1ServerOptions;
  readonly #settings: Http1Settings;
  readonly #targets = new TargetReader();
  readonly #fields = new FieldParser();
  readonly #timer: LazyTimer;
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
  /** The last sign of life, the first byte of the head or request under way, and when a closing connection is cut. */
  #activeMs: number;
  #startedMs = NOT_STARTED;
  #cutMs = 0;
  /** What a closing connection had still to send when it was last looked at. */
  #unsentBytes = 0;

  constructor(socket: Socket, options: Http1ServerOptions) {
    this.socket = socket;
    this.#options = options;
    this.#settings = options.settings;
    this.#activeMs = options.clock.monotonic();
    this.#timer = new LazyTimer(
      options.clock,
      () => this.#dueMs(),
      () => this.#expired(),
    );
    this.#timer.check();
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#timer.stop();
      this.#stream?.closed();
    });
  }

  /** Ends the connection after the request in progress, if any; a tunnel at once, since it has no end to wait for. */
  drain(): void {
    this.#draining = true;
    if (this.#stream === undefined) this.#end();
    else if (this.#stream.tunnel) this.socket.destroySoon();
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

  touch(): void {
    this.#activeMs = this.#options.clock.monotonic();
  }

  monotonicMs(): number {
    // While what has come is read, it is still the time at which it came.
    return this.#reading ? this.#activeMs : this.#options.clock.monotonic();
  }

  deadlineChanged(): void {
    this.#timer.check();
  }

  switched(): void {
    if (!this.#reading) this.#readLater();
  }

  finished(stream: ServerStream, keepAlive: boolean): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#startedMs = NOT_STARTED;
    if (!keepAlive || this.#draining) {
      this.#end();
      return;
    }
    this.#timer.check();
    if (this.#reading) return;
    if (this.#pending !== undefined) this.#readLater();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  // --- time ---

  #dueMs(): number {
    const { headTimeoutMs, requestTimeoutMs, streamIdleTimeoutMs, idleTimeoutMs } = this.#settings;
    if (this.socket.destroyed) return Number.POSITIVE_INFINITY;
    if (this.#ended) return this.#cutMs;
    const stream = this.#stream;
    if (stream !== undefined) {
      const idleMs = Math.min(this.#activeMs + streamIdleTimeoutMs, stream.deadlineMs);
      return stream.receiving && !stream.tunnel ? Math.min(idleMs, this.#startedMs + requestTimeoutMs) : idleMs;
    }
    if (this.#startedMs !== NOT_STARTED) {
      return this.#startedMs + Math.min(headTimeoutMs, requestTimeoutMs, streamIdleTimeoutMs);
    }
    return this.#activeMs + (this.#pending === undefined ? idleTimeoutMs : streamIdleTimeoutMs);
  }

  #expired(): void {
    const { headTimeoutMs, requestTimeoutMs, streamIdleTimeoutMs } = this.#settings;
    const stream = this.#stream;
    if (this.#ended) {
      this.#cut();
    } else if (stream !== undefined) {
      const nowMs = this.#options.clock.monotonic();
      if (nowMs >= stream.deadlineMs) {
        stream.deadlineOver();
        return;
      }
      const isIdle = nowMs >= this.#activeMs + streamIdleTimeoutMs;
      stream.timedOut(isIdle ? "stream_idle_timeout" : "request_overall_timeout");
      if (this.#stream === stream) this.socket.destroy();
    } else if (this.#startedMs !== NOT_STARTED) {
      const limitMs = Math.min(headTimeoutMs, requestTimeoutMs, streamIdleTimeoutMs);
      const detail =
        limitMs === headTimeoutMs
          ? "request_header_timeout"
          : limitMs === requestTimeoutMs
            ? "request_overall_timeout"
            : "stream_idle_timeout";
      this.#refuse(new Http1Error(408, detail, "the request's head took too long"));
    } else if (this.#pending !== undefined) {
      // Pipelined requests wait behind answers that the client does not read.
      this.socket.destroy();
    } else {
      this.#end();
    }
  }

  /** A closing connection goes on only as long as its client takes in what is left to send. */
  #cut(): void {
    const unsentBytes = this.socket.writableLength;
    if (this.socket.writableFinished || unsentBytes >= this.#unsentBytes) {
      this.socket.destroy();
      return;
    }
    this.#unsentBytes = unsentBytes;
    this.#cutMs = this.#options.clock.monotonic() + FLUSH_PATIENCE_MS;
  }

  // --- from the socket ---

  /** A client that closes its half has gone: that is how a disconnect looks, and it must cancel what is under way. */
  #onEnd(): void {
    if (this.#stream?.tunnel === true) {
      this.#stream.endTunnel();
      return;
    }
    this.#stream?.closed();
    this.#end();
  }

  #onDrain(): void {
    this.touch();
    if (this.#stream !== undefined) this.#stream.events?.onDrain();
    else this.#readLater();
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    this.touch();
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
    const nowMs = this.#options.clock.monotonic();
    this.#cutMs = nowMs + FLUSH_PATIENCE_MS;
    this.#unsentBytes = socket.writableLength;
    socket.end(() => {
      if (socket.destroyed) return;
      this.#cutMs = this.#options.clock.monotonic() + LINGER_MS;
      this.#timer.check();
    });
    this.#timer.check();
    // A paused socket would never see the client's end.
    socket.resume();
  }

  // --- reading ---

  #read(buffer: Buffer): void {
    this.#reading = true;
    let position = 0;
    try {
      while (position < buffer.length && !this.#ended && !this.socket.destroyed) {
        if (this.#stream === undefined) {
          // A client that does not read its answers gets no more of them.
          if (this.socket.writableNeedDrain) break;
          const next = this.#readHead(buffer, position);
          if (next < 0) {
            this.#keepHead(position === 0 ? buffer : buffer.subarray(position));
            return;
          }
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

  /** The beginning of a head: its time runs. */
  #keepHead(rest: Buffer): void {
    this.#pending = rest;
    if (this.#startedMs === NOT_STARTED) this.#startedMs = this.#activeMs;
    this.#timer.check();
  }

  /** Requests that have to wait. */
  #keep(rest: Buffer): void {
    this.#pending = rest;
    if (rest.length > MAX_PIPELINED_BYTES) this.socket.pause();
    this.#timer.check();
  }

  /** The offset after the head, or -1 while it is incomplete. */
  #readHead(buffer: Buffer, start: number): number {
    let position = start;
    // RFC 9112 2.2: an empty line before a request is to be ignored.
    while (buffer[position] === 0x0d && buffer[position + 1] === 0x0a) position += 2;
    const text = headText(buffer, position, Math.max(position, start + this.#scanned - 3));
    const { maxHeadBytes } = this.#settings;
    if ((text === undefined ? buffer.length - start : text.length - 2) > maxHeadBytes) {
      throw new Http1Error(431, "http1.headers_too_large", `headers of more than ${maxHeadBytes} bytes`);
    }
    if (text === undefined) {
      refuseEarly(buffer, position, Math.max(position, start + this.#scanned - 1));
      this.#scanned = buffer.length - start;
      return -1;
    }
    this.#scanned = 0;
    try {
      this.#begin(parseRequestHead(text, this.#settings, this.#fields));
    } catch (error) {
      if (error instanceof Http1Error) error.bodiless = text.startsWith("HEAD ");
      throw error;
    }
    return position + text.length + 2;
  }

  #begin(request: ParsedRequest): void {
    const { method, headers, framing } = request;
    const isHttp10 = request.minorVersion === 0;
    if (isHttp10 && !this.#settings.acceptHttp10)
      throw new Http1Error(426, "low_version", "HTTP/1.0 is not supported: use HTTP/1.1");
    const target = this.#targets.read(request);
    if (method === "CONNECT") {
      this.#connect(target.authority, framing !== 0);
      return;
    }
    const expectContinue = !isHttp10 && framing !== 0 && hasToken(headers, "expect", "100-continue");
    if (isHttp10) headers.remove("expect");
    const switches = !isHttp10 && framing === 0 && method === "GET" && namesWebSocket(headers);
    removeHopByHop(headers);
    const stream = new ServerStream(this, request, expectContinue, this.#settings.bufferBytes);
    this.#stream = stream;
    if (this.#startedMs === NOT_STARTED) this.#startedMs = this.#activeMs;
    const head: RequestHead = {
      method,
      authority: target.scheme === undefined ? (this.#connectAuthority ?? target.authority) : target.authority,
      scheme: target.scheme ?? this.#options.scheme,
      path: target.path,
      headers,
      upgrade: switches ? "websocket" : undefined,
    };
    stream.events = this.#options.onRequest(head, framing === 0, stream);
    if (stream.sent) stream.events.onSent();
    if (!stream.receiving) this.#startedMs = NOT_STARTED;
    this.#timer.check();
  }

  /** The tunnel is a captured connection: what comes next are requests to that host. */
  #connect(authority: string, hasBody: boolean): void {
    if (!this.#options.acceptConnect || this.#connectAuthority !== undefined)
      throw new Http1Error(405, "connect_not_allowed", "CONNECT is not allowed here");
    // Bytes that some would read as a body, others as the tunnel's.
    if (hasBody) throw new Http1Error(400, "http1.connect_with_body", "CONNECT with a body");
    this.#connectAuthority = authority;
    this.#startedMs = NOT_STARTED;
    this.socket.write("HTTP/1.1 200 OK\r\n\r\n");
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
    // One that had begun has heard of it as a reset: it is told once.
    if (stream === undefined) this.#options.onRefused(error);
    this.socket.write(refusal(error));
    this.#end();
  }
}

/**
 * An incomplete head that can never become one (TLS, say, or lines without CR) is not worth waiting for. `unseen`:
 * where the bytes begin that were not looked at before.
 */
function refuseEarly(buffer: Buffer, position: number, unseen: number): void {
  const first = buffer[position] ?? 0x41;
  if ((first <= 0x20 && first !== 0x0d) || first >= 0x7f || buffer.includes("\n\n", unseen)) {
    throw new Http1Error(400, "http1.invalid_request_line", "not an HTTP/1.1 request");
  }
}
