import { formatKey, MESH_GATEWAY, type ScopedHost } from "../../model/index.ts";
import {
  CONFLICTING_GATEWAYS,
  GATEWAY_WITHOUT_WORKLOADS,
  HIDDEN_FROM_GATEWAY,
  HOST_NOT_IN_GATEWAY,
  PORT_NOT_OPEN,
  SHARED_GATEWAY_HOST,
  UNREACHABLE_INGRESS_RULE,
  UNUSED_GATEWAY_SERVER,
} from "../codes/gateways.ts";
import { type Conditions, conditionsOfRule, covers } from "../conditions.ts";
import { hostsOverlap } from "../host-patterns.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { labelText } from "../workload-book.ts";

const MAX_COMPARED = 200;
const HTTP_PORT = 80;

/** Gateways, what is bound to them, and who is to open them. */
export function checkGateways(index: MeshIndex, report: Report): void {
  const bound = boundServices(index);
  for (const item of index.all("Gateway")) {
    checkWorkloads(index, report, item);
    checkServers(index, report, item, bound.get(nameOf(item)) ?? []);
  }
  checkConflicts(index, report);
  for (const [gateway, items] of bound) {
    const [namespace = "", name = ""] = gateway.split("/");
    const target = index.get("Gateway", namespace, name);
    if (target === undefined) continue;
    const seen = new Map<string, Item<"VirtualService">>();
    for (const item of items) {
      for (const each of index.gatewayNamespaces(gateway)) {
        if (index.hosts.isVisible(item, each)) continue;
        const message = `it is not exported to ${each}, where the gateways of ${gateway} are`;
        report.add(HIDDEN_FROM_GATEWAY, item.key, "spec.exportTo", message, `add ${each} to exportTo`);
      }
      for (const [i, { host }] of item.spec.hosts.entries()) {
        const path = `spec.hosts[${i}]`;
        const hosts = target.spec.servers.flatMap((server) => server.hosts);
        if (!hosts.some((each) => admits(each, item.key.namespace, host)))
          report.add(HOST_NOT_IN_GATEWAY, item.key, path, whyNot(hosts, item.key.namespace, host, gateway));
        const first = seen.get(host);
        if (first === undefined) seen.set(host, item);
        else if (first !== item)
          report.add(
            SHARED_GATEWAY_HOST,
            item.key,
            path,
            `VirtualService ${nameOf(first)} has ${host} on Gateway ${gateway} too, and comes first`,
          );
      }
    }
  }
  checkIngressRules(index, report);
}

function nameOf({ key }: Item<"Gateway" | "VirtualService">): string {
  return `${key.namespace}/${key.name}`;
}

/** Gateway -> the VirtualServices bound to it, oldest first. */
function boundServices(index: MeshIndex): ReadonlyMap<string, readonly Item<"VirtualService">[]> {
  const bound = new Map<string, Item<"VirtualService">[]>();
  for (const item of index.all("VirtualService")) {
    for (const gateway of new Set(item.spec.gateways)) {
      if (gateway === MESH_GATEWAY) continue;
      const items = bound.get(gateway);
      if (items === undefined) bound.set(gateway, [item]);
      else items.push(item);
    }
  }
  return bound;
}

/** Whether a server's host lets a VirtualService of a namespace in with a host. */
function admits(server: ScopedHost, namespace: string, host: string): boolean {
  return (server.namespace === "*" || server.namespace === namespace) && hostsOverlap(server.host, host);
}

function whyNot(hosts: readonly ScopedHost[], namespace: string, host: string, gateway: string): string {
  const scoped = hosts.find((each) => hostsOverlap(each.host, host));
  if (scoped !== undefined)
    return `Gateway ${gateway} has ${host} only for VirtualServices of namespace ${scoped.namespace}, not of ${namespace}`;
  const list = [...new Set(hosts.map((each) => each.host))].slice(0, 5).join(", ");
  return `Gateway ${gateway} has no server for ${host}, only for ${list}`;
}

