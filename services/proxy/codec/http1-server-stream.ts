import type { Socket } from "node:net";
import type { DownstreamEvents, DownstreamStream, ResetReason, ResponseHead, StreamTimeout } from "../stream/stream.ts";
import { ChunkedDecoder } from "./http1-chunked.ts";
import { httpDate } from "./http1-date.ts";
import { encodeFields } from "./http1-fields.ts";
import type { ParsedRequest } from "./http1-head.ts";
import { statusLine } from "./http1-status.ts";
import { type BodyFraming, MessageWriter } from "./http1-writer.ts";

/** The connection that a stream is on. */
export interface StreamOwner {
  readonly socket: Socket;
  readonly draining: boolean;
  /** Of a clock that never goes back. */
  monotonicMs(): number;
  /** A sign of life, for the idle time. */
  touch(): void;
  /** The stream's deadline may have come nearer. */
  deadlineChanged(): void;
  /** The answer has left, and the request is read or given up. */
  finished(stream: ServerStream, keepAlive: boolean): void;
  /** From now on the client's bytes are the stream's, to the end of the connection. */
  switched(): void;
}

/** One request on a connection and its response. */
export class ServerStream implements DownstreamStream {
  events: DownstreamEvents | undefined;
  /** Whether more of the request is to come. */
  receiving: boolean;
  /** The protocol has been switched: bytes go both ways as they are. */
  tunnel = false;
  sent = false;
  /** Part of the response has been given. */
  answering = false;
  /** Of the owner's clock. */
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #owner: StreamOwner;
  readonly #isHead: boolean;
  readonly #isHttp10: boolean;
  readonly #decoder: ChunkedDecoder | undefined;
  readonly #writer: MessageWriter;
  #remaining: number;
  #keepAlive: boolean;
  #expectContinue: boolean;
  #closed = false;

  constructor(owner: StreamOwner, request: ParsedRequest, expectContinue: boolean, bufferBytes: number) {
    this.#owner = owner;
    this.#isHead = request.method === "HEAD";
    this.#isHttp10 = request.minorVersion === 0;
    this.#writer = new MessageWriter(owner.socket, bufferBytes);
    this.#decoder = request.framing === "chunked" ? new ChunkedDecoder() : undefined;
    this.#remaining = typeof request.framing === "number" ? request.framing : 0;
    this.receiving = request.framing !== 0;
    this.#keepAlive = request.keepAlive;
    this.#expectContinue = expectContinue;
  }

  get #over(): boolean {
    return this.#closed || this.sent;
  }

  /** Hands body bytes on; returns the offset after them. Throws Http1Error. */
  read(buffer: Buffer, start: number): number {
    const decoder = this.#decoder;
    if (this.tunnel) {
      this.events?.onData(start === 0 ? buffer : buffer.subarray(start), false);
      return buffer.length;
    }
    let end: number;
    if (decoder !== undefined) {
      end = decoder.read(buffer, start);
      const { done } = decoder;
      const payload = decoder.take();
      if (done) this.receiving = false;
      if (done || payload.length > 0) this.events?.onData(payload, done);
    } else {
      end = Math.min(buffer.length, start + this.#remaining);
      this.#remaining -= end - start;
      const done = this.#remaining === 0;
      if (done) this.receiving = false;
      this.events?.onData(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end), done);
    }
    if (!this.receiving && this.sent) this.#done();
    return end;
  }

  sendInterim({ status, headers }: ResponseHead): void {
    // HTTP/1.0 knows no interim answers, and nobody gets a 100 who has not asked for it (RFC 9110 10.1.1).
    if (this.#over || this.answering || this.#isHttp10 || (status === 100 && !this.#expectContinue)) return;
    if (status === 100) this.#expectContinue = false;
    this.#owner.socket.write(`${statusLine(status)}${encodeFields(headers)}\r\n`, "latin1");
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.#over) return;
    this.answering = true;
    const { status } = head;
    if (status === 101) {
      this.#switch(head);
      return;
    }
    const { keys, values, lines } = head.headers;
    let text = statusLine(status);
    let length = -1;
    let dated = false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (key === "content-length") {
        // RFC 9110 8.6.
        if (status === 204) continue;
        length = Number(values[i]);
      } else if (key === "date") {
        dated = true;
      } else if (key === "connection") {
        // Nobody else's gets this far: the proxy itself wants the connection to end with its answer.
        this.#keepAlive = false;
        continue;
      }
      text += lines[i];
    }
    // RFC 9110 6.6.1.
    if (!dated) text += `date: ${httpDate()}\r\n`;
    let framing: BodyFraming = length;
    if (this.#isHead || status === 204 || status === 304) {
      framing = "none";
    } else if (length < 0) {
      if (end) {
        framing = 0;
        text += "content-length: 0\r\n";
      } else if (this.#isHttp10) {
        framing = "until-close";
        this.#keepAlive = false;
      } else {
        framing = "chunked";
        text += "transfer-encoding: chunked\r\n";
      }
    }
    // A response that comes before its request is read leaves bytes that nobody will read.
    if (this.receiving || this.#owner.draining) this.#keepAlive = false;
    if (!this.#keepAlive) text += "connection: close\r\n";
    else if (this.#isHttp10) text += "connection: keep-alive\r\n";
    this.#writer.head(`${text}\r\n`, framing);
    if (end) this.sendData(EMPTY, true);
  }

  sendData(chunk: Buffer, end: boolean): boolean {
    if (this.#over) return true;
    const ready = this.#writer.data(chunk, end);
    if (end) this.#finish();
    return ready;
  }

  holds(): boolean {
    return this.#writer.takeHold();
  }

  setDeadline(afterMs: number): void {
    this.deadlineMs = afterMs === Number.POSITIVE_INFINITY ? afterMs : this.#owner.monotonicMs() + afterMs;
    if (afterMs !== Number.POSITIVE_INFINITY) this.#owner.deadlineChanged();
  }

  flush(): void {
    if (this.#over) return;
    this.#owner.touch();
    this.#writer.flush();
  }

  pause(): void {
    if (!this.#closed && this.receiving) this.#owner.socket.pause();
  }

  resume(): void {
    if (!this.#closed && this.receiving) this.#owner.socket.resume();
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.socket.destroy();
  }

  /** The client went away, or sent what cannot be read. */
  closed(reason: ResetReason = "connection-closed"): void {
    if (this.#over) return;
    this.#closed = true;
    this.events?.onReset(reason);
  }

  /** The client has nothing more to say in its tunnel. */
  endTunnel(): void {
    if (this.#over) return;
    this.receiving = false;
    this.events?.onData(EMPTY, true);
    this.events?.onFlush();
  }

  deadlineOver(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (!this.#over) this.events?.onDeadline();
  }

  timedOut(timeout: StreamTimeout): void {
    if (!this.#over) this.events?.onTimeout(timeout);
  }

  #switch(head: ResponseHead): void {
    this.tunnel = true;
    this.receiving = true;
    this.#keepAlive = false;
    const fields = encodeFields(head.headers);
    this.#writer.head(`${statusLine(101)}${fields}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`, "until-close");
    this.#writer.flush();
    this.#owner.switched();
  }

  #finish(): void {
    this.sent = true;
    this.#owner.touch();
    this.#writer.flush();
    this.events?.onSent();
    if (this.receiving) this.#keepAlive = false;
    if (!this.receiving || !this.#keepAlive) this.#done();
  }

  #done(): void {
    this.#owner.finished(this, this.#keepAlive);
  }
}

const EMPTY = Buffer.alloc(0);
