import type { ClientTlsInput, TrafficPolicyInput } from "../../../shared/wire/index.ts";
import type { KnownService } from "./services.ts";

/**
 * The policies of a service with the TLS that the service itself asks for. On ports on which the proxy originates TLS
 * (https ports of EgressRules) every policy does so, and requests without any policy too. Where TLS is spoken and the policy
 * names nobody whose certificate it wants, it is those that the service names.
 *
 * A policy for one port takes the place of one for all: so for each such port every policy is there again.
 */
export function withOrigination(policies: readonly TrafficPolicyInput[], service: KnownService): TrafficPolicyInput[] {
  const { tlsPorts = [], subjectAltNames = [] } = service;
  const originate: ClientTlsInput = {};
  const all: TrafficPolicyInput[] = [];
  for (const policy of policies) {
    const port = policy.port ?? 0;
    all.push(tlsPorts.includes(port) ? { ...policy, tls: policy.tls ?? originate } : policy);
    if (port !== 0) continue;
    for (const tlsPort of tlsPorts) {
      const hasOwn = policies.some((other) => other.port === tlsPort && audience(other) === audience(policy));
      if (!hasOwn) all.push({ ...policy, port: tlsPort, tls: policy.tls ?? originate });
    }
  }
  for (const port of tlsPorts) all.push({ rule: "default", labels: {}, anyLabels: true, port, tls: originate });
  if (subjectAltNames.length === 0) return all;
  return all.map((policy) =>
    policy.tls && (policy.tls.subjectAltNames?.length ?? 0) === 0
      ? { ...policy, tls: { ...policy.tls, subjectAltNames: [...subjectAltNames] } }
      : policy,
  );
}

/** Whose requests to which instances it is for. */
function audience({ namespaces, source, labels, anyLabels }: TrafficPolicyInput): string {
  return JSON.stringify([namespaces ?? [], source ?? null, labels ?? {}, anyLabels ?? false]);
}
