import type { Socket } from "node:net";
import type { RequestHead, UpstreamEvents, UpstreamStream } from "../stream/stream.ts";
import { ChunkedDecoder } from "./http1-chunked.ts";
import { Http1Error } from "./http1-error.ts";
import { type FieldParser, keepAliveMs, namesWebSocket, removeHopByHop } from "./http1-fields.ts";
import { BAD_ANSWER, type Framing, headText, type ParsedResponse, parseResponseHead } from "./http1-head.ts";
import type { Http1Limits } from "./http1-settings.ts";
import { type BodyFraming, MessageWriter } from "./http1-writer.ts";

/** The connection that a request is sent on. */
export interface RequestOwner {
  readonly socket: Socket;
  readonly fields: FieldParser;
  /** The exchange gave up on its request. */
  abandon(stream: ClientStream): void;
}

/** One request to a server and its response. */
export class ClientStream implements UpstreamStream {
  readonly events: UpstreamEvents;
  readonly reused: boolean;
  /** The whole response has been read. */
  done = false;
  /** The server has switched the protocol: bytes go both ways as they are. */
  tunnel = false;
  /** How long the server keeps the connection idle, as far as it has said so. */
  idleLimitMs = Number.POSITIVE_INFINITY;
  readonly #owner: RequestOwner;
  readonly #limits: Http1Limits;
  readonly #writer: MessageWriter;
  #method = "GET";
  #asksToSwitch = false;
  #requestSent = false;
  #scanned = 0;
  #framing: Framing | undefined;
  #keepAlive = false;
  #decoder: ChunkedDecoder | undefined;
  #remaining = 0;

  constructor(owner: RequestOwner, events: UpstreamEvents, reused: boolean, limits: Http1Limits) {
    this.#owner = owner;
    this.events = events;
    this.reused = reused;
    this.#limits = limits;
    this.#writer = new MessageWriter(owner.socket, limits.bufferBytes);
  }

  /** The connection's end is the body's. */
  get untilClose(): boolean {
    return this.#framing === "until-close";
  }

  /** Whether the next request may follow on the connection. */
  get reusable(): boolean {
    return this.#requestSent && this.#keepAlive;
  }

  sendHead(head: RequestHead, end: boolean): void {
    this.#method = head.method;
    const { keys, values, lines } = head.headers;
    const start = `${head.method} ${head.path} HTTP/1.1\r\n`;
    let fields = "";
    let named = false;
    let length = -1;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (key === "host") {
        // RFC 9112 3.2.2: the target's own authority counts, where the client had put the field.
        named = true;
        if (values[i] !== head.authority) head.headers.replaceAt(i, head.authority);
      } else if (key === "content-length") {
        length = Number(values[i]);
      }
      fields += lines[i];
    }
    let framing: BodyFraming = Math.max(length, 0);
    if (!end && length < 0) {
      framing = "chunked";
      fields += "transfer-encoding: chunked\r\n";
    }
    if (head.upgrade !== undefined) {
      this.#asksToSwitch = true;
      fields += `connection: Upgrade\r\nupgrade: ${head.upgrade}\r\n`;
    }
    this.#writer.head(`${start}${named ? "" : `host: ${head.authority}\r\n`}${fields}\r\n`, framing);
    if (end) this.sendData(EMPTY, true);
  }

  sendData(chunk: Buffer, end: boolean): boolean {
    if (this.tunnel && end) {
      this.#writer.data(chunk, true);
      this.#owner.socket.end();
      return true;
    }
    if (end) this.#requestSent = true;
    return this.#writer.data(chunk, end);
  }

  flush(): void {
    this.#writer.flush();
  }

  pause(): void {
    if (!this.done) this.#owner.socket.pause();
  }

  resume(): void {
    if (!this.done) this.#owner.socket.resume();
  }

  reset(): void {
    this.#owner.abandon(this);
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
      if (this.#framing === undefined) {
        const next = this.#readHead(buffer, position);
        if (next < 0) break;
        position = next;
      } else {
        position = this.#readBody(buffer, position, this.#framing);
      }
    }
    return position;
  }

  #readHead(buffer: Buffer, start: number): number {
    const text = headText(buffer, start, Math.max(start, start + this.#scanned - 3));
    if ((text === undefined ? buffer.length - start : text.length - 2) > this.#limits.maxHeadBytes) {
      throw new Http1Error(502, BAD_ANSWER, "response headers are too large");
    }
    if (text === undefined) {
      refuseEarly(buffer, start, start + Math.max(0, this.#scanned - 1));
      this.#scanned = buffer.length - start;
      return -1;
    }
    this.#scanned = 0;
    const response = parseResponseHead(text, this.#method, this.#limits, this.#owner.fields);
    if (response.status === 101) {
      this.#switch(response);
    } else if (response.status < 200) {
      removeHopByHop(response.headers);
      // RFC 9110 8.6: it has no body, whatever it says.
      response.headers.remove("content-length");
      this.events.onInterim({ status: response.status, headers: response.headers });
    } else {
      this.#begin(response);
    }
    return start + text.length + 2;
  }

  #begin({ status, headers, framing, keepAlive }: ParsedResponse): void {
    this.#framing = framing;
    this.#keepAlive = keepAlive;
    this.idleLimitMs = keepAliveMs(headers);
    removeHopByHop(headers);
    if (framing === "chunked") this.#decoder = new ChunkedDecoder();
    else if (typeof framing === "number") this.#remaining = framing;
    const ended = framing === 0;
    if (ended) this.done = true;
    this.events.onHead({ status, headers }, ended);
  }

  /** RFC 9110 15.2.2, 7.8: only to what was asked for. */
  #switch({ status, headers }: ParsedResponse): void {
    if (!this.#asksToSwitch || !namesWebSocket(headers))
      throw new Http1Error(502, BAD_ANSWER, "upgrade that nobody asked for");
    this.tunnel = true;
    this.#framing = "until-close";
    this.#writer.head("", "until-close");
    removeHopByHop(headers);
    headers.remove("content-length");
    this.events.onHead({ status, headers }, false);
  }

  #readBody(buffer: Buffer, start: number, framing: Framing): number {
    const decoder = this.#decoder;
    if (decoder !== undefined) {
      const next = decoder.read(buffer, start);
      const payload = decoder.take();
      this.done = decoder.done;
      if (this.done || payload.length > 0) this.events.onData(payload, this.done);
      return next;
    }
    if (framing === "until-close") {
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

/** A head that can never become one is not worth waiting for: something else than HTTP, or lines without CR. */
function refuseEarly(buffer: Buffer, start: number, unseen: number): void {
  const begun = buffer.toString("latin1", start, start + PROTOCOL.length);
  if (!PROTOCOL.startsWith(begun) || buffer.includes("\n\n", unseen)) {
    throw new Http1Error(502, BAD_ANSWER, "not an HTTP/1.1 response");
  }
}

const PROTOCOL = "HTTP/1.";
const EMPTY = Buffer.alloc(0);
