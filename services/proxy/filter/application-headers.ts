import { setScheme } from "./edge-headers.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";
import { takeOverrides } from "./route-overrides.ts";

/**
 * The mesh's own headers in a request that the application makes. It is inside, so it may steer its own request
 * (`x-envoy-max-retries` and the like); it may not speak for the certificate of somebody else.
 */
export class ApplicationHeadersFilter implements Filter {
  readonly name = "application-headers";

  onRequest(exchange: Exchange): "continue" {
    const { headers } = exchange.head;
    const { keys } = headers;
    let steered = false;
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] ?? "";
      if (!key.startsWith("x-")) continue;
      if (key === "x-forwarded-client-cert") headers.removeAt(i);
      else if (key.startsWith("x-envoy-")) steered = true;
    }
    if (steered) exchange.overrides = takeOverrides(headers);
    setScheme(exchange.head);
    return "continue";
  }
}
