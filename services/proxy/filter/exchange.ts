import type { ServiceSnapshot } from "../mesh/service-snapshot.ts";
import { applyHeaderEdits, type HeaderEdit } from "../route/header-edits.ts";
import type { ServiceRoute } from "../route/service-route.ts";
import { plainHead } from "../stream/local-reply.ts";
import { type Peer, type RequestRecord, UNKNOWN_PEER } from "../stream/record.ts";
import type { ResponseDetail, ResponseFlag } from "../stream/response-detail.ts";
import type {
  DownstreamEvents,
  DownstreamStream,
  RequestHead,
  ResetReason,
  ResponseHead,
  StreamTimeout,
} from "../stream/stream.ts";
import { BodyCopy } from "./body-copy.ts";
import type { FilterChain } from "./filter-chain.ts";
import type { RouteOverrides } from "./route-overrides.ts";

/** Body bytes that wait for an upstream (and are kept for a retry) before the client is made to wait. */
export const BODY_BUFFER_BYTES = 64 * 1024;

/** Who takes the request's body: the router's current attempt. */
export interface BodyTaker {
  onBody(chunk: Buffer, end: boolean): boolean;
  onBodyFlush(): void;
  onDownstreamDrain(): void;
  /** The time that it has set the client's stream is over. */
  onDeadline(): void;
  /** The client is gone. */
  onCancel(): void;
}

/** The application's answer is being forwarded, or one that the proxy makes itself. */
type Phase = "request" | "response" | "done";

/** One request on its way through the filters, and its response back. */
export class Exchange implements DownstreamEvents {
  readonly head: RequestHead;
  readonly record: RequestRecord;
  readonly downstream: DownstreamStream;
  /** Set by whichever filter finds the destination. */
  service: ServiceSnapshot | undefined;
  route: ServiceRoute | undefined;
  /** The port of `service` that is called. */
  servicePort = 0;
  /** At a gateway: who called from outside. */
  edgeSource: Peer = UNKNOWN_PEER;
  /** At a sidecar's inbound port: the caller's certificate, as x-forwarded-client-cert tells it. */
  clientCertificate = "";
  /** What the application asks for this request instead of its route. */
  overrides: RouteOverrides | undefined;
  /** Whether the whole request has been received. */
  requestEnded: boolean;
  readonly #filters: FilterChain;
  #index = 0;
  #waited = false;
  #phase: Phase = "request";
  #held: Buffer[] = [];
  #taker: BodyTaker | undefined;
  #bodyCopy: BodyCopy | undefined;
  #responseEdits: readonly HeaderEdit[] | undefined;

  constructor(
    head: RequestHead,
    end: boolean,
    downstream: DownstreamStream,
    record: RequestRecord,
    filters: FilterChain,
  ) {
    this.head = head;
    this.requestEnded = end;
    this.downstream = downstream;
    this.record = record;
    this.#filters = filters;
  }

  /** Nothing has been answered yet. */
  get open(): boolean {
    return this.#phase === "request";
  }

  /** A filter has taken its time: it is not any more when the request came. */
  get waited(): boolean {
    return this.#waited;
  }

  get over(): boolean {
    return this.#phase === "done";
  }

