import { constants } from "node:crypto";

/** The application protocol of sidecar-to-sidecar connections. */
export const LATEEN_ALPN = "lateen/1";

/** No session tickets: a resumed session would skip the checks of the peer's certificate. */
export const NO_RESUMPTION = constants.SSL_OP_NO_TICKET;
