import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "../../services/ca/x509.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A CA as the world outside of a mesh has them, and servers' certificates by it. */
export class OutsideCa {
  /** The root. */
  readonly pem: string;
  readonly #root: X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(root: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#root = root;
    this.#keys = keys;
    this.pem = root.toString("pem");
  }

  static async create(): Promise<OutsideCa> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const root = await X509CertificateGenerator.createSelfSigned({
      name: "CN=Outside",
      keys,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    });
    return new OutsideCa(root, keys);
  }

  /** For these names: DNS names, addresses, URIs. */
  async issue(...names: string[]): Promise<ServerCertificate> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.create({
      subject: "CN=server",
      issuer: this.#root.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: typeOf(value), value })))],
    });
    const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
    return {
      cert: certificate.toString("pem"),
      key: `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`,
    };
  }
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
}

function typeOf(name: string): "dns" | "ip" | "url" {
  if (name.includes("://")) return "url";
  return /^[\d.]+$/.test(name) ? "ip" : "dns";
}
