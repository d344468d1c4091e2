import type { At } from "../reader.ts";
import { bool, enumeration, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";

/** TLS that a listener ends: read and judged in full; of it only `httpsRedirect` has an effect so far. */

export interface ServerTls {
  readonly httpsRedirect: boolean;
  readonly mode: string;
  /** Whether anything but the redirect is set. */
  readonly isForTls: boolean;
}

const LATER = "remove the field: TLS is not ended at gateways yet; put something before the gateway that ends it";
const unsupported = { remedy: LATER, harmless: [""] };
const file = (doc: string) => field(string(), doc, { unsupported });
const names = (doc: string) => field(list(string()), doc, { unsupported });

const CIPHERS = new Set([
  "AES128-GCM-SHA256",
  "AES128-SHA",
  "AES256-GCM-SHA384",
  "AES256-SHA",
  "DES-CBC3-SHA",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-RSA-CHACHA20-POLY1305",
]);

const cipher = checked(string(), (name, at) => {
  if (!CIPHERS.has(name)) at.warn("is not a cipher suite of TLS 1.2", `write some of ${[...CIPHERS].join(", ")}`);
  return name;
});

const certificate = object({
  serverCertificate: field(string(), "File of the certificate.", { required: true }),
  privateKey: field(string(), "File of its key.", { required: true }),
  caCertificates: field(string(), "File of the authorities for clients."),
});

const version = (doc: string) =>
  field(enumeration(["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]), doc, {
    unsupported: { remedy: LATER, harmless: ["TLS_AUTO", 0] },
  });

const fields = object({
  httpsRedirect: field(bool(), "Answers every request with a redirect to https.", { default: "false" }),
  mode: field(
    enumeration(["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]),
    "How connections are secured.",
    { default: "PASSTHROUGH", unsupported: { remedy: LATER, harmless: ["PASSTHROUGH", 0] } },
  ),
  serverCertificate: file("File of the certificate."),
  privateKey: file("File of its key."),
  caCertificates: file("File of the authorities for clients."),
  caCrl: file("File of certificates that are revoked."),
  credentialName: file("Secret with certificate and key."),
  credentialNames: names("Secrets with certificates and keys."),
  caCertCredentialName: file("Secret with the authorities for clients."),
  tlsCertificates: field(list(certificate), "Certificates and keys.", { unsupported }),
  subjectAltNames: names("Names of which a client's certificate must have one."),
  verifyCertificateSpki: names("Hashes of keys that clients may have."),
  verifyCertificateHash: names("Hashes of certificates that clients may have."),
  minProtocolVersion: version("Oldest version of TLS."),
  maxProtocolVersion: version("Newest version of TLS."),
  cipherSuites: field(list(cipher), "Cipher suites.", { unsupported }),
  insecureSkipVerify: field(bool(), "Whether any client certificate will do.", {
    unsupported: { remedy: LATER, harmless: [false] },
  }),
  ecdhCurves: names("Curves for the key exchange."),
  alpnProtocols: names("Protocols to offer."),
});

const SOURCES = ["serverCertificate", "credentialName", "credentialNames", "tlsCertificates"];

export const serverTls: Schema<ServerTls> = checked(fields, (value, at): ServerTls => {
  const { mode = "PASSTHROUGH" } = value;
  const given = (name: string) => at.has(name) && at.given(name) !== "";
  const [, second] = SOURCES.filter(given);
  if (mode === "ISTIO_MUTUAL") {
    for (const name of [...SOURCES, "privateKey", "caCertificates"].filter(given))
      at.errorOf(name, "cannot be combined with mode ISTIO_MUTUAL", "remove it: the mesh's own certificates are used");
  } else if (second !== undefined)
    at.errorOf(second, "is a second source of certificates", `keep one of ${SOURCES.join(", ")}`);
  if (["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"].includes(mode)) checkCertificates(mode, given, at);
  return {
    httpsRedirect: value.httpsRedirect ?? false,
    mode,
    isForTls: mode !== "PASSTHROUGH" || [...SOURCES, "privateKey", "caCertificates"].some(given),
  };
});

function checkCertificates(mode: string, given: (name: string) => boolean, at: At): void {
  if (given("credentialName") || given("credentialNames")) {
    if (given("caCrl")) at.errorOf("caCrl", "cannot be combined with credentialName", "put the list into the secret");
    return;
  }
  if (mode !== "SIMPLE" && !given("caCertificates"))
    at.errorOf("caCertificates", "required", `mode ${mode} needs the authorities for clients`);
  if (mode === "SIMPLE" && given("caCrl")) at.errorOf("caCrl", "cannot be combined with mode SIMPLE", "remove it");
  if (given("tlsCertificates")) return;
  for (const name of ["serverCertificate", "privateKey"])
    if (!given(name)) at.errorOf(name, "required", `mode ${mode} needs it, or credentialName`);
}