function checkWorkloads(index: MeshIndex, report: Report, { key, spec }: Item<"Gateway">): void {
  if (!index.knowsGateways) return;
  const workloads = index.gateways(spec.selector);
  if (workloads.length === 0) {
    const labels = Object.keys(spec.selector).length === 0 ? "" : ` that carries ${labelText(spec.selector)}`;
    report.add(GATEWAY_WITHOUT_WORKLOADS, key, "spec.selector", `there is no gateway${labels}`);
    return;
  }
  const open = new Set(workloads.flatMap(({ instance }) => instance.ports.map(({ number }) => number)));
  // One that declares no ports does not tell which it has.
  if (workloads.some(({ instance }) => instance.ports.length === 0)) return;
  for (const [i, { port }] of spec.servers.entries()) {
    if (!open.has(port))
      report.add(
        PORT_NOT_OPEN,
        key,
        `spec.servers[${i}].port.number`,
        `no gateway selected has port ${port} open; open: ${[...open].sort((a, b) => a - b).join(", ")}`,
      );
  }
}

function checkServers(
  index: MeshIndex,
  report: Report,
  { key, spec }: Item<"Gateway">,
  bound: readonly Item<"VirtualService">[],
): void {
  const hasIngressRules = index.all("IngressRule").length > 0;
  for (const [i, { hosts, httpsRedirect }] of spec.servers.entries()) {
    if (httpsRedirect) continue;
    for (const [j, server] of hosts.entries()) {
      if (server.host === "*" && hasIngressRules) continue;
      const isUsed = bound.some((item) => item.spec.hosts.some(({ host }) => admits(server, item.key.namespace, host)));
      if (!isUsed)
        report.add(
          UNUSED_GATEWAY_SERVER,
          key,
          `spec.servers[${i}].hosts[${j}]`,
          `no VirtualService is bound for ${server.host}`,
        );
    }
  }
}

function checkConflicts(index: MeshIndex, report: Report): void {
  const groups = new Map<string, { readonly item: Item<"Gateway">; readonly host: ScopedHost }[]>();
  for (const item of index.all("Gateway")) {
    for (const [i, { port, hosts }] of item.spec.servers.entries()) {
      for (const [j, host] of hosts.entries()) {
        const id = `${port} ${host.host}`;
        const group = groups.get(id) ?? [];
        groups.set(id, group);
        const other = group.find(
          (each) => each.item !== item && scopesOverlap(each.host, host) && mayMeet(index, each.item, item),
        );
        if (other !== undefined)
          report.add(
            CONFLICTING_GATEWAYS,
            item.key,
            `spec.servers[${i}].hosts[${j}]`,
            `Gateway ${nameOf(other.item)} has port ${port} and ${host.host} on the same gateways`,
          );
        if (group.length < MAX_COMPARED) group.push({ item, host });
      }
    }
  }
}

function scopesOverlap(a: ScopedHost, b: ScopedHost): boolean {
  return a.namespace === "*" || b.namespace === "*" || a.namespace === b.namespace;
}

/** Whether some gateway carries both selectors; where gateways are not known, whether one could. */
function mayMeet(index: MeshIndex, a: Item<"Gateway">, b: Item<"Gateway">): boolean {
  const [x, y] = [a.spec.selector, b.spec.selector];
  for (const [name, value] of Object.entries(x)) if (y[name] !== undefined && y[name] !== value) return false;
  if (labelText(x) === labelText(y) || !index.knowsGateways) return true;
  return index.gateways({ ...x, ...y }).length > 0;
}

function checkIngressRules(index: MeshIndex, report: Report): void {
  const name = (item: Item<"IngressRule">): string => formatKey(item.key);
  const ordered = [...index.all("IngressRule")].sort(
    (a, b) => b.spec.precedence - a.spec.precedence || (name(a) < name(b) ? -1 : 1),
  );
  const earlier: { readonly item: Item<"IngressRule">; readonly conditions: Conditions }[] = [];
  for (const item of ordered) {
    const conditions = { ...conditionsOfRule(item.spec.match), port: item.spec.port || HTTP_PORT };
    const by = earlier.find((each) => covers(each.conditions, conditions));
    if (by !== undefined) {
      const { namespace, name: other } = by.item.key;
      report.add(
        UNREACHABLE_INGRESS_RULE,
        item.key,
        "spec",
        `IngressRule ${namespace}/${other} comes first and takes every request that fits`,
      );
    }
    if (earlier.length < MAX_COMPARED) earlier.push({ item, conditions });
  }
}
