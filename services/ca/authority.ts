import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from "node:crypto";
import { chmod, link, mkdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, ConfigError, errorMessage } from "../../shared/base/index.ts";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "./x509.ts";

/*
 * The root of trust: one self-signed ECDSA P-256 certificate with its key, made at the first start and kept in one
 * file that only this user may read. Certificate and key share the file so that neither can exist without the other;
 * the file is created by a link, so that of two processes that start at once on one folder exactly one makes the root
 * and the other takes it. The key is imported as not extractable: after start no code of this process can export it,
 * and nothing ever puts it on the bus.
 *
 * The root names its trust domain (SPIFFE: the URI without a path). A folder that belongs to another trust domain is
 * refused rather than overwritten.
 */

const FILE = "root.pem";
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Certificates are valid from a little before they are made, for peers whose clocks are behind. */
export const BACKDATE_MS = 60_000;

export interface Authority {
  readonly trustDomain: string;
  readonly certificate: X509Certificate;
  /** DER. */
  readonly root: Uint8Array;
  readonly signingKey: CryptoKey;
  /** When the root expires, in milliseconds since the Unix epoch. */
  readonly notAfterMs: number;
}

export interface AuthorityOptions {
  /** The component's state folder; the root lives in `ca/` below it. */
  readonly dataDir: string;
  readonly trustDomain: string;
  readonly rootTtlMs: number;
  readonly clock: Clock;
}

/** Loads the root, or makes it at the first start. Throws ConfigError when what is there cannot be used. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const folder = join(options.dataDir, "ca");
  const path = join(folder, FILE);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  let pem = await readIfThere(path);
  if (pem === undefined) {
    await createExclusively(path, await makeRoot(options));
    pem = await readFile(path, "utf8");
  }
  await refuseIfReadable(path);
  return parseRoot(path, pem, options);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw new ConfigError(`${path}: ${errorMessage(error)}`, { cause: error });
  }
}

async function refuseIfReadable(path: string): Promise<void> {
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new ConfigError(
    `${path} has mode 0${mode.toString(8)}: the CA's key must be readable by its owner only; chmod it to 0600`,
  );
}

/** Leaves the file of a process that was faster. */
async function createExclusively(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  await writeFile(temporary, text, { mode: 0o600, flag: "wx", flush: true });
  try {
    await link(temporary, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    await unlink(temporary);
  }
}

async function makeRoot(options: AuthorityOptions): Promise<string> {
  const keys = (await webcrypto.subtle.generateKey(EC, true, ["sign", "verify"])) as CryptoKeyPair;
  const now = options.clock.now();
  const name = [{ O: [options.trustDomain] }, { CN: [`Lateen root ${randomBytes(4).toString("hex")}`] }];
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      subject: name,
      issuer: name,
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + options.rootTtlMs),
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC,
      extensions: [
        // No intermediate may stand below it: it signs leaves only.
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${options.trustDomain}` }]),
      ],
    },
    webcrypto,
  );
  const key = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)),
    format: "der",
    type: "pkcs8",
  });
  return `${certificate.toString("pem").trim()}\n${key.export({ format: "pem", type: "pkcs8" })}`;
}

async function parseRoot(path: string, pem: string, options: AuthorityOptions): Promise<Authority> {
  try {
    const certificatePem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem)?.[0];
    const keyPem = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(pem)?.[0];
    if (certificatePem === undefined || keyPem === undefined)
      throw new Error("a certificate and a private key are expected");
    const certificate = new X509Certificate(certificatePem);
    const trustDomain = trustDomainOf(certificate);
    if (trustDomain !== options.trustDomain) {
      throw new Error(
        `it belongs to trust domain ${trustDomain ?? "(none)"}, and TRUST_DOMAIN is ${options.trustDomain}`,
      );
    }
    const notAfterMs = certificate.notAfter.getTime();
    if (notAfterMs <= options.clock.now()) throw new Error(`the root expired at ${certificate.notAfter.toISOString()}`);
    const key = createPrivateKey(keyPem);
    const keysSpki = createPublicKey(key).export({ format: "der", type: "spki" });
    if (!keysSpki.equals(Buffer.from(certificate.publicKey.rawData)))
      throw new Error("its key is not its certificate's");
    const pkcs8 = key.export({ format: "der", type: "pkcs8" });
    return {
      trustDomain,
      certificate,
      root: new Uint8Array(certificate.rawData),
      signingKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, EC, false, ["sign"]),
      notAfterMs,
    };
  } catch (error) {
    throw new ConfigError(`${path} cannot be used: ${errorMessage(error)}`, { cause: error });
  }
}

/** The trust domain that a root certificate names: its one URI, `spiffe://<trust domain>`. */
export function trustDomainOf(certificate: X509Certificate): string | undefined {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const uris = names.filter((name) => name.type === "url");
  const uri = uris.length === 1 ? uris[0]?.value : undefined;
  return uri?.startsWith("spiffe://") ? uri.slice("spiffe://".length) : undefined;
}

/** A random positive 128-bit number, hexadecimal, without a leading zero byte. */
export function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
