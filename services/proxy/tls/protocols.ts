/** What Hello says is spoken after it. */
export const HTTP1 = "http/1.1";

/** A question to the sidecar how its application does, put and answered in HTTP/1.1. */
export const GRPC_HEALTH = "grpc-health";
