import { setScheme } from "./edge-headers.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

const XFCC = "x-forwarded-client-cert";

/** Tells the application whose verified certificate a request came with, after what earlier proxies have told. */
export class PeerHeadersFilter implements Filter {
  readonly name = "peer-headers";

  onRequest(exchange: Exchange): "continue" {
    const { headers } = exchange.head;
    const before = headers.get(XFCC);
    headers.set(
      XFCC,
      XFCC,
      before === undefined ? exchange.clientCertificate : `${before},${exchange.clientCertificate}`,
    );
    setScheme(exchange.head);
    return "continue";
  }
}
