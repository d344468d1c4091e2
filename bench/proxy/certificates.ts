import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files for the contenders' mutual TLS: ECDSA on P-256, as the mesh's own certificates are. */
export interface Certificates {
  /** The authority that both ends believe. */
  readonly authority: string;
  /** What both ends show. */
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string;
}

/** The name in the certificate that the first proxy asks for. */
export const PEER_NAME = "peer.bench";

const DAYS = "2";
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export function makeCertificates(dir: string): Certificates {
  const file = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  const made = {
    authority: file("authority.pem"),
    certificate: file("peer.pem"),
    key: file("peer.key"),
    both: file("peer-both.pem"),
  };
  const authorityKey = file("authority.key");
  const authority = ["-subj", "/CN=bench authority", "-keyout", authorityKey, "-out", made.authority];
  openssl("req", "-x509", ...NEW_KEY, "-days", DAYS, ...authority);
  const request = file("peer.csr");
  openssl("req", "-new", ...NEW_KEY, "-subj", `/CN=${PEER_NAME}`, "-keyout", made.key, "-out", request);
  const extensions = file("peer.ext");
  writeFileSync(extensions, `subjectAltName=DNS:${PEER_NAME}\nextendedKeyUsage=clientAuth,serverAuth\n`);
  const issuer = ["-CA", made.authority, "-CAkey", authorityKey, "-CAcreateserial"];
  openssl("x509", "-req", "-in", request, ...issuer, "-days", DAYS, "-extfile", extensions, "-out", made.certificate);
  writeFileSync(made.both, readFileSync(made.certificate));
  appendFileSync(made.both, readFileSync(made.key));
  return made;
}
