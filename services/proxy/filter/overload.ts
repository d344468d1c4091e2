import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Whether requests are to be refused. */
export interface OverloadState {
  readonly active: boolean;
}

/** Refuses requests at once while the proxy has more to do than it can, and ends their connections. */
export class OverloadFilter implements Filter {
  readonly name = "overload";
  readonly #overload: OverloadState;

  constructor(overload: OverloadState) {
    this.#overload = overload;
  }

  onRequest(exchange: Exchange): "continue" | "wait" {
    if (!this.#overload.active) return "continue";
    exchange.reply(503, "overload", "OM", "the proxy is overloaded", {
      "x-envoy-local-overloaded": "true",
      connection: "close",
    });
    return "wait";
  }
}
