import type { RouteMirror } from "../route/service-route.ts";
import { RequestRecord } from "../stream/record.ts";
import type { DownstreamStream, RequestHead } from "../stream/stream.ts";
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

/** The mirrors that get this request: each draws on its own. */
export function drawMirrors(mirrors: readonly RouteMirror[], random: () => number = Math.random): RouteMirror[] {
  return mirrors.filter(({ percent }) => percent >= 100 || random() * 100 < percent);
}

export function sendMirrors(exchange: Exchange, mirrors: readonly RouteMirror[], timeoutMs: number): void {
  const drawn = drawMirrors(mirrors);
  if (drawn.length === 0) return;
  const copies = drawn.map(({ cluster }) => ({ cluster, head: copyOf(exchange.head) }));
  const { servicePort, record } = exchange;
  exchange.onceReceived(BODY_BUFFER_BYTES, (body) => {
    for (const { cluster, head } of copies) {
      const plan = { cluster, servicePort, timeoutMs, attempts: 0, perTryTimeoutMs: 0 };
      const nobody = new Nobody(() => copy.onDeadline());
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

/** Takes any answer and wants none. */
class Nobody implements DownstreamStream {
  readonly #onDeadline: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onDeadline: () => void) {
    this.#onDeadline = onDeadline;
  }

  setDeadline(afterMs: number): void {
    clearTimeout(this.#timer);
    if (afterMs !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#onDeadline, afterMs);
  }

  sendInterim(): void {}
  sendHead(): void {}
  sendData(): boolean {
    return true;
  }
  flush(): void {}
  pause(): void {}
  resume(): void {}
  reset(): void {}
}
