import { X509Certificate } from "node:crypto";
import { fromPem, type IdentityMaterial } from "../identity/material.ts";

const DAY_MS = 86_400_000;

/** Certificates and roots in force, without keys, as Envoy's /certs shows them. */
export function certificatesView(material: IdentityMaterial | undefined, nowMs: number): unknown {
  if (material === undefined) return { certificates: [] };
  return {
    certificates: [{ ca_cert: all(material.rootsPem, nowMs), cert_chain: all(material.certPem, nowMs) }],
  };
}

function all(pem: string, nowMs: number): unknown[] {
  return fromPem(pem).map((der) => one(new X509Certificate(der), nowMs));
}

function one(certificate: X509Certificate, nowMs: number): unknown {
  const expiresMs = Date.parse(certificate.validTo);
  const names = certificate.subjectAltName?.split(", ") ?? [];
  return {
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: names.filter((name) => name.startsWith("URI:")).map((name) => ({ uri: name.slice(4) })),
    days_until_expiration: Math.max(0, Math.floor((expiresMs - nowMs) / DAY_MS)),
    valid_from: new Date(certificate.validFrom).toISOString(),
    expiration_time: new Date(expiresMs).toISOString(),
  };
}
