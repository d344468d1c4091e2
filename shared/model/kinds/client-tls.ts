import type { At } from "../reader.ts";
import { bool, enumeration, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { ClientTlsSpec } from "../specs-networking.ts";

/** How callers secure connections to instances that have no sidecar. */

const FROM_FILES = "use caCertificates with a file of the proxy's machine: there is no store of secrets";
const NO_CLIENT = "use SIMPLE, or ISTIO_MUTUAL inside the mesh: certificates of clients are not sent yet";

const fields = object({
  mode: field(
    enumeration(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"], { refused: { MUTUAL: NO_CLIENT } }),
    "DISABLE: plain text; SIMPLE: TLS; ISTIO_MUTUAL: as in the mesh, whose sidecars always use it among themselves.",
    { default: "DISABLE" },
  ),
  clientCertificate: field(string(), "File of the client's certificate.", {
    unsupported: { remedy: NO_CLIENT, harmless: [""] },
  }),
  privateKey: field(string(), "File of the client's key.", { unsupported: { remedy: NO_CLIENT, harmless: [""] } }),
  caCertificates: field(string(), "File of the proxy's machine with the authorities to trust.", {
    default: "those of its system",
  }),
  credentialName: field(string(), "Secret that holds key and certificates.", {
    unsupported: { remedy: FROM_FILES, harmless: [""] },
  }),
  caCertCredentialName: field(string(), "Secret that holds the authorities to trust.", {
    unsupported: { remedy: FROM_FILES, harmless: [""] },
  }),
  subjectAltNames: field(list(string()), "Names of which the server's certificate must have one.", {
    default: "the host",
  }),
  sni: field(string(), "Name to ask the server for.", { default: "the host" }),
  insecureSkipVerify: field(bool(), "Whether any certificate will do.", { default: "false" }),
  caCrl: field(string(), "File of certificates that are revoked.", {
    unsupported: { remedy: "remove the field: lists of revoked certificates are not read", harmless: [""] },
  }),
});

export const clientTls: Schema<ClientTlsSpec> = checked(fields, (value, at): ClientTlsSpec => {
  const { mode = "DISABLE" } = value;
  checkCombinations(mode, value.insecureSkipVerify ?? false, at);
  return {
    mode: mode === "MUTUAL" ? "SIMPLE" : mode,
    sni: value.sni ?? "",
    subjectAltNames: value.subjectAltNames ?? [],
    caCertificates: value.caCertificates ?? "",
    insecureSkipVerify: value.insecureSkipVerify ?? false,
  };
});

const SECRETS = ["clientCertificate", "privateKey", "caCertificates", "caCrl"];

function checkCombinations(mode: string, skipsVerification: boolean, at: At): void {
  const given = (name: string) => at.has(name) && at.given(name) !== "";
  if (mode === "MUTUAL" && !given("credentialName")) {
    for (const name of ["clientCertificate", "privateKey"])
      if (!given(name)) at.errorOf(name, "required", `mode MUTUAL needs ${name}`);
  }
  if ((mode === "SIMPLE" || mode === "MUTUAL") && given("credentialName")) {
    for (const name of SECRETS.filter(given))
      at.errorOf(name, "cannot be combined with credentialName", "keep one of them");
  }
  if ((mode === "SIMPLE" || mode === "MUTUAL") && skipsVerification) {
    for (const name of ["caCertificates", "subjectAltNames"])
      if (given(name)) at.errorOf(name, "has no effect with insecureSkipVerify", "keep one of them");
    at.warnOf(
      "insecureSkipVerify",
      "any certificate is accepted: whoever stands between proxy and server can read and change everything",
      "name the server's authorities in caCertificates, and leave this to tests",
    );
  }
  if (mode === "DISABLE" || mode === "ISTIO_MUTUAL") {
    for (const name of ["caCertificates", "subjectAltNames", "sni"])
      if (given(name)) at.warnOf(name, `has no effect with mode ${mode}`, "remove it, or write mode SIMPLE");
  }
}
