import { setField, VARY_BY_ORIGIN } from "../route/cors.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/**
 * Cross-origin requests by the policy of the chosen route. A preflight from an allowed origin is answered here; any
 * other request from one goes on, and its answer says that it may be read. Requests from elsewhere go on as they are,
 * unless the policy keeps their preflights here: it is the browser that keeps the answer from their page.
 */
export class CorsFilter implements Filter {
  readonly name = "cors";

  onRequest(exchange: Exchange): "continue" | "wait" {
    const cors = exchange.route?.cors;
    if (cors === undefined) return "continue";
    const { method, headers } = exchange.head;
    const origin = headers.get("origin");
    const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
    if (origin === undefined || !cors.allows(origin)) {
      exchange.editResponse([VARY_BY_ORIGIN]);
      if (!isPreflight || origin === undefined || !cors.keepsOthers) return "continue";
      exchange.reply(200, "cors_response", "", "");
      return "wait";
    }
    exchange.editResponse([setField("access-control-allow-origin", origin), ...cors.answer]);
    if (!isPreflight) return "continue";
    exchange.reply(200, "cors_response", "", "", cors.preflight);
    return "wait";
  }
}
