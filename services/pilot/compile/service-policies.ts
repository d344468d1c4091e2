import type { Labels } from "../../../shared/model/index.ts";
import type { HashPolicyInput, TrafficPolicyInput } from "../../../shared/wire/index.ts";
import type { AboutService, ChosenRules, DestinationRules, JoinedRules } from "./destination-rules.ts";
import { labelsKey, sortedLabels } from "./labels.ts";
import { MESH_RULE, type MeshDefaults } from "./mesh-defaults.ts";
import { effectivePolicy, portsOf, toHashPolicies, toPolicyBody } from "./traffic-policy.ts";
import { treatedApart } from "./visibility.ts";

/**
 * The policies of one service, for every caller in one list: the proxy takes, of those meant for it, the one for just the
 * labels of a cluster before one for any labels, one for just a port before one for all of them, and the first among equals.
 *
 * Callers that meet other rules than the rest come first. So that nothing meant for the rest fits them too, what they meet is
 * then spelled out for every labels and every port that any policy of the service speaks of. DestinationPolicies of the older
 * dialect hold for those callers only who meet no DestinationRule at all.
 */
interface Group {
  readonly namespaces: readonly string[];
  /** Of the callers' workloads; undefined: all. */
  readonly source: Labels | undefined;
  readonly rules: JoinedRules | undefined;
}

/** The labels and ports that policies speak of. */
interface Extent {
  readonly labels: ReadonlyMap<string, Labels>;
  readonly ports: readonly number[];
  readonly isOpen: boolean;
}

const NOBODY = "default";

export function compilePolicies(
  service: AboutService,
  rules: DestinationRules,
  legacy: readonly TrafficPolicyInput[],
  mesh: MeshDefaults,
): TrafficPolicyInput[] {
  const { general: base } = rules.chosenBy(undefined, service);
  const groups = groupsOf(service, rules, base);
  const rest =
    base === undefined
      ? [...legacy, ...meshPolicy(mesh)]
      : policiesOf({ namespaces: [], source: undefined, rules: base }, ownExtent(base), mesh);
  if (groups.length === 0) return rest;
  const whole = joinedExtent([...groups.map((group) => group.rules), base], base === undefined ? legacy : []);
  const compiled: TrafficPolicyInput[][] = [rest];
  for (const group of groups.toReversed()) {
    const isFollowed = compiled.some((policies) => policies.length > 0);
    compiled.unshift(policiesOf(group, isFollowed ? whole : ownExtent(group.rules), mesh));
  }
  return compiled.flat();
}

/** What requests to instances with these labels are hashed by, for callers whose workload no selector chooses. */
export function hashPolicies(chosen: ChosenRules, labels: Labels, port: number): HashPolicyInput[] {
  const { general } = chosen;
  return general === undefined ? [] : toHashPolicies(policyFor(general, labelsKey(labels), port));
}

/** Callers that meet other rules than those that no rule speaks of. */
function groupsOf(service: AboutService, rules: DestinationRules, base: JoinedRules | undefined): Group[] {
  const groups = new Map<string, { namespaces: string[]; chosen: ChosenRules }>();
  for (const namespace of treatedApart(rules.namespacesOf(service))) {
    const chosen = rules.chosenBy(namespace, service);
    const id = [...chosen.selective.map((item) => item.rules.id), chosen.general?.id ?? ""].join("\n");
    if (id === (base?.id ?? "")) continue;
    const group = groups.get(id) ?? { namespaces: [], chosen };
    group.namespaces.push(namespace);
    groups.set(id, group);
  }
  return [...groups.values()].flatMap(({ namespaces, chosen: { general, selective } }): Group[] => [
    ...selective.map((item): Group => ({ namespaces, source: item.labels, rules: item.rules })),
    { namespaces, source: undefined, rules: general },
  ]);
}

function policiesOf(group: Group, extent: Extent, mesh: MeshDefaults): TrafficPolicyInput[] {
  const { namespaces, source, rules } = group;
  const about = {
    ...(namespaces.length > 0 && { namespaces: [...namespaces] }),
    ...(source && { source: { labels: sortedLabels(source) } }),
  };
  const policies: TrafficPolicyInput[] = [];
  const add = (key: string | undefined, labels: Labels): void => {
    const subset = key === undefined ? undefined : rules?.subsets.find((item) => isFor(item, key));
    for (const port of extent.ports) {
      policies.push({
        rule: subset?.rule ?? rules?.policyRule ?? NOBODY,
        ...about,
        labels: sortedLabels(labels),
        ...(port !== 0 && { port }),
        ...(key === undefined && { anyLabels: true }),
        ...toPolicyBody(effectivePolicy(rules?.trafficPolicy, subset?.trafficPolicy, port), mesh),
      });
    }
  };
  for (const [key, labels] of extent.labels) add(key, labels);
  if (extent.isOpen) add(undefined, {});
  return policies;
}

function policyFor(rules: JoinedRules, key: string, port: number) {
  const subset = rules.subsets.find((item) => isFor(item, key));
  return effectivePolicy(rules.trafficPolicy, subset?.trafficPolicy, port);
}

/** A subset without labels of its own is the whole service, whose policy is the top level's. */
function isFor({ labels, trafficPolicy }: JoinedRules["subsets"][number], key: string): boolean {
  return trafficPolicy !== undefined && key !== "" && labelsKey(labels) === key;
}

function ownExtent(rules: JoinedRules | undefined): Extent {
  return joinedExtent([rules], []);
}

function joinedExtent(all: readonly (JoinedRules | undefined)[], legacy: readonly TrafficPolicyInput[]): Extent {
  const labels = new Map<string, Labels>();
  const ports = new Set([0]);
  let isOpen = all.length > 1;
  for (const policy of legacy) labels.set(labelsKey(policy.labels ?? {}), policy.labels ?? {});
  for (const rules of all) {
    if (rules === undefined) continue;
    const { trafficPolicy, subsets } = rules;
    if (trafficPolicy !== undefined) isOpen = true;
    for (const subset of subsets) {
      const key = labelsKey(subset.labels);
      if (isFor(subset, key) && !labels.has(key)) labels.set(key, subset.labels);
    }
    for (const port of portsOf(trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy))) ports.add(port);
  }
  return {
    labels: new Map([...labels].sort(([a], [b]) => (a < b ? -1 : 1))),
    ports: [...ports].sort((a, b) => a - b),
    isOpen,
  };
}

/** What the mesh says where no rule does. */
function meshPolicy(mesh: MeshDefaults): TrafficPolicyInput[] {
  if (!mesh.spec?.connectTimeoutMs) return [];
  const body = toPolicyBody(effectivePolicy(undefined, undefined, 0), mesh);
  return [{ rule: MESH_RULE, labels: {}, anyLabels: true, ...body }];
}
