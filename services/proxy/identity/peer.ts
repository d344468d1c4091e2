import type { PeerCertificate } from "node:tls";
import { DeniedError } from "../../../shared/base/index.ts";

/*
 * Who is at the other end of a verified TLS connection. A peer is its one SPIFFE URI; certificates with none, with
 * several, or with a name that Node had to quote (so that text could be smuggled between names) are nobody.
 */

export interface SpiffeName {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SPIFFE = /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/([A-Za-z0-9._-]{1,253})\/sa\/([A-Za-z0-9._-]{1,253})$/;

/** The parts of a SPIFFE id of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>. */
export function parseSpiffe(id: string): SpiffeName | undefined {
  const [, trustDomain, namespace, serviceAccount] = SPIFFE.exec(id) ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return undefined;
  if (isDots(namespace) || isDots(serviceAccount)) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

/** The peer's SPIFFE id, if its certificate names exactly one URI and that is one. */
export function spiffeIdOf(certificate: Pick<PeerCertificate, "subjectaltname">): string | undefined {
  const names = certificate.subjectaltname;
  if (names === undefined || names === "" || names.includes('"')) return undefined;
  const uris = names.split(", ").filter((name) => name.startsWith("URI:"));
  const id = uris.length === 1 ? uris[0]?.slice("URI:".length) : undefined;
  return id !== undefined && parseSpiffe(id) !== undefined ? id : undefined;
}

/** What `tls.connect`'s checkServerIdentity answers: an error unless the peer is one of those allowed. */
export function verifyServerIdentity(
  certificate: Pick<PeerCertificate, "subjectaltname">,
  allowedIds: ReadonlySet<string> | readonly string[],
): DeniedError | undefined {
  const id = spiffeIdOf(certificate);
  if (id === undefined) return new DeniedError("the peer's certificate names no SPIFFE identity");
  const isAllowed = Array.isArray(allowedIds) ? allowedIds.includes(id) : (allowedIds as ReadonlySet<string>).has(id);
  return isAllowed ? undefined : new DeniedError(`the peer is ${id}, which may not serve this destination`);
}

function isDots(name: string): boolean {
  return name === "." || name === "..";
}
