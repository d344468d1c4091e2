import { createSecureContext } from "node:tls";
import type { ClientIdentity } from "../cluster/connector.ts";
import type { IdentityMaterial } from "./material.ts";

/** What the proxy shows to others when it calls them. */
export function clientIdentity({ certPem, keyPem, rootsPem, notAfterMs }: IdentityMaterial): ClientIdentity {
  const context = createSecureContext({ cert: certPem, key: keyPem, ca: rootsPem, minVersion: "TLSv1.3" });
  return { context, expiresMs: notAfterMs };
}
