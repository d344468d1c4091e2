import type { ConnectionPool, PoolWaiter } from "../cluster/connection-pool.ts";
import type { Host } from "../cluster/host.ts";
import type { Http1ClientConnection } from "../codec/http1-client.ts";
import type { ResetReason, ResponseHead, UpstreamEvents, UpstreamStream } from "../stream/stream.ts";
import { BODY_BUFFER_BYTES, type BodyTaker, type Exchange } from "./exchange.ts";
import type { ForwardPlan } from "./router.ts";

/** Provably unsent requests (no connection came about) are tried again this often without being asked to. */
const UNSENT_RETRIES = 2;
/** Back-off of retry n: a random time below 25 ms * (2^n - 1), at most 250 ms (Envoy). */
const BACKOFF_BASE_MS = 25;
const BACKOFF_MAX_MS = 250;

const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * Carries one request to an instance, as often as its route allows. A request is sent again only while all of its
 * body is at hand (at most BODY_BUFFER_BYTES) and nothing of an answer has reached the client:
 *  - by policy (retry attempts of the route): on 5xx answers, resets and time-outs of a try;
 *  - always: when no connection came about, on another instance; and once on a fresh connection when a kept-alive
 *    one closed without an answer to an idempotent request, which is the server's idle timeout and our write crossing.
 */
export class Forwarder implements BodyTaker {
  readonly #exchange: Exchange;
  readonly #plan: ForwardPlan;
  /** The body so far, for sending it (again); undefined once it is too long to keep. */
  #body: Buffer[] | undefined = [];
  #bodyBytes = 0;
  #attempt: Attempt | undefined;
  #retries = 0;
  #unsentRetries = 0;
  #freshRetried = false;
  #tried: Set<Host> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoff: NodeJS.Timeout | undefined;
  #over = false;

  constructor(exchange: Exchange, plan: ForwardPlan) {
    this.#exchange = exchange;
    this.#plan = plan;
  }

