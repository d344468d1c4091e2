import { createPublicKey, webcrypto } from "node:crypto";
import { type Clock, errorMessage, InvalidArgumentError } from "../../shared/base/index.ts";
import type { WorkloadIdentity } from "../../shared/wire/index.ts";
import { type Authority, BACKDATE_MS, randomSerial } from "./authority.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "./x509.ts";

/*
 * Turns a signing request into an X.509-SVID. The identity is the caller's, as the bus proved it; from the request it
 * takes the public key and nothing else. Subject, alternative names, usages, constraints that a request may ask for
 * are not even read, so there is nothing to filter and nothing to forget. The request's own signature is verified:
 * whoever asks must hold the key.
 *
 * The certificate follows the X.509-SVID rules: one URI name, empty subject (hence a critical name extension), no CA,
 * critical key usage, both TLS usages. Its life is what the request asks for up to the configured maximum, and never
 * longer than the root's.
 */

const MAX_CSR_BYTES = 16 * 1024;
const MIN_TTL_MS = 1_000;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;
const HASHES: readonly unknown[] = ["SHA-256", "SHA-384", "SHA-512"];
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** One path segment of a SPIFFE id. */
const SEGMENT = /^[A-Za-z0-9._-]{1,253}$/;

export interface SignerOptions {
  readonly authority: Authority;
  readonly clock: Clock;
  /** Life of a certificate whose request names none. */
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
}

export interface SignedIdentity {
  readonly spiffeId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export class Signer {
  readonly #options: SignerOptions;
  #authorityKeyIdentifier: AuthorityKeyIdentifierExtension | undefined;

  constructor(options: SignerOptions) {
    this.#options = options;
  }

  /** Throws InvalidArgumentError for a request that must not be signed. `ttlMs` 0 asks for the default. */
  async sign(identity: WorkloadIdentity, csr: Uint8Array, ttlMs: number): Promise<SignedIdentity> {
    const { authority, clock } = this.#options;
    const spiffeId = spiffeIdFor(authority.trustDomain, identity);
    const lifeMs = this.#lifeMs(ttlMs);
    const request = await verifiedRequest(csr);
    const usage = keyUsageOf(request);
    const nowMs = clock.now();
    const notAfter = new Date(Math.floor(Math.min(nowMs + lifeMs, authority.notAfterMs) / 1000) * 1000);
    const notBefore = new Date(Math.floor((nowMs - BACKDATE_MS) / 1000) * 1000);
    if (notAfter.getTime() <= nowMs)
      throw new InvalidArgumentError("the root of trust expires before the certificate would");
    this.#authorityKeyIdentifier ??= await AuthorityKeyIdentifierExtension.create(
      authority.certificate.publicKey,
      false,
      webcrypto,
    );
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: randomSerial(),
        issuer: authority.certificate.subjectName,
        notBefore,
        notAfter,
        publicKey: request.publicKey,
        signingKey: authority.signingKey,
        signingAlgorithm: EC,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(usage, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          this.#authorityKeyIdentifier,
          new SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
        ],
      },
      webcrypto,
    );
    return {
      spiffeId,
      certificate: new Uint8Array(certificate.rawData),
      notBeforeMs: notBefore.getTime(),
      notAfterMs: notAfter.getTime(),
    };
  }

  #lifeMs(ttlMs: number): number {
    const { defaultTtlMs, maxTtlMs } = this.#options;
    if (ttlMs === 0) return Math.min(defaultTtlMs, maxTtlMs);
    if (!Number.isFinite(ttlMs) || ttlMs < MIN_TTL_MS) {
      throw new InvalidArgumentError(`requested life of ${ttlMs} ms is less than the least allowed, ${MIN_TTL_MS} ms`);
    }
    if (ttlMs > maxTtlMs) {
      throw new InvalidArgumentError(
        `requested life of ${ttlMs} ms is more than the most allowed, ${maxTtlMs} ms (MAX_CERT_TTL_MS)`,
      );
    }
    return ttlMs;
  }
}

/** Throws InvalidArgumentError when a name cannot be a path segment of a SPIFFE id. */
export function spiffeIdFor(trustDomain: string, { namespace, serviceAccount }: WorkloadIdentity): string {
  return `spiffe://${trustDomain}/ns/${segment("namespace", namespace)}/sa/${segment("service account", serviceAccount)}`;
}

function segment(what: string, name: string): string {
  if (!SEGMENT.test(name) || name === "." || name === "..") {
    throw new InvalidArgumentError(
      `${what} ${JSON.stringify(name)} cannot be part of a SPIFFE id: use letters, digits, ".", "_" and "-"`,
    );
  }
  return name;
}

async function verifiedRequest(csr: Uint8Array): Promise<Pkcs10CertificateRequest> {
  if (csr.length > MAX_CSR_BYTES)
    throw new InvalidArgumentError(`CSR of ${csr.length} bytes; at most ${MAX_CSR_BYTES} are read`);
  let request: Pkcs10CertificateRequest;
  let isVerified: boolean;
  try {
    // A copy: the bytes may be a window into a larger buffer.
    request = new Pkcs10CertificateRequest(Uint8Array.from(csr).buffer);
    refuseWeakHash(request);
    isVerified = await request.verify(webcrypto);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error;
    throw new InvalidArgumentError(`CSR cannot be read: ${errorMessage(error)}`, { cause: error });
  }
  if (!isVerified) throw new InvalidArgumentError("CSR is not signed by the key that it presents");
  return request;
}

function refuseWeakHash(request: Pkcs10CertificateRequest): void {
  const algorithm: { readonly name: string; readonly hash?: { readonly name: string } | string } =
    request.signatureAlgorithm;
  const hash = typeof algorithm.hash === "object" ? algorithm.hash.name : algorithm.hash;
  if (!HASHES.includes(hash))
    throw new InvalidArgumentError(`CSR is signed with ${hash ?? algorithm.name}: use SHA-256`);
}

/** What the key is for; throws InvalidArgumentError for a key that is too weak or of an unknown kind. */
function keyUsageOf(request: Pkcs10CertificateRequest): number {
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
  } catch (error) {
    throw new InvalidArgumentError(`CSR has no usable public key: ${errorMessage(error)}`, { cause: error });
  }
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") {
    return KeyUsageFlags.digitalSignature | KeyUsageFlags.keyAgreement;
  }
  if (
    key.asymmetricKeyType === "rsa" &&
    modulusLength !== undefined &&
    modulusLength >= MIN_RSA_BITS &&
    modulusLength <= MAX_RSA_BITS
  ) {
    return KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;
  }
  const found = `${key.asymmetricKeyType ?? "unknown"} ${namedCurve ?? modulusLength ?? ""}`.trim();
  throw new InvalidArgumentError(
    `CSR has a key of kind ${found}: use EC P-256, or RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`,
  );
}
