import type { LocalityDistribution, LocalityPolicy } from "./cluster-policy.ts";
import type { Host } from "./host.ts";

/**
 * Which part of the requests goes to which localities ("region/zone/sub-zone"). Both ways end in groups of hosts with
 * weights, made anew when a host comes, goes or changes its health:
 *
 *  - distribute: the shares that the policy gives to the caller's locality. Hosts in none of them get nothing.
 *  - failover: all to the nearest, as long as enough of them are available; what they lack goes to the next nearest.
 *
 * A group stands for its whole part while at least 1/1.4 of its hosts are available (Envoy's overprovisioning), and for
 * proportionally less below that.
 */
export interface HostGroup {
  readonly name: string;
  readonly hosts: readonly Host[];
  /** Of the requests; together 1 when the groups can take all of them. */
  readonly weight: number;
}

const OVERPROVISIONING = 1.4;

interface Candidates {
  readonly name: string;
  readonly all: number;
  readonly available: readonly Host[];
}

/** Undefined when localities cannot decide: the policy says nothing for the caller, or no group is available. */
export function groupByLocality(
  hosts: readonly Host[],
  own: string,
  policy: LocalityPolicy,
): readonly HostGroup[] | undefined {
  const distribution = mostSpecific(policy.distribute, own, ({ from }) => from);
  const groups =
    distribution !== undefined
      ? distributed(hosts, distribution)
      : policy.failover && own !== ""
        ? failingOver(hosts, own)
        : [];
  return groups.length === 0 ? undefined : groups;
}

function distributed(hosts: readonly Host[], { to }: LocalityDistribution): HostGroup[] {
  const candidates = gather(hosts, (host) => mostSpecific(to, host.locality, ({ locality }) => locality)?.locality);
  const total = to.reduce((sum, { weight }) => sum + weight, 0);
  return candidates.flatMap(({ name, all, available }) => {
    const share = (to.find(({ locality }) => locality === name)?.weight ?? 0) / total;
    const weight = share * healthOf(available.length, all);
    return weight > 0 ? [{ name, hosts: available, weight }] : [];
  });
}

function failingOver(hosts: readonly Host[], own: string): HostGroup[] {
  const levels = gather(hosts, (host) => String(distance(own, host.locality)));
  levels.sort((a, b) => Number(a.name) - Number(b.name));
  const groups: HostGroup[] = [];
  let left = 1;
  for (const { name, all, available } of levels) {
    const weight = Math.min(left, healthOf(available.length, all));
    // What floating point leaves over is no share.
    if (weight > 1e-9) groups.push({ name, hosts: available, weight });
    left -= weight;
  }
  return groups;
}

function gather(hosts: readonly Host[], groupOf: (host: Host) => string | undefined): Candidates[] {
  const groups = new Map<string, { name: string; all: number; available: Host[] }>();
  for (const host of hosts) {
    const name = groupOf(host);
    if (name === undefined) continue;
    const group = groups.get(name) ?? { name, all: 0, available: [] };
    groups.set(name, group);
    group.all++;
    if (host.available) group.available.push(host);
  }
  return [...groups.values()];
}

/** How much of its part a group can take. */
function healthOf(available: number, all: number): number {
  return Math.min(1, (OVERPROVISIONING * available) / all);
}

/** How many parts of the caller's locality a host does not share, from the region on. */
function distance(own: string, other: string): number {
  const wanted = own.split("/");
  const given = other.split("/");
  const differs = wanted.findIndex((part, i) => part !== given[i]);
  return differs < 0 ? 0 : wanted.length - differs;
}

/** `*`, `region/*`, `region/zone/*` and names without a star: the longest that covers the locality. */
function mostSpecific<T>(items: readonly T[], locality: string, nameOf: (item: T) => string): T | undefined {
  let best: T | undefined;
  let bestLength = -1;
  for (const item of items) {
    const prefix = nameOf(item).replace(/\/?\*$/, "");
    if (prefix !== "" && locality !== prefix && !locality.startsWith(`${prefix}/`)) continue;
    if (prefix.length <= bestLength) continue;
    best = item;
    bestLength = prefix.length;
  }
  return best;
}