  start(): void {
    for (const chunk of this.#exchange.takeBody(this)) this.#keep(chunk);
    const { timeoutMs } = this.#plan;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#timedOut(), timeoutMs);
    this.#try(false);
  }

  get replayable(): boolean {
    return this.#body !== undefined;
  }

  // --- the client's side ---

  onBody(chunk: Buffer, end: boolean): boolean {
    if (this.#over) return true;
    const stream = this.#attempt?.stream;
    if (stream === undefined) {
      this.#keep(chunk);
      return this.#bodyBytes <= BODY_BUFFER_BYTES;
    }
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > BODY_BUFFER_BYTES) this.#body = undefined;
    else if (chunk.length > 0) this.#body?.push(chunk);
    return stream.sendData(chunk, end);
  }

  onBodyFlush(): void {
    this.#attempt?.stream?.flush();
  }

  onDownstreamDrain(): void {
    this.#attempt?.stream?.resume();
  }

  onCancel(): void {
    this.#stop();
  }

  // --- the attempt's side ---

  /** An attempt got its connection: what the request is so far goes out. */
  sendTo(stream: UpstreamStream): void {
    const { head, requestEnded } = this.#exchange;
    const body = this.#body ?? [];
    stream.sendHead(head, requestEnded && body.length === 0);
    for (let i = 0; i < body.length; i++) stream.sendData(body[i] as Buffer, requestEnded && i === body.length - 1);
    stream.flush();
    if (this.#bodyBytes > BODY_BUFFER_BYTES) this.#body = undefined;
    if (!requestEnded) this.#exchange.downstream.resume();
  }

  onHead(attempt: Attempt, head: ResponseHead, end: boolean): void {
    if (attempt !== this.#attempt) return;
    if (head.status >= 500 && this.#mayRetry()) {
      attempt.cancel();
      this.#retryLater(attempt);
      return;
    }
    clearTimeout(this.#timer);
    this.#exchange.record.detail = "via_upstream";
    attempt.answered();
    if (end) attempt.release();
    this.#exchange.respond(head, end);
    if (end) this.#end(attempt);
  }

  onData(attempt: Attempt, chunk: Buffer, end: boolean): void {
    if (attempt !== this.#attempt) return;
    // The host is free again before the client can send its next request.
    if (end) attempt.release();
    const ready = this.#exchange.sendData(chunk, end);
    if (end) this.#end(attempt);
    else if (!ready) attempt.stream?.pause();
  }

  onFlush(attempt: Attempt): void {
    if (attempt === this.#attempt) this.#exchange.downstream.flush();
  }

  onUpstreamDrain(attempt: Attempt): void {
    if (attempt === this.#attempt) this.#exchange.downstream.resume();
  }

  onInterim(attempt: Attempt, status: number): void {
    if (attempt === this.#attempt) this.#exchange.downstream.sendInterim(status);
  }

  onFailure(attempt: Attempt, reason: ResetReason, message: string): void {
    if (attempt !== this.#attempt) return;
    const exchange = this.#exchange;
    if (!exchange.open) {
      this.#stop();
      exchange.abort("upstream_reset_after_response_started{connection_termination}", "UC");
      return;
    }
    if (
      reason === "connection-closed" &&
      attempt.reused &&
      !this.#freshRetried &&
      this.replayable &&
      IDEMPOTENT.has(exchange.head.method)
    ) {
      this.#freshRetried = true;
      attempt.release();
      this.#try(true, attempt.host);
      return;
    }
    const unsent = reason === "connect-failure" || reason === "connect-timeout";
    if (this.#mayRetry()) {
      this.#retryLater(attempt);
      return;
    }
    if (unsent && this.replayable && this.#unsentRetries < UNSENT_RETRIES && this.#isElsewhere(attempt.host)) {
      this.#unsentRetries++;
      this.#avoid(attempt);
      this.#try(false);
      return;
    }
    this.#fail(reason, message);
  }

  onTryTimeout(attempt: Attempt): void {
    if (attempt !== this.#attempt || !this.#exchange.open) return;
    attempt.cancel();
    if (this.#mayRetry()) this.#retryLater(attempt);
    else this.#answer(504, "upstream_per_try_timeout", "UT", "upstream request timeout");
  }

  // --- inside ---

  #try(fresh: boolean, sameHost?: Host): void {
    const { cluster, servicePort, perTryTimeoutMs, onHost } = this.#plan;
    let host = sameHost ?? cluster.choose(this.#tried);
    let pool = host?.pool(servicePort);
    if (host !== undefined && pool === undefined) {
      // Instances of one service may serve different ports of it.
      host = cluster.chooseServing(servicePort, this.#tried);
      pool = host?.pool(servicePort);
    }
    if (host === undefined || pool === undefined) {
      this.#answer(503, "no_healthy_upstream", "UH", "no healthy upstream");
      return;
    }
    const { record } = this.#exchange;
    record.attempts++;
    const target = host.ports.get(servicePort);
    record.upstreamAddress = target === undefined ? "" : `${target.address}:${target.port}`;
    onHost?.(host);
    this.#attempt = new Attempt(this, host, pool, perTryTimeoutMs);
    this.#attempt.start(fresh);
  }

  #keep(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#bodyBytes += chunk.length;
    this.#body?.push(chunk);
  }

  #mayRetry(): boolean {
    return this.#retries < this.#plan.attempts && this.replayable && this.#exchange.open;
  }

  #retryLater(attempt: Attempt): void {
    this.#retries++;
    this.#avoid(attempt);
    this.#attempt = undefined;
    const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * (2 ** this.#retries - 1));
    this.#backoff = setTimeout(() => this.#try(false), Math.random() * ceilingMs);
  }

  #avoid(attempt: Attempt): void {
    attempt.release();
    this.#tried ??= new Set();
    this.#tried.add(attempt.host);
  }

  /** Whether there is an instance but this one, which may itself have left the cluster meanwhile. */
  #isElsewhere(host: Host): boolean {
    return this.#plan.cluster.hosts.some((other) => other !== host);
  }

  #timedOut(): void {
    if (this.#exchange.open) this.#answer(504, "response_timeout", "UT", "upstream request timeout");
  }

  #fail(reason: ResetReason, message: string): void {
    const retried = this.#retries > 0 ? "URX," : "";
    switch (reason) {
      case "connect-failure":
      case "connect-timeout":
        this.#answer(
          503,
          "upstream_reset_before_response_started{connection_failure}",
          `${retried}UF`,
          unavailable(message),
        );
        return;
      case "overflow":
        this.#answer(503, "upstream_reset_before_response_started{overflow}", "UO", unavailable("overflow"), {
          "x-envoy-overloaded": "true",
        });
        return;
      case "protocol-error":
        this.#answer(
          502,
          "upstream_reset_before_response_started{protocol_error}",
          "UPE",
          "the upstream's answer is not valid HTTP/1.1\n",
        );
        return;
      default:
        this.#answer(
          503,
          "upstream_reset_before_response_started{connection_termination}",
          `${retried}UC`,
          unavailable("connection termination"),
        );
    }
  }

  #answer(status: number, detail: string, flag: string, text: string, extra?: Readonly<Record<string, string>>): void {
    this.#stop();
    this.#exchange.reply(status, detail, flag, text, extra);
  }

  #end(attempt: Attempt): void {
    attempt.release();
    this.#attempt = undefined;
    this.#over = true;
    this.#body = undefined;
    clearTimeout(this.#timer);
  }

  #stop(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#backoff);
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.cancel();
    this.#body = undefined;
  }
}

