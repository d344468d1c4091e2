import { formatMixerRef, type MixerRef } from "../../model/index.ts";
import {
  POLICY_FOR_UNKNOWN_HOST,
  UNKNOWN_HANDLER,
  UNKNOWN_INSTANCE,
  UNKNOWN_NAMESPACE,
  UNKNOWN_QUOTA_SPEC,
} from "../codes/references.ts";
import type { NamedHost } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { egressPath } from "../routes.ts";

/** Names that lead nowhere, of policies, exports and Mixer's rules. */
export function checkPolicyReferences(index: MeshIndex, report: Report): void {
  const known = (
    item: Item<"DestinationRule" | "DestinationPolicy" | "QuotaSpecBinding">,
    host: NamedHost,
    path: string,
  ): void => {
    const { key } = item;
    if (host.host.startsWith("*")) {
      if (index.knowsServices && !index.hosts.anyFits("*", host.host))
        report.add(POLICY_FOR_UNKNOWN_HOST, key, path, `no host fits ${host.host}`);
    } else if (index.hosts.find(host, key.namespace, false) === undefined) {
      report.add(POLICY_FOR_UNKNOWN_HOST, key, path, `nothing serves the host ${host.host}`);
    }
  };
  for (const item of index.all("DestinationRule")) known(item, item.spec.host, "spec.host");
  for (const item of index.all("DestinationPolicy")) known(item, item.spec.destination, "spec.destination");
  for (const item of index.all("QuotaSpecBinding")) {
    for (const [i, service] of item.spec.services.entries()) known(item, service, `spec.services[${i}]`);
    for (const [i, { name, namespace }] of item.spec.quotaSpecs.entries()) {
      if (index.exists("QuotaSpec", namespace, name)) continue;
      report.add(
        UNKNOWN_QUOTA_SPEC,
        item.key,
        `spec.quotaSpecs[${i}]`,
        `QuotaSpec ${namespace}/${name} does not exist`,
      );
    }
  }
  for (const item of index.all("rule")) {
    const missing = (ref: MixerRef): boolean => !index.exists(ref.kind, ref.namespace, ref.name);
    for (const [i, { handler, instances }] of item.spec.actions.entries()) {
      if (missing(handler))
        report.add(
          UNKNOWN_HANDLER,
          item.key,
          `spec.actions[${i}].handler`,
          `${formatMixerRef(handler)} does not exist`,
        );
      for (const [j, instance] of instances.entries()) {
        const path = `spec.actions[${i}].instances[${j}]`;
        if (missing(instance))
          report.add(UNKNOWN_INSTANCE, item.key, path, `${formatMixerRef(instance)} does not exist`);
      }
    }
  }
  checkNamespaces(index, report);
}

function checkNamespaces(index: MeshIndex, report: Report): void {
  if (!index.knowsServices) return;
  const check = (
    item: Item<"VirtualService" | "DestinationRule" | "ServiceEntry" | "Gateway" | "Sidecar">,
    namespace: string,
    path: string,
  ): void => {
    if (namespace === "*" || namespace === "~" || namespace === "." || index.namespaces.has(namespace)) return;
    report.add(UNKNOWN_NAMESPACE, item.key, path, `there is no namespace ${namespace}`);
  };
  for (const kind of ["VirtualService", "DestinationRule", "ServiceEntry"] as const)
    for (const item of index.all(kind))
      for (const [i, namespace] of item.spec.exportTo.entries()) check(item, namespace, `spec.exportTo[${i}]`);
  for (const item of index.all("Gateway"))
    for (const [i, { hosts }] of item.spec.servers.entries())
      for (const [j, { namespace }] of hosts.entries()) check(item, namespace, `spec.servers[${i}].hosts[${j}]`);
  for (const item of index.all("Sidecar"))
    for (const [i, { namespace }] of (item.spec.egressHosts ?? []).entries())
      check(item, namespace, egressPath(item, i));
}
