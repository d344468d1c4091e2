import { MAX_TIMER_MS } from "../../../shared/base/index.ts";
import { DEFAULT_HTTP1 } from "../codec/http1-settings.ts";
import type { RouteMirror } from "../route/service-route.ts";
import { RequestRecord } from "../stream/record.ts";
import type { DownstreamStream, RequestHead, ResponseHead } from "../stream/stream.ts";
import { BODY_BUFFER_BYTES, Exchange } from "./exchange.ts";
import { FilterChain } from "./filter-chain.ts";
import { RouterFilter } from "./router.ts";

/**
 * Copies of requests, sent elsewhere and forgotten. A copy is an exchange of its own whose client is nobody: it has its
 * own connection, time limit and failure, and shares nothing with the request that it was taken from but the bytes.
 * It leaves when the whole request is here, and not at all when the client went away before or the body is longer than
 * what the proxy keeps of one.
 */

/** Envoy's mark on the Host of a copy. */
const MARK = "-shadow";

/** Of a copy whose route sets no time limit: as long as a client's request may stand still. */
const PATIENCE_MS = DEFAULT_HTTP1.streamIdleTimeoutMs;

/** The mirrors that get this request: each draws on its own. */
export function drawMirrors(mirrors: readonly RouteMirror[], random: () => number = Math.random): RouteMirror[] {
  return mirrors.filter(({ percent }) => percent >= 100 || random() * 100 < percent);
}

export function sendMirrors(exchange: Exchange, mirrors: readonly RouteMirror[], timeoutMs: number): void {
  const drawn = drawMirrors(mirrors);
  if (drawn.length === 0) return;
  const { record } = exchange;
  const copies = drawn.map(({ cluster, port }) => {
    const servicePort = port || exchange.servicePort;
    return { cluster: cluster.forPort(servicePort), servicePort, head: copyOf(exchange.head) };
  });
  exchange.onceReceived(BODY_BUFFER_BYTES, (body) => {
    for (const { cluster, servicePort, head } of copies) {
      const plan = { cluster, servicePort, timeoutMs: 0, attempts: 0, perTryTimeoutMs: 0 };
      const nobody = new Nobody(timeoutMs > 0 ? timeoutMs : PATIENCE_MS, () => {
        copy.onDeadline();
        copy.onReset("timeout");
      });
      const copy = new Exchange(
        head,
        body.length === 0,
        nobody,
        new RequestRecord("outbound", head, record.source, record.destination, false),
        new FilterChain([new RouterFilter(() => plan)]),
      );
      for (const [i, chunk] of body.entries()) copy.onData(chunk, i === body.length - 1);
      copy.resume();
    }
  });
}

function copyOf(head: RequestHead): RequestHead {
  const [, host = "", port = ""] = /^(.*?)(:\d+)?$/.exec(head.authority) ?? [];
  return { ...head, authority: `${host}${MARK}${port}`, headers: head.headers.clone(), upgrade: undefined };
}

/**
 * Takes any answer and wants none. Nobody's connection has no idle time, so the time limit is that of the whole answer,
 * to its end: one that stops half-way would hold its connection for ever.
 */
class Nobody implements DownstreamStream {
  readonly #timer: NodeJS.Timeout;

  constructor(limitMs: number, onOver: () => void) {
    this.#timer = setTimeout(onOver, Math.min(limitMs, MAX_TIMER_MS)).unref();
  }

  setDeadline(): void {}
  sendInterim(): void {}
  holds(): boolean {
    return false;
  }

  sendHead(_head: ResponseHead, end: boolean): void {
    if (end) clearTimeout(this.#timer);
  }

  sendData(_chunk: Buffer, end: boolean): boolean {
    if (end) clearTimeout(this.#timer);
    return true;
  }

  flush(): void {}
  pause(): void {}
  resume(): void {}

  reset(): void {
    clearTimeout(this.#timer);
  }
}