function unavailable(reason: string): string {
  return `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`;
}

/** One try at one instance. */
class Attempt implements PoolWaiter, UpstreamEvents {
  readonly host: Host;
  stream: UpstreamStream | undefined;
  reused = false;
  readonly #forwarder: Forwarder;
  readonly #pool: ConnectionPool;
  #timer: NodeJS.Timeout | undefined;
  #counted = true;
  #cancelled = false;

  constructor(forwarder: Forwarder, host: Host, pool: ConnectionPool, timeoutMs: number) {
    this.#forwarder = forwarder;
    this.host = host;
    this.#pool = pool;
    host.activeRequests++;
    if (timeoutMs > 0) this.#timer = setTimeout(() => forwarder.onTryTimeout(this), timeoutMs);
  }

  start(fresh: boolean): void {
    this.#pool.acquire(this, fresh);
  }

  onConnection(connection: Http1ClientConnection): void {
    const stream = connection.open(this);
    this.stream = stream;
    this.reused = stream.reused;
    this.#forwarder.sendTo(stream);
  }

  onFailure(reason: ResetReason, message: string): void {
    if (!this.#cancelled) this.#forwarder.onFailure(this, reason, message);
  }

  onInterim(status: number): void {
    this.#forwarder.onInterim(this, status);
  }

  onHead(head: ResponseHead, end: boolean): void {
    this.#forwarder.onHead(this, head, end);
  }

  onData(chunk: Buffer, end: boolean): void {
    this.#forwarder.onData(this, chunk, end);
  }

  onFlush(): void {
    this.#forwarder.onFlush(this);
  }

  onDrain(): void {
    this.#forwarder.onUpstreamDrain(this);
  }

  onReset(reason: ResetReason): void {
    this.stream = undefined;
    if (!this.#cancelled) this.#forwarder.onFailure(this, reason, "connection termination");
  }

  /** The head is there: the try's own timeout is over. */
  answered(): void {
    clearTimeout(this.#timer);
  }

  /** No more part of the host's load. */
  release(): void {
    clearTimeout(this.#timer);
    if (!this.#counted) return;
    this.#counted = false;
    this.host.activeRequests--;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.release();
    this.#pool.cancel(this);
    this.stream?.reset("cancelled");
    this.stream = undefined;
  }
}
