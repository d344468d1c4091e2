import type { ResponseHead } from "../stream/stream.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

const KEY = "x-envoy-upstream-service-time";

/**
 * Says in the answer how long the instance and the way to it took, retries included: in whole milliseconds, from the
 * end of the request to the head of the answer. Stands just before the router, so that what other filters wait for
 * does not count.
 */
export class UpstreamTimeFilter implements Filter {
  readonly name = "upstream-time";

  onRequest(exchange: Exchange): "continue" {
    const { record, waited } = exchange;
    record.forwarded = waited ? performance.now() : record.started;
    return "continue";
  }

  onResponse({ record, requestEnded }: Exchange, { headers }: ResponseHead): void {
    // The proxy's own answers, and those that do not wait for the request, took no time that could be told.
    if (record.detail !== "via_upstream" || !requestEnded) return;
    const elapsedMs = performance.now() - Math.max(record.forwarded, record.received);
    headers.set(KEY, KEY, String(Math.floor(elapsedMs)));
  }
}
