import { X509Certificate } from "node:crypto";
import { fromPem, type IdentityMaterial } from "../identity/material.ts";

/** One certificate that the proxy shows or trusts; there is no field for a key. */
export interface SecretView {
  /** `default`: what it shows to other proxies. `ROOTCA`: whose certificates it trusts. */
  readonly name: string;
  readonly type: "certificate_chain" | "trust_root";
  readonly status: "ACTIVE" | "EXPIRED";
  readonly serial_number: string;
  readonly subject_alt_names: readonly string[];
  readonly valid_from: string;
  readonly expiration_time: string;
  readonly days_until_expiration: number;
}

const DAY_MS = 86_400_000;

/** Own certificates and roots as rows, one a certificate. */
export function secretsView(material: IdentityMaterial | undefined, nowMs: number): readonly SecretView[] {
  if (material === undefined) return [];
  return [
    ...rows("default", "certificate_chain", material.certPem, nowMs),
    ...rows("ROOTCA", "trust_root", material.rootsPem, nowMs),
  ];
}

function rows(name: string, type: SecretView["type"], pem: string, nowMs: number): SecretView[] {
  return fromPem(pem).map((der) => {
    const certificate = new X509Certificate(der);
    const expiresMs = Date.parse(certificate.validTo);
    return {
      name,
      type,
      status: expiresMs > nowMs ? "ACTIVE" : "EXPIRED",
      serial_number: certificate.serialNumber.toLowerCase(),
      subject_alt_names: (certificate.subjectAltName?.split(", ") ?? []).map((each) =>
        each.replace(/^[A-Za-z ]+:/, ""),
      ),
      valid_from: new Date(certificate.validFrom).toISOString(),
      expiration_time: new Date(expiresMs).toISOString(),
      days_until_expiration: Math.max(0, Math.floor((expiresMs - nowMs) / DAY_MS)),
    };
  });
}
