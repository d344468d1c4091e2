import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext, type PeerCertificate, type SecureContext } from "node:tls";
import { errorMessage } from "../../../shared/base/index.ts";
import type { ClientTls } from "../../../shared/wire/index.ts";

/*
 * TLS that the proxy begins itself, towards servers that have no sidecar: the application speaks plain HTTP to its proxy,
 * and the proxy secures the way from there. Whom it trusts and which name it wants to see are said by the policy of the
 * service; without a word it is the roots of the machine, and the host of the service. It shows no certificate of its
 * own: the workload's is for the mesh alone.
 */

/** A policy's words about TLS, as plain data: two that say the same are written the same. */
export interface ClientTlsPolicy {
  /** Empty: the host that is called. */
  readonly sni: string;
  /** Empty: the SNI. */
  readonly subjectAltNames: readonly string[];
  /** A file; empty: the roots of the machine. */
  readonly caFile: string;
  readonly skipVerify: boolean;
}

export function clientTlsPolicy(config: ClientTls): ClientTlsPolicy {
  const { sni, subjectAltNames, caCertificates, insecureSkipVerify } = config;
  return { sni, subjectAltNames: [...subjectAltNames], caFile: caCertificates, skipVerify: insecureSkipVerify };
}

/** What a connection is opened with. */
export interface OriginatedTls {
  /** Undefined: an address has no place in SNI. */
  readonly servername: string | undefined;
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  checkServerIdentity(hostname: string, certificate: PeerCertificate): Error | undefined;
}

/** Where systems keep the roots that they trust, in the order in which Go looks for them. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
/** A file is looked at again after this, and read again when it has changed. */
const LOOK_AGAIN_MS = 10_000;
/** Files whose contexts are kept: they are named by policies, which are few. */
const MAX_CONTEXTS = 64;
/** Of a file with roots; those of a system take about 250 KiB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

interface KnownContext {
  readonly context: SecureContext;
  readonly mtimeMs: number;
  lookedMs: number;
}

export class TlsOrigination {
  readonly #contexts = new Map<string, KnownContext>();

  /** `host`: that is called. Throws with the reason when the roots cannot be read. */
  options({ sni, subjectAltNames, caFile, skipVerify }: ClientTlsPolicy, host: string): OriginatedTls {
    const name = sni || host;
    const wanted = subjectAltNames.length > 0 ? subjectAltNames : [name];
    return {
      servername: isIP(name) === 0 ? name : undefined,
      secureContext: this.#context(caFile),
      rejectUnauthorized: !skipVerify,
      checkServerIdentity: (_hostname, certificate) => wrongName(wanted, certificate),
    };
  }

  #context(caFile: string): SecureContext {
    const nowMs = Date.now();
    const known = this.#contexts.get(caFile);
    if (known !== undefined && nowMs - known.lookedMs < LOOK_AGAIN_MS) return known.context;
    const file = caFile === "" ? systemRoots() : caFile;
    const mtimeMs = file === undefined ? 0 : modifiedMs(file);
    if (known?.mtimeMs === mtimeMs) {
      known.lookedMs = nowMs;
      return known.context;
    }
    const context = createContext(file);
    if (this.#contexts.size >= MAX_CONTEXTS) this.#contexts.clear();
    this.#contexts.set(caFile, { context, mtimeMs, lookedMs: nowMs });
    return context;
  }
}

/** Undefined: those that Node brings along. */
function systemRoots(): string | undefined {
  return SYSTEM_ROOTS.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

function modifiedMs(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch (error) {
    throw new Error(`the CA certificates cannot be read: ${errorMessage(error)}`);
  }
}

function createContext(file: string | undefined): SecureContext {
  try {
    return createSecureContext({ minVersion: "TLSv1.2", ...(file !== undefined && { ca: readRoots(file) }) });
  } catch (error) {
    throw new Error(`the CA certificates cannot be used: ${errorMessage(error)}`);
  }
}

/**
 * The name of the file comes from configuration, and it is read between requests: a pipe or a device would hold all of
 * them up, or never end. What it says instead of certificates is told to nobody.
 */
function readRoots(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${file} is no regular file`);
    if (stat.size > MAX_FILE_BYTES) throw new Error(`${file} is longer than ${MAX_FILE_BYTES} bytes`);
    const text = readFileSync(fd, "utf8");
    if (!text.includes("-----BEGIN ")) throw new Error(`${file} holds no certificate`);
    return text;
  } finally {
    closeSync(fd);
  }
}

/** Why a certificate is for none of the names; undefined when it is for one of them. URIs must be equal. */
function wrongName(wanted: readonly string[], certificate: PeerCertificate): Error | undefined {
  const isFor = (name: string): boolean =>
    name.includes("://") ? urisOf(certificate).includes(name) : checkServerIdentity(name, certificate) === undefined;
  if (wanted.some(isFor)) return undefined;
  return new Error(`the certificate is for ${certificate.subjectaltname || "no name"}, not for ${wanted.join(" or ")}`);
}

/** None where Node had to quote a name: text could be smuggled between names. */
function urisOf({ subjectaltname = "" }: PeerCertificate): string[] {
  if (subjectaltname.includes('"')) return [];
  return subjectaltname.split(", ").flatMap((name) => (name.startsWith("URI:") ? [name.slice("URI:".length)] : []));
}
