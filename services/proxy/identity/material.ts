import { createPrivateKey, X509Certificate } from "node:crypto";
import { InvalidArgumentError, WireError } from "../../../shared/base/index.ts";
import type { WorkloadIdentity } from "../../../shared/wire/index.ts";
import { parseSpiffe, spiffeIdOf } from "./peer.ts";

/** All that a TLS context of this workload is made of. Immutable: a renewal makes a new one. */
export interface IdentityMaterial {
  /** Own certificate first. */
  readonly certPem: string;
  readonly keyPem: string;
  /** Every root whose certificates are trusted. */
  readonly rootsPem: string;
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** When this proxy received the certificate, by its own clock. */
  readonly issuedMs: number;
  readonly notAfterMs: number;
  /** Counts every change of this process's material, from 1. */
  readonly revision: number;
}

/** A certificate, its key and roots as received or stored: not yet believed. */
export interface CandidateMaterial {
  readonly chain: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
  readonly keyPem: string;
  readonly issuedMs: number;
}

/** Throws WireError unless the certificate is for this identity and key, signed by one of the roots, and not expired. */
export function verifiedMaterial(
  candidate: CandidateMaterial,
  identity: WorkloadIdentity,
  nowMs: number,
  revision: number,
): IdentityMaterial {
  const chain = candidate.chain.map(parseCertificate);
  const roots = candidate.roots.map(parseCertificate);
  const [leaf] = chain;
  if (leaf === undefined) throw new WireError("there is no certificate");
  const spiffeId = spiffeIdOf({ subjectaltname: leaf.subjectAltName ?? "" });
  const name = spiffeId === undefined ? undefined : parseSpiffe(spiffeId);
  if (
    spiffeId === undefined ||
    name?.namespace !== identity.namespace ||
    name.serviceAccount !== identity.serviceAccount
  ) {
    throw new WireError(
      `the certificate is for ${spiffeId ?? "nobody"}, not for ${identity.namespace}/${identity.serviceAccount}`,
    );
  }
  if (!leaf.checkPrivateKey(createPrivateKey(candidate.keyPem)))
    throw new WireError("the certificate is for another key");
  const notAfterMs = Date.parse(leaf.validTo);
  if (!(notAfterMs > nowMs)) throw new WireError(`the certificate expired at ${leaf.validTo}`);
  if (!isSignedByOneOf(chain, roots)) throw new WireError("no trusted root has signed the certificate");
  return {
    certPem: candidate.chain.map(toPem).join(""),
    keyPem: candidate.keyPem,
    rootsPem: candidate.roots.map(toPem).join(""),
    spiffeId,
    trustDomain: name.trustDomain,
    issuedMs: Math.min(candidate.issuedMs, nowMs),
    notAfterMs,
    revision,
  };
}

/** Whether each certificate of the chain is signed by the next, and the last one by a root. */
function isSignedByOneOf(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  return chain.every((certificate, i) => {
    const next = chain[i + 1];
    return (next === undefined ? roots : [next]).some(
      (issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
    );
  });
}

/** Throws WireError. */
export function parseCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (error) {
    throw new WireError("a certificate cannot be read", { cause: error });
  }
}

export function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** The certificates in a PEM text, DER. Throws InvalidArgumentError. */
export function fromPem(pem: string): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) throw new InvalidArgumentError("no certificate in the PEM text");
  return blocks.map((block) => new Uint8Array(Buffer.from(block.replace(/-----[A-Z ]+-----/g, ""), "base64")));
}
