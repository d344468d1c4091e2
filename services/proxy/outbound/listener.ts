import { createServer } from "node:net";
import type { Clock } from "../../../shared/base/index.ts";
import { DEFAULT_LIMITS } from "../codec/http1-head.ts";
import { Http1ServerConnection } from "../codec/http1-server.ts";
import { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";
import { Listener } from "../listener.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../stream/record.ts";

/** The explicit proxy for the application's own requests: absolute-form, origin-form with Host, and CONNECT. */
export function createOutboundListener(self: Peer, stack: readonly Filter[], clock: Clock): Listener {
  const server = createServer((socket) => {
    const connection = new Http1ServerConnection(socket, {
      limits: DEFAULT_LIMITS,
      scheme: "http",
      acceptConnect: true,
      onRequest(head, end, stream) {
        const exchange = new Exchange(
          head,
          end,
          stream,
          new RequestRecord("outbound", head, self, UNKNOWN_PEER, false),
          stack,
        );
        exchange.resume();
        return exchange;
      },
    });
    listener.add(connection);
  });
  const listener = new Listener(server, clock);
  return listener;
}
