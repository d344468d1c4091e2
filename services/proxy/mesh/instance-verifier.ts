import type { ConnectorOptions } from "../cluster/connector.ts";
import { verifyServerIdentity } from "../identity/peer.ts";
import type { Directory } from "./directory.ts";

/** Whether the certificate at the other end may serve the service that is called, as the registry says. */
export function instanceVerifier(directory: () => Directory): ConnectorOptions["verify"] {
  return ({ peer }, socket) => {
    const certificate = socket.getPeerCertificate();
    const { serviceAccounts } = directory().entry(peer.namespace, peer.service);
    const wrong = verifyServerIdentity(certificate, serviceAccounts);
    return wrong === undefined ? { expiresMs: Date.parse(certificate.valid_to) } : { error: wrong.message };
  };
}
