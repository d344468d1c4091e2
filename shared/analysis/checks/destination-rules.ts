import { formatKey, type PortPolicySpec, stableJson, type TrafficPolicySpec } from "../../model/index.ts";
import {
  EMPTY_SUBSET,
  FAILOVER_WITHOUT_EJECTION,
  MERGED_RULES,
  NO_EFFECT,
  OVERRULED_POLICY,
  POLICY_FOR_UNKNOWN_PORT,
  TLS_CANNOT_ACT,
  UNUSED_LABEL_POLICY,
  UNUSED_SUBSET_POLICY,
  UNVERIFIED_SERVER,
} from "../codes/policies.ts";
import { canonical, portsOf } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { destinationsOf } from "../routes.ts";
import { carries, labelText } from "../workload-book.ts";
import type { KnownService } from "../world.ts";

/** Each is compared with no more than so many before it. */
const MAX_COMPARED = 200;

/** Policies of both dialects that do not act, or not as they seem to. */
export function checkDestinationRules(index: MeshIndex, report: Report): void {
  const used = usedSubsets(index);
  for (const item of index.all("DestinationRule")) {
    const { key, spec } = item;
    const found = spec.host.host.startsWith("*") ? undefined : index.hosts.find(spec.host, key.namespace, false);
    const service = found?.kind === "service" && found.service.instances.length > 0 ? found.service : undefined;
    if (spec.trafficPolicy === undefined && spec.subsets.length === 0)
      report.add(NO_EFFECT, key, "spec", "it has no trafficPolicy and no subsets");
    for (const [i, { name, labels, trafficPolicy }] of spec.subsets.entries()) {
      const path = `spec.subsets[${i}]`;
      if (service !== undefined && !carries(service, labels))
        report.add(
          EMPTY_SUBSET,
          key,
          `${path}.labels`,
          `no instance of ${spec.host.host} carries ${labelText(labels)}`,
        );
      if (trafficPolicy === undefined) continue;
      if (!used.has(`${formatKey(key)} ${name}`))
        report.add(UNUSED_SUBSET_POLICY, key, `${path}.trafficPolicy`, `no route sends to subset ${name}`);
      checkPolicy(report, item, trafficPolicy, service, `${path}.trafficPolicy`);
    }
    const policy = spec.trafficPolicy;
    if (policy === undefined) continue;
    checkPolicy(report, item, policy, service, "spec.trafficPolicy");
    const ports = portsOf(found) ?? [];
    for (const [i, { port }] of policy.portLevelSettings.entries()) {
      if (ports.length === 0 || ports.some(({ number }) => number === port)) continue;
      const path = `spec.trafficPolicy.portLevelSettings[${i}].port`;
      report.add(POLICY_FOR_UNKNOWN_PORT, key, path, `${spec.host.host} has no port ${port}`);
    }
  }
  checkMerged(index, report);
  checkOlderPolicies(index, report);
}

/** `<key of the DestinationRule> <subset>` of every subset that a route names. */
function usedSubsets(index: MeshIndex): ReadonlySet<string> {
  const used = new Set<string>();
  const seen = new Set<string>();
  for (const item of index.all("VirtualService")) {
    for (const { destination } of destinationsOf(item)) {
      const id = `${canonical(destination.host)} ${destination.subset}`;
      if (destination.subset === "" || seen.has(id)) continue;
      seen.add(id);
      for (const { key } of index.hosts.anyRulesFor(destination.host))
        used.add(`${formatKey(key)} ${destination.subset}`);
    }
  }
  return used;
}

