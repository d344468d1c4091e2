import type { Exchange } from "../filter/exchange.ts";
import type { Filter, FilterVerdict } from "../filter/filter.ts";
import { holdFor } from "../filter/hold.ts";
import type { Directory } from "../mesh/directory.ts";
import { notKnownYet, toNamed } from "../outbound/resolve.ts";
import { httpsLocation } from "../route/local-answer.ts";
import type { ServiceRoute } from "../route/service-route.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";
import type { GatewayRoute } from "./gateway-routes.ts";
import type { GatewayPort } from "./gateway-table.ts";

/**
 * Chooses the route of a request to one port of the gateway by its host: a whole route, or the service whose own routes
 * then decide. Where a server has only https to offer, it says so.
 */
export class GatewayRouteFilter implements Filter {
  readonly name = "gateway-route";
  readonly #port: GatewayPort;
  readonly #directory: Directory;

  constructor(port: GatewayPort, directory: Directory) {
    this.#port = port;
    this.#directory = directory;
  }

  onRequest(exchange: Exchange): FilterVerdict {
    const { head } = exchange;
    const { number, routes } = this.#port;
    if (routes === undefined) return notKnownYet(exchange);
    if (routes.redirects?.find(head.authority) === true && !cameByHttps(exchange)) {
      exchange.reply(301, "direct_response", "", "", { location: httpsLocation(head) });
      return "wait";
    }
    const route = routes.hosts.find(head.authority)?.match(head, number);
    if (route === undefined) {
      exchange.reply(404, "route_not_found", "NR", "");
      return "wait";
    }
    return route.whole === undefined
      ? this.#toService(exchange, route)
      : takeWhole(exchange, route, route.whole, number);
  }

  #toService(exchange: Exchange, { entry, port }: GatewayRoute): FilterVerdict {
    if (entry === undefined) return toNamed(exchange, { state: "absent" }, port);
    const lookup = this.#directory.look(entry);
    if (lookup instanceof Promise) return holdFor(exchange, lookup, (late) => toNamed(exchange, late, port));
    return toNamed(exchange, lookup, port);
  }
}

/** Also where a proxy in front that is trusted has taken TLS off. */
function cameByHttps({ head }: Exchange): boolean {
  return head.headers.get("x-forwarded-proto") === "https";
}

function takeWhole(exchange: Exchange, { entry, port }: GatewayRoute, whole: ServiceRoute, called: number): "continue" {
  const { record } = exchange;
  exchange.route = whole;
  exchange.servicePort = called;
  record.destination = entry?.snapshot?.peers.get(port || called) ?? UNKNOWN_PEER;
  record.route = whole.name;
  return "continue";
}
