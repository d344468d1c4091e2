import { MESH_GATEWAY } from "../../model/index.ts";
import { CONFLICTING_HOSTS, OVERRULED_ROUTE_RULE, ROUTE_ON_TCP_PORT, UNUSED_DELEGATE } from "../codes/routing.ts";
import { canonical, type NamedHost, portsOf } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";

/** Who is in force for a host when several want to be. */
export function checkHosts(index: MeshIndex, report: Report): void {
  checkConflicts(index, report);
  for (const item of index.all("RouteRule")) {
    const { destination } = item.spec;
    const over = overruling(index, destination);
    if (over !== undefined) {
      const { namespace, name } = over.item.key;
      const whom = over.forAll ? "" : ` for callers of ${index.hosts.exportTo(over.item).join(", ")}`;
      const message = `VirtualService ${namespace}/${name} is in force for ${destination.host}${whom}`;
      report.add(OVERRULED_ROUTE_RULE, item.key, "spec.destination", message);
    }
    if (item.spec.match?.tcp === undefined) checkProtocol(index, report, item, destination, "spec.destination");
  }
  const delegates = new Set(
    index
      .all("VirtualService")
      .flatMap(({ spec }) =>
        spec.http.flatMap(({ delegate }) => (delegate === undefined ? [] : [`${delegate.namespace}/${delegate.name}`])),
      ),
  );
  for (const item of index.all("VirtualService")) {
    const { key, spec } = item;
    if (spec.hosts.length === 0 && !delegates.has(`${key.namespace}/${key.name}`))
      report.add(UNUSED_DELEGATE, key, "spec.hosts", "has no hosts, and nothing delegates to it");
    if (!spec.gateways.includes(MESH_GATEWAY)) continue;
    for (const [i, host] of spec.hosts.entries()) checkProtocol(index, report, item, host, `spec.hosts[${i}]`);
  }
}

/** Among VirtualServices of sidecars with one host, those that are never in force for somebody who sees another. */
function checkConflicts(index: MeshIndex, report: Report): void {
  const byHost = new Map<string, Item<"VirtualService">[]>();
  for (const item of index.all("VirtualService")) {
    if (!item.spec.gateways.includes(MESH_GATEWAY)) continue;
    for (const host of new Set(item.spec.hosts.map(canonical))) {
      const items = byHost.get(host);
      if (items === undefined) byHost.set(host, [item]);
      else items.push(item);
    }
  }
  for (const [host, items] of byHost) {
    if (items.length < 2) continue;
    const winners = new Map<string, Item<"VirtualService">>();
    for (const item of items) {
      for (const callers of callersOf(index, item)) {
        const winner = winners.get(callers);
        if (winner === undefined) {
          winners.set(callers, item);
          continue;
        }
        const isApplied = item.resource.metadata.creationTimestamp !== undefined;
        const why = isApplied ? "is older" : "comes first";
        const { namespace, name } = winner.key;
        const whom = callers === "*" ? "" : ` for callers of ${callers.slice(callers.indexOf(" ") + 1)}`;
        report.add(
          CONFLICTING_HOSTS,
          item.key,
          `spec.hosts[${item.spec.hosts.findIndex((each) => canonical(each) === host)}]`,
          `VirtualService ${namespace}/${name}, which ${why}, is in force for ${host}${whom}; this one is not`,
        );
        break;
      }
    }
  }
}

/** Groups of callers within which the oldest is in force. */
function callersOf(index: MeshIndex, item: Item<"VirtualService">): readonly string[] {
  const { namespace: own } = item.key;
  const exported = index.hosts.exportTo(item);
  if (exported.includes("*")) return ["*"];
  if (exported.every((namespace) => namespace === own)) return [`own ${own}`];
  return exported.map((namespace) => `named ${namespace}`);
}

/** The VirtualService that is in force instead of the older dialect: for all callers, or for some. */
function overruling(
  index: MeshIndex,
  host: NamedHost,
): { readonly item: Item<"VirtualService">; readonly forAll: boolean } | undefined {
  let partly: Item<"VirtualService"> | undefined;
  for (const items of index.hosts.virtualServicesFor(host)) {
    for (const item of items) {
      if (!item.spec.gateways.includes(MESH_GATEWAY)) continue;
      if (index.hosts.exportTo(item).includes("*")) return { item, forAll: true };
      partly ??= item;
    }
  }
  return partly === undefined ? undefined : { item: partly, forAll: false };
}

const HTTP = new Set(["", "http", "http2", "grpc", "grpc-web", "http_proxy"]);

export function isHttp(protocol: string): boolean {
  return HTTP.has(protocol);
}

function checkProtocol(
  index: MeshIndex,
  report: Report,
  { key }: Item<"VirtualService" | "RouteRule">,
  host: NamedHost,
  path: string,
): void {
  if (host.host.startsWith("*")) return;
  const ports = portsOf(index.hosts.find(host, key.namespace)) ?? [];
  if (ports.length === 0 || ports.some(({ protocol }) => isHttp(protocol))) return;
  const list = ports.map(({ number, protocol }) => `${number}/${protocol}`).join(", ");
  report.add(ROUTE_ON_TCP_PORT, key, path, `${host.host} has only ${list}, and HTTP routes are not looked at there`);
}