function checkPolicy(
  report: Report,
  { key, spec }: Item<"DestinationRule">,
  policy: TrafficPolicySpec,
  service: KnownService | undefined,
  path: string,
): void {
  const check = (part: PortPolicySpec, at: string): void => {
    const { loadBalancer, outlierDetection, tls } = part;
    if (loadBalancer?.locality?.failover === true && outlierDetection === undefined)
      report.add(
        FAILOVER_WITHOUT_EJECTION,
        key,
        `${at}.loadBalancer.localityLbSetting`,
        "there is no outlierDetection beside it",
      );
    if (tls === undefined) return;
    if (tls.insecureSkipVerify)
      report.add(
        UNVERIFIED_SERVER,
        key,
        `${at}.tls.insecureSkipVerify`,
        `whoever answers for ${spec.host.host} is believed`,
      );
    const isMeshed = service?.instances.every(({ plaintext }) => !plaintext) === true;
    if (isMeshed && tls.mode !== "ISTIO_MUTUAL")
      report.add(
        TLS_CANNOT_ACT,
        key,
        `${at}.tls`,
        `every instance of ${spec.host.host} has a sidecar, so ${tls.mode} does not act`,
      );
    else if (tls.mode === "ISTIO_MUTUAL" && spec.host.service === undefined && !spec.host.host.startsWith("*"))
      report.add(
        TLS_CANNOT_ACT,
        key,
        `${at}.tls.mode`,
        `${spec.host.host} is outside of the mesh and has no identity in it`,
      );
  };
  check(policy, path);
  for (const [i, { policy: part }] of policy.portLevelSettings.entries())
    check(part, `${path}.portLevelSettings[${i}]`);
}

function checkMerged(index: MeshIndex, report: Report): void {
  const groups = new Map<string, Item<"DestinationRule">[]>();
  for (const item of index.all("DestinationRule")) {
    const { key, spec } = item;
    // A rule for certain workloads is not merged with those for all.
    const id = `${key.namespace} ${canonical(spec.host)} ${stableJson(spec.workloadLabels ?? {})}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [item]);
    else group.push(item);
  }
  for (const group of groups.values()) {
    for (const [place, item] of group.entries()) {
      const before = group.slice(0, Math.min(place, MAX_COMPARED)).filter((each) => shareCallers(index, each, item));
      if (before.length === 0) continue;
      for (const [i, { name }] of item.spec.subsets.entries()) {
        const first = before.find((each) => each.spec.subsets.some((subset) => subset.name === name));
        if (first !== undefined)
          report.add(MERGED_RULES, item.key, `spec.subsets[${i}]`, `subset ${name} of ${nameOf(first)} stands instead`);
      }
      const first = item.spec.trafficPolicy && before.find((each) => each.spec.trafficPolicy !== undefined);
      if (first !== undefined)
        report.add(
          MERGED_RULES,
          item.key,
          "spec.trafficPolicy",
          `the traffic policy of ${nameOf(first)} stands instead`,
        );
    }
  }
}

function nameOf({ key }: Item<"DestinationRule">): string {
  return `${key.namespace}/${key.name}`;
}

/** Whether callers of some namespace see both. */
function shareCallers(index: MeshIndex, a: Item<"DestinationRule">, b: Item<"DestinationRule">): boolean {
  const [x, y] = [index.hosts.exportTo(a), index.hosts.exportTo(b)];
  return x.includes("*") || y.includes("*") || x.some((namespace) => y.includes(namespace));
}

function checkOlderPolicies(index: MeshIndex, report: Report): void {
  const routed = new Set<string>();
  for (const { spec } of index.all("RouteRule"))
    for (const { destination } of [...spec.route, ...(spec.mirror === undefined ? [] : [{ destination: spec.mirror }])])
      routed.add(`${canonical(destination)} ${stableJson(destination.labels)}`);
  for (const { key, spec } of index.all("DestinationPolicy")) {
    const { destination, loadBalancing, circuitBreaker } = spec;
    if (loadBalancing === undefined && circuitBreaker === undefined)
      report.add(NO_EFFECT, key, "spec", "it has neither loadBalancing nor circuitBreaker");
    const hasLabels = Object.keys(destination.labels).length > 0;
    if (hasLabels && !routed.has(`${canonical(destination)} ${stableJson(destination.labels)}`))
      report.add(
        UNUSED_LABEL_POLICY,
        key,
        "spec.destination.labels",
        `no RouteRule sends to exactly ${labelText(destination.labels)}`,
      );
    for (const rule of index.hosts.anyRulesFor(destination)) {
      const { namespace, name } = rule.key;
      const exported = index.hosts.exportTo(rule);
      const whom = exported.includes("*") ? "" : ` for callers of ${exported.join(", ")}`;
      report.add(
        OVERRULED_POLICY,
        key,
        "spec.destination",
        `DestinationRule ${namespace}/${name} holds instead${whom}`,
      );
      break;
    }
  }
}
