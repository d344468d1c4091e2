import type { PeerCertificate } from "node:tls";

/**
 * One element of `x-forwarded-client-cert` (Envoy): who vouches, and whose certificate it was. Made once per
 * connection. Values hold no character that would end them: ids are checked, and the subject is quoted.
 */
export function clientCertificateElement(
  self: string,
  certificate: Pick<PeerCertificate, "fingerprint256" | "subject">,
  principal: string,
): string {
  const hash = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
  return `By=${self};Hash=${hash};Subject="${subjectOf(certificate.subject)}";URI=${principal}`;
}

/** The distinguished name, the most specific part first (RFC 2253). */
function subjectOf(subject: PeerCertificate["subject"] | undefined): string {
  return Object.entries(subject ?? {})
    .reverse()
    .flatMap(([name, value]) => [value].flat().map((each) => `${name}=${String(each).replace(/["\\,]/g, "\\$&")}`))
    .join(",")
    .replace(/[^\x20-\x7e]/g, "?");
}
