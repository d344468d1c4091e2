import type { Socket } from "node:net";
import type { Host } from "../cluster/host.ts";
import type { ResetReason, ResponseHead, UpstreamStream } from "../stream/stream.ts";
import { Attempt } from "./attempt.ts";
import { BODY_BUFFER_BYTES, type BodyTaker, type Exchange } from "./exchange.ts";
import { retryAfterMs } from "./retry-after.ts";
import { DEFAULT_RETRY } from "./retry-policy.ts";
import type { ForwardPlan } from "./router.ts";

/** Provably unsent requests (no connection came about) are tried again this often without being asked to. */
const UNSENT_RETRIES = 2;
/** A server that asks to be left alone for longer is not asked again (Envoy's bound). */
const MAX_RETRY_AFTER_MS = 300_000;

const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * Carries one request to an instance, as often as its route allows. A request is sent again only while all of its
 * body is at hand (at most BODY_BUFFER_BYTES) and nothing of an answer has reached the client:
 *  - by policy (retry attempts of the route): under the conditions that the route names, on another instance if there
 *    is one, after a random time that grows, or as long as the server itself asked for; as many at one time as the
 *    cluster's circuit breaker lets;
 *  - always: when no connection came about, on another instance; and once on a fresh connection when a kept-alive
 *    one closed without an answer to an idempotent request, which is the server's idle timeout and our write crossing.
 *    These ask nothing more of a server than the request did, so the breaker does not count them.
 *
 * The route's time limit counts from the moment the whole request is here, and includes every try and every wait.
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
  /** Whether a retry of ours is among those that the breaker counts. */
  #retrying = false;
  #tried: Set<Host> | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #backoff: NodeJS.Timeout | undefined;
  #over = false;

  constructor(exchange: Exchange, plan: ForwardPlan) {
    this.#exchange = exchange;
    this.#plan = plan;
  }

  start(): void {
    for (const chunk of this.#exchange.takeBody(this)) this.#keep(chunk);
    if (this.#exchange.requestEnded) this.#onRequestEnd();
    this.#try(false);
  }

  get replayable(): boolean {
    return this.#body !== undefined;
  }

  // --- the client's side ---

  onBody(chunk: Buffer, end: boolean): boolean {
    if (this.#over) return true;
    if (end && this.#exchange.open) this.#onRequestEnd();
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

  onDeadline(): void {
    if (!this.#exchange.open) return;
    this.#attempt?.judge(504);
    this.#answer(504, "response_timeout", "UT", "upstream request timeout");
  }

  onCancel(): void {
    this.#stop();
  }

  // --- the attempt's side ---

  /** An attempt got its connection: what the request is so far goes out. */
  sendTo(stream: UpstreamStream, socket: Socket): void {
    const { head, record, requestEnded } = this.#exchange;
    record.upstreamSocket = socket;
    const body = this.#body ?? [];
    stream.sendHead(head, requestEnded && body.length === 0);
    for (let i = 0; i < body.length; i++) stream.sendData(body[i] as Buffer, requestEnded && i === body.length - 1);
    stream.flush();
    if (this.#bodyBytes > BODY_BUFFER_BYTES) this.#body = undefined;
    if (!requestEnded) this.#exchange.downstream.resume();
  }

  onHead(attempt: Attempt, head: ResponseHead, end: boolean): void {
    if (attempt !== this.#attempt) return;
    attempt.judge(head.status);
    this.#endRetry();
    const { attempts, retry = DEFAULT_RETRY } = this.#plan;
    if (attempts > 0 && retry.onAnswer(head) && this.#retryAnswer(attempt, head, end)) return;
    this.#exchange.downstream.setDeadline(Number.POSITIVE_INFINITY);
    this.#body = undefined;
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

  holds(): boolean {
    return this.#exchange.downstream.holds();
  }

  onUpstreamDrain(attempt: Attempt): void {
    if (attempt === this.#attempt) this.#exchange.downstream.resume();
  }

  onInterim(attempt: Attempt, head: ResponseHead): void {
    if (attempt === this.#attempt) this.#exchange.downstream.sendInterim(head);
  }

  onFailure(attempt: Attempt, reason: ResetReason, message: string): void {
    if (attempt !== this.#attempt) return;
    const exchange = this.#exchange;
    if (!exchange.open) {
      attempt.judge(503);
      this.#stop();
      if (reason === "protocol-error") exchange.abort("upstream_reset_after_response_started{protocol_error}", "UPE");
      else exchange.abort("upstream_reset_after_response_started{connection_termination}", "UC");
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
    if (reason !== "overflow") attempt.judge(503);
    this.#endRetry();
    const { attempts, retry = DEFAULT_RETRY } = this.#plan;
    if (attempts > 0 && retry.onReset(reason, attempt.sent) && this.#takeRetry()) {
      this.#retryLater(attempt, 0);
      return;
    }
    const unsent = reason === "connect-failure" || reason === "connect-timeout";
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
    attempt.judge(504);
    attempt.cancel();
    this.#endRetry();
    const { attempts, retry = DEFAULT_RETRY } = this.#plan;
    if (attempts > 0 && retry.onReset("timeout", attempt.sent) && this.#takeRetry()) this.#retryLater(attempt, 0);
    else this.#answer(504, "upstream_per_try_timeout", "UT", "upstream request timeout");
  }

  // --- inside ---

  #try(fresh: boolean, sameHost?: Host): void {
    const { cluster, servicePort, perTryTimeoutMs, hash, onHost } = this.#plan;
    if (!cluster.breaker.mayRequest()) {
      this.#fail("overflow", "");
      return;
    }
    const host = sameHost ?? cluster.choose(servicePort, this.#tried, hash);
    const pool = host?.pool(servicePort);
    if (host === undefined || pool === undefined) {
      this.#answer(503, "no_healthy_upstream", "UH", "no healthy upstream");
      return;
    }
    const { record, requestEnded } = this.#exchange;
    record.attempts++;
    const target = host.ports.get(servicePort);
    record.upstreamAddress = target === undefined ? "" : `${target.address}:${target.port}`;
    onHost?.(this.#exchange, host);
    this.#attempt = new Attempt(this, cluster, host, pool, perTryTimeoutMs);
    if (requestEnded) this.#attempt.startTimer();
    this.#attempt.start(fresh);
  }

  /** From now on it is not the client that takes its time. */
  #onRequestEnd(): void {
    this.#attempt?.startTimer();
    const { timeoutMs } = this.#plan;
    if (timeoutMs <= 0) return;
    if (this.#plan.attempts > 0) this.#deadlineMs = performance.now() + timeoutMs;
    this.#exchange.downstream.setDeadline(timeoutMs);
  }

  #keep(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#bodyBytes += chunk.length;
    this.#body?.push(chunk);
  }

  /** Whether the route's attempts, the body and the breaker allow one more try; if so, it is taken from them. */
  #takeRetry(): boolean {
    const { record } = this.#exchange;
    const { breaker } = this.#plan.cluster;
    if (!this.replayable) return false;
    if (this.#retries >= this.#plan.attempts) {
      record.addFlag("URX");
      return false;
    }
    if (!breaker.mayRetry()) {
      record.addFlag("UO");
      return false;
    }
    this.#retries++;
    this.#retrying = true;
    breaker.retries++;
    return true;
  }

  /** The answer itself goes to the client when its server asks for more time than there is. */
  #retryAnswer(attempt: Attempt, head: ResponseHead, end: boolean): boolean {
    const waitMs = retryAfterMs(head.headers, Date.now());
    if (waitMs > Math.min(MAX_RETRY_AFTER_MS, this.#deadlineMs - performance.now()) || !this.#takeRetry()) return false;
    // A complete answer leaves its connection to others.
    if (end) attempt.release();
    else attempt.cancel();
    this.#retryLater(attempt, waitMs);
    return true;
  }

  /** Retry n waits a random time below base * (2^n - 1), or what the server asked for and up to half of that more. */
  #retryLater(attempt: Attempt, askedMs: number): void {
    this.#avoid(attempt);
    this.#attempt = undefined;
    const { backoffBaseMs, backoffMaxMs } = this.#plan.retry ?? DEFAULT_RETRY;
    const ceilingMs = askedMs > 0 ? askedMs / 2 : Math.min(backoffMaxMs, backoffBaseMs * (2 ** this.#retries - 1));
    this.#backoff = setTimeout(() => this.#try(false), askedMs + Math.random() * ceilingMs);
  }

  #endRetry(): void {
    if (!this.#retrying) return;
    this.#retrying = false;
    this.#plan.cluster.breaker.retries--;
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

  #fail(reason: ResetReason, message: string): void {
    switch (reason) {
      case "connect-failure":
      case "connect-timeout":
        this.#exchange.record.transportFailure = message;
        this.#answer(503, "upstream_reset_before_response_started{connection_failure}", "UF", unavailable(message));
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
          `the upstream's answer is not valid HTTP/1.1: ${message}\n`,
        );
        return;
      default:
        this.#answer(
          503,
          "upstream_reset_before_response_started{connection_termination}",
          "UC",
          unavailable("connection termination"),
        );
    }
  }

  #answer(...reply: Parameters<Exchange["reply"]>): void {
    this.#stop();
    this.#exchange.reply(...reply);
  }

  #end(attempt: Attempt): void {
    attempt.release();
    this.#attempt = undefined;
    this.#over = true;
    this.#body = undefined;
  }

  #stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#endRetry();
    this.#exchange.downstream.setDeadline(Number.POSITIVE_INFINITY);
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