  /** Runs the filters from where they stopped. */
  resume(): void {
    const filters = this.#filters.onRequest;
    while (this.#phase === "request" && this.#index < filters.length) {
      if (filters[this.#index++]?.onRequest(this) === "wait") {
        this.#waited = true;
        return;
      }
    }
  }

  /** The router takes the body: what came so far is returned, the rest goes to the taker. */
  takeBody(taker: BodyTaker): Buffer[] {
    this.#taker = taker;
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /**
   * Hands over the whole body once it has been received; never when it is longer than `maxBytes`, or when the exchange
   * is over before. At most once, and before the body is taken.
   */
  onceReceived(maxBytes: number, listener: (body: readonly Buffer[]) => void): void {
    const copy = new BodyCopy(maxBytes, listener);
    for (const chunk of this.#held) copy.take(chunk, false);
    if (this.requestEnded) copy.take(NOTHING, true);
    else this.#bodyCopy = copy;
  }

  /** Changes the answer's fields, whoever gives it, after what was asked for before. */
  editResponse(edits: readonly HeaderEdit[]): void {
    this.#responseEdits = this.#responseEdits === undefined ? edits : [...this.#responseEdits, ...edits];
  }

  /** Of whoever calls, without port. */
  get sourceAddress(): string {
    return this.edgeSource.ip || this.record.source.ip;
  }

  // --- from the client ---

  onData(chunk: Buffer, end: boolean): void {
    if (this.#phase === "done") return;
    this.record.bytesReceived += chunk.length;
    if (end && !this.requestEnded) {
      this.requestEnded = true;
      this.record.received = performance.now();
    }
    if (this.#bodyCopy !== undefined) this.#bodyCopy.take(chunk, end);
    if (this.#taker !== undefined) {
      if (!this.#taker.onBody(chunk, end)) this.downstream.pause();
    } else if (chunk.length > 0) {
      this.#held.push(chunk);
      if (this.record.bytesReceived > BODY_BUFFER_BYTES) this.downstream.pause();
    }
  }

  onFlush(): void {
    this.#taker?.onBodyFlush();
  }

  onDrain(): void {
    this.#taker?.onDownstreamDrain();
  }

  onReset(reason: ResetReason): void {
    if (this.#phase === "done") return;
    const unreadable = reason === "protocol-error";
    this.record.addFlag(unreadable ? "DPE" : "DC");
    if (this.record.detail === "")
      this.record.detail = unreadable ? "http1.codec_error" : "downstream_remote_disconnect";
    this.#taker?.onCancel();
    this.#complete();
  }

  /** A request that is not here yet is the client's fault (408), an answer that is not here yet is not (504). */
  onTimeout(timeout: StreamTimeout): void {
    const isIdle = timeout === "stream_idle_timeout";
    const flag = isIdle ? "SI" : "";
    if (this.open)
      this.reply(this.requestEnded ? 504 : 408, timeout, flag, isIdle ? "stream timeout" : "request timeout");
    else this.abort(timeout, flag);
  }

  onDeadline(): void {
    this.#taker?.onDeadline();
  }

  onSent(): void {
    this.#complete();
  }

  // --- to the client ---

  /** Forwards the application's response head. */
  respond(head: ResponseHead, end: boolean): void {
    if (this.#phase !== "request") return;
    this.#phase = "response";
    if (this.#responseEdits !== undefined) applyHeaderEdits(head.headers, this.#responseEdits);
    this.record.status = head.status;
    this.record.responseHeaders = head.headers;
    for (const filter of this.#filters.onResponse) filter.onResponse(this, head);
    this.downstream.sendHead(head, end);
  }

  sendData(chunk: Buffer, end: boolean): boolean {
    if (this.#phase !== "response") return true;
    this.record.bytesSent += chunk.length;
    return this.downstream.sendData(chunk, end);
  }

  /** An answer of the proxy's own. `flag` is Envoy's response flag, `detail` its reason in one word. */
  reply(
    status: number,
    detail: ResponseDetail,
    flag: ResponseFlag | "",
    text: string,
    extra?: Readonly<Record<string, string>>,
  ): void {
    if (this.#phase !== "request") return;
    this.record.detail = detail;
    if (flag !== "") this.record.addFlag(flag);
    const body = Buffer.from(text, "utf8");
    const head = plainHead(status, body.length);
    for (const [name, value] of Object.entries(extra ?? {})) head.headers.set(name, name.toLowerCase(), value);
    this.#taker?.onCancel();
    this.respond(head, body.length === 0);
    if (body.length > 0) this.sendData(body, true);
    this.downstream.flush();
  }

  /** The response broke off after its head had been sent. */
  abort(detail: ResponseDetail, flag: ResponseFlag | ""): void {
    if (this.#phase === "done") return;
    this.record.detail = detail;
    if (flag !== "") this.record.addFlag(flag);
    this.#taker?.onCancel();
    this.downstream.reset("connection-closed");
    this.#complete();
  }

  #complete(): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#taker = undefined;
    this.#bodyCopy = undefined;
    this.#held = [];
    this.record.durationMs = performance.now() - this.record.started;
    for (const filter of this.#filters.onComplete) filter.onComplete(this);
  }
}

const NOTHING = Buffer.alloc(0);
