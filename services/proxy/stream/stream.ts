import type { HeaderList } from "./header-list.ts";

/**
 * What codecs and filters share: one request and its response as head, body chunks with back-pressure, and reset with
 * a reason. Nothing here knows a wire format. After an answer of 101 the request, which had ended, goes on: from then
 * on both directions carry bytes of another protocol, each to its own end.
 *
 * A sender calls `sendHead`, then `sendData` until `end`, then `flush` once it has nothing more to say for now: what
 * was said before a flush leaves in one write where it fits.
 */
export interface RequestHead {
  method: string;
  /** Host and optional port, as the client named it. */
  authority: string;
  scheme: "http" | "https";
  /** Path and query. */
  path: string;
  readonly headers: HeaderList;
  /** The protocol that the client asks to switch to (RFC 9110 7.8). The route clears it where that is not let. */
  upgrade?: string | undefined;
}

export interface ResponseHead {
  status: number;
  readonly headers: HeaderList;
}

/** Why a stream ended before its time. */
export type ResetReason =
  | "connect-failure"
  | "connect-timeout"
  | "connection-closed"
  | "protocol-error"
  | "overflow"
  | "cancelled"
  | "timeout";

/** Which limit of the client's connection a request has met: its response code detail. */
export type StreamTimeout = "stream_idle_timeout" | "request_overall_timeout";

/** One end of a stream, as the other side uses it. */
export interface MessageSink {
  /** False: wait for the peer's `onDrain` before sending more. */
  sendData(chunk: Buffer, end: boolean): boolean;
  flush(): void;
  /** Stops the flow from this end until `resume`. */
  pause(): void;
  resume(): void;
  reset(reason: ResetReason): void;
}

/** The client's side of a request: what the exchange answers into. */
export interface DownstreamStream extends MessageSink {
  /** An interim response (1xx), sent at once. */
  sendInterim(head: ResponseHead): void;
  sendHead(head: ResponseHead, end: boolean): void;
  /** Whether bytes of the last `sendData` still wait where they are: they must not be written over. Asked once, after it. */
  holds(): boolean;
  /** After so many milliseconds `onDeadline` is called, once; Infinity: not any more. There is one at a time. */
  setDeadline(afterMs: number): void;
}

/** What the downstream codec tells the exchange. */
export interface DownstreamEvents {
  onData(chunk: Buffer, end: boolean): void;
  /** The codec has handed over all that it had read. */
  onFlush(): void;
  onDrain(): void;
  onReset(reason: ResetReason): void;
  onTimeout(timeout: StreamTimeout): void;
  onDeadline(): void;
  /** The response has left and the stream is done. */
  onSent(): void;
}

/** The server's side of a request: what the exchange forwards into. */
export interface UpstreamStream extends MessageSink {
  sendHead(head: RequestHead, end: boolean): void;
  /** Whether the connection had served a request before: a reset may then be its idle timeout. */
  readonly reused: boolean;
}

/** What the upstream codec tells the exchange. */
export interface UpstreamEvents {
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead, end: boolean): void;
  onData(chunk: Buffer, end: boolean): void;
  onFlush(): void;
  onDrain(): void;
  /** Whether bytes of the last `onData` still wait where they are. */
  holds(): boolean;
  /** `message`: what is wrong with what the server sent. */
  onReset(reason: ResetReason, message?: string): void;
}
