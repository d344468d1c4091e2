import { createServer } from "node:net";
import type { Clock } from "../../../shared/base/index.ts";
import { DEFAULT_LIMITS } from "../codec/http1-head.ts";
import { Http1ServerConnection } from "../codec/http1-server.ts";
import { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";
import { Listener } from "../listener.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../stream/record.ts";

/** Plain HTTP from outside the mesh. */
export function createGatewayListener(self: Peer, stack: readonly Filter[], clock: Clock): Listener {
  const server = createServer((socket) => {
    const source: Peer = { ...UNKNOWN_PEER, ip: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    const connection = new Http1ServerConnection(socket, {
      limits: DEFAULT_LIMITS,
      scheme: "http",
      acceptConnect: false,
      onRequest(head, end, stream) {
        const exchange = new Exchange(
          head,
          end,
          stream,
          new RequestRecord("outbound", head, self, UNKNOWN_PEER, false),
          stack,
        );
        exchange.edgeSource = source;
        exchange.resume();
        return exchange;
      },
    });
    listener.add(connection);
  });
  const listener = new Listener(server, clock);
  return listener;
}
