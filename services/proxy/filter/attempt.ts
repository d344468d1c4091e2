import { MAX_TIMER_MS } from "../../../shared/base/index.ts";
import { FAILURE_PENALTY_MS } from "../cluster/balancer-peak-ewma.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ConnectionPool, PoolWaiter } from "../cluster/connection-pool.ts";
import type { Host } from "../cluster/host.ts";
import type { Http1ClientConnection } from "../codec/http1-client.ts";
import type { ResetReason, ResponseHead, UpstreamEvents, UpstreamStream } from "../stream/stream.ts";
import type { Forwarder } from "./forwarder.ts";

/** One try at one instance. */
export class Attempt implements PoolWaiter, UpstreamEvents {
  readonly host: Host;
  stream: UpstreamStream | undefined;
  reused = false;
  /** Whether some of the request may have been seen. */
  sent = false;
  readonly #forwarder: Forwarder;
  readonly #cluster: Cluster;
  readonly #pool: ConnectionPool;
  readonly #timeoutMs: number;
  readonly #startedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #counted = true;
  #cancelled = false;

  /** `timeoutMs`: 0 for none. */
  constructor(forwarder: Forwarder, cluster: Cluster, host: Host, pool: ConnectionPool, timeoutMs: number) {
    this.#forwarder = forwarder;
    this.#cluster = cluster;
    this.host = host;
    this.#pool = pool;
    this.#timeoutMs = Math.min(timeoutMs, MAX_TIMER_MS);
    this.#startedMs = host.latency === undefined ? 0 : performance.now();
    host.activeRequests++;
    cluster.breaker.requests++;
  }

  /** The try's own time begins when the whole request is here. */
  startTimer(): void {
    if (this.#timeoutMs > 0) this.#timer = setTimeout(() => this.#forwarder.onTryTimeout(this), this.#timeoutMs);
  }

  start(fresh: boolean): void {
    this.#pool.acquire(this, fresh);
  }

  onConnection(connection: Http1ClientConnection): void {
    const stream = connection.open(this);
    this.stream = stream;
    this.reused = stream.reused;
    this.sent = true;
    this.#forwarder.sendTo(stream, connection.socket);
  }

  onFailure(reason: ResetReason, message: string): void {
    if (!this.#cancelled) this.#forwarder.onFailure(this, reason, message);
  }

  onInterim(head: ResponseHead): void {
    this.#forwarder.onInterim(this, head);
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

  holds(): boolean {
    return this.#forwarder.holds();
  }

  onReset(reason: ResetReason, message = "connection termination"): void {
    this.stream = undefined;
    if (!this.#cancelled) this.#forwarder.onFailure(this, reason, message);
  }

  /** Tells those who judge the host how it did. What had no answer counts as 503, or as 504 when it took too long. */
  judge(status: number): void {
    const { host } = this;
    this.#cluster.outlier?.onStatus(host, status);
    if (host.latency === undefined) return;
    const nowMs = performance.now();
    const tookMs = nowMs - this.#startedMs;
    host.latency.observe(isRefusal(status) ? Math.max(tookMs, FAILURE_PENALTY_MS) : tookMs, nowMs);
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
    this.#cluster.breaker.requests--;
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

/** Quickly answered, but no sign of a quick host. */
function isRefusal(status: number): boolean {
  return status >= 500 || status === 429;
}
