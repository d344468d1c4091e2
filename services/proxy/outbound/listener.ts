import { createServer } from "node:net";
import type { Clock } from "../../../shared/base/index.ts";
import { Http1ServerConnection } from "../codec/http1-server.ts";
import { DEFAULT_HTTP1, type Http1Settings } from "../codec/http1-settings.ts";
import { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";
import { FilterChain } from "../filter/filter-chain.ts";
import { tellRefused } from "../filter/refused.ts";
import { Listener } from "../listener.ts";
import { addressesOf } from "../stream/addresses.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../stream/record.ts";

/** The explicit proxy for the application's own requests: absolute-form, origin-form with Host, and CONNECT. */
export function createOutboundListener(
  self: Peer,
  stack: readonly Filter[],
  clock: Clock,
  settings: Http1Settings = DEFAULT_HTTP1,
): Listener {
  const filters = new FilterChain(stack);
  const server = createServer((socket) => {
    const addresses = addressesOf(socket);
    const connection = new Http1ServerConnection(socket, {
      settings,
      clock,
      scheme: "http",
      acceptConnect: true,
      onRequest(head, end, stream) {
        const exchange = new Exchange(
          head,
          end,
          stream,
          new RequestRecord("outbound", head, self, UNKNOWN_PEER, false),
          filters,
        );
        exchange.record.downstream = addresses;
        exchange.resume();
        return exchange;
      },
      onRefused: (error) => tellRefused(filters, error, "outbound", self, UNKNOWN_PEER, addresses),
    });
    listener.add(connection);
  });
  const listener = new Listener(server, clock);
  return listener;
}
