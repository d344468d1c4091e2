import { DOMAIN, type HostRef, type Labels, MESH_GATEWAY, type ServiceRef } from "../../model/index.ts";
import {
  BAD_DELEGATE,
  HIDDEN_HOST,
  PORT_REQUIRED,
  UNKNOWN_DELEGATE,
  UNKNOWN_GATEWAY,
  UNKNOWN_HOST,
  UNKNOWN_PORT,
  UNKNOWN_ROUTE_HOST,
  UNKNOWN_SOURCE,
  UNKNOWN_SUBSET,
} from "../codes/references.ts";
import { UNKNOWN_MATCH_PORT, UNKNOWN_VERSION } from "../codes/routing.ts";
import { type NamedHost, namesOf, portsOf, subsetIn } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";
import { destinationsOf } from "../routes.ts";
import { carries, labelText } from "../workload-book.ts";
import type { KnownPort } from "../world.ts";

/** Names that lead nowhere, of routes. */
export function checkRouteReferences(index: MeshIndex, report: Report): void {
  for (const item of index.all("VirtualService")) {
    for (const { path, destination } of destinationsOf(item)) {
      const { host, subset, port } = destination;
      const at = (field: string): string => `${path}.${field}`;
      const ports = checkHost(index, report, item, host, at("host"));
      if (ports !== undefined && port !== 0) checkPort(report, item, ports, port, at("port.number"), host.host);
      if (ports !== undefined && port === 0) checkPortGiven(report, item, host, ports, path);
      if (subset === "") continue;
      for (const caller of callersOf(index, item)) {
        if (!checkSubset(index, report, item, caller, host, subset, at("subset"))) break;
      }
    }
    checkOwnHosts(index, report, item);
    checkGateways(index, report, item);
    checkDelegates(index, report, item);
    for (const [i, { matches }] of item.spec.http.entries()) {
      for (const [j, match] of matches.entries()) {
        const { sourceLabels, sourceNamespace } = match;
        checkSource(index, report, item, `spec.http[${i}].match[${j}]`, sourceLabels, sourceNamespace);
        if (match.port !== 0) checkMatchPort(index, report, item, match.port, `spec.http[${i}].match[${j}].port`);
      }
    }
  }
  for (const item of index.all("RouteRule")) {
    const { destination, route, mirror, match } = item.spec;
    checkHost(index, report, item, destination, "spec.destination");
    for (const [i, each] of route.entries()) {
      if (each.destination.host !== destination.host)
        checkHost(index, report, item, each.destination, `spec.route[${i}].destination`);
      checkLabels(index, report, item, each.destination, `spec.route[${i}].labels`);
    }
    if (mirror !== undefined) checkHost(index, report, item, mirror, "spec.mirror");
    if (match?.source !== undefined) {
      const { service, labels } = match.source;
      const namespace = service?.namespace ?? "";
      if (service !== undefined && index.knowsServices && index.service(namespace, service.service) === undefined)
        report.add(UNKNOWN_SOURCE, item.key, "spec.match.source", `no service ${match.source.host} calls`);
      else checkSource(index, report, item, "spec.match.source", labels, "", service);
    }
  }
  for (const item of index.all("IngressRule")) {
    const ports = checkHost(index, report, item, item.spec.destination, "spec.destination");
    const { destinationPort, destinationPortName, destination } = item.spec;
    if (ports === undefined) continue;
    if (destinationPort !== undefined)
      checkPort(report, item, ports, destinationPort, "spec.destinationPort", destination.host);
    const protocol = destinationPortName?.split("-")[0]?.toLowerCase();
    if (
      protocol !== undefined &&
      ports.length > 0 &&
      !ports.some((port) => port.protocol === protocol || port.name === destinationPortName)
    )
      report.add(
        UNKNOWN_PORT,
        item.key,
        "spec.destinationPortName",
        `${destination.host} has no port ${destinationPortName}; it has ${listOf(ports)}`,
      );
  }
}

/** The ports of what the host means; undefined when that is not known. */
function checkHost(
  index: MeshIndex,
  report: Report,
  { key }: Item<"VirtualService" | "RouteRule" | "IngressRule">,
  host: NamedHost,
  path: string,
): readonly KnownPort[] | undefined {
  const found = index.hosts.find(host, key.namespace);
  if (found === undefined) {
    report.add(UNKNOWN_HOST, key, path, `nothing serves the host ${host.host}`);
  } else if (found.kind === "hidden") {
    const { namespace, name } = found.entry.key;
    const message = `ServiceEntry ${namespace}/${name} has ${host.host}, but does not export it to ${key.namespace}`;
    report.add(HIDDEN_HOST, key, path, message);
  }
  return portsOf(found);
}

/** Hosts that look like services and are none: what was meant to be routed is not. */
function checkOwnHosts(index: MeshIndex, report: Report, { key, spec }: Item<"VirtualService">): void {
  if (!index.knowsServices || !spec.gateways.includes(MESH_GATEWAY)) return;
  for (const [i, host] of spec.hosts.entries()) {
    if (host.service === undefined || !host.host.endsWith(`.svc.${DOMAIN}`)) continue;
    if (index.hosts.find(host, key.namespace) === undefined)
      report.add(UNKNOWN_ROUTE_HOST, key, `spec.hosts[${i}]`, `no service is called ${host.host}`);
  }
}

/** Whether anything that is called through this VirtualService has the port. */
function checkMatchPort(
  index: MeshIndex,
  report: Report,
  { key, spec }: Item<"VirtualService">,
  port: number,
  path: string,
): void {
  const open = new Set<number>();
  for (const gateway of spec.gateways) {
    if (gateway === MESH_GATEWAY) {
      for (const host of spec.hosts) {
        const ports = host.host.startsWith("*") ? undefined : portsOf(index.hosts.find(host, key.namespace));
        // Of a host whose ports are not known any may be meant.
        if (ports === undefined || ports.length === 0) return;
        for (const { number } of ports) open.add(number);
      }
    } else {
      const [namespace = "", name = ""] = gateway.split("/");
      const item = index.get("Gateway", namespace, name);
      if (item === undefined) return;
      for (const server of item.spec.servers) open.add(server.port);
    }
  }
  if (spec.hosts.length === 0 || open.has(port)) return;
  const list = [...open].sort((a, b) => a - b).join(", ");
  report.add(UNKNOWN_MATCH_PORT, key, path, `nothing that it is for has port ${port}; there are ${list}`);
}

/** Labels that a rule of the older dialect sends to. */
function checkLabels(
  index: MeshIndex,
  report: Report,
  { key }: Item<"RouteRule">,
  { service, host, labels }: ServiceRef,
  path: string,
): void {
  if (service === undefined || Object.keys(labels).length === 0) return;
  const known = index.service(service.namespace, service.service);
  if (known === undefined || known.instances.length === 0 || carries(known, labels)) return;
  report.add(UNKNOWN_VERSION, key, path, `no instance of ${host} carries ${labelText(labels)}`);
}

function checkPort(
  report: Report,
  { key }: Item<"VirtualService" | "IngressRule">,
  ports: readonly KnownPort[],
  port: number,
  path: string,
  host: string,
): void {
  if (ports.length === 0 || ports.some(({ number }) => number === port)) return;
  report.add(UNKNOWN_PORT, key, path, `${host} has no port ${port}; it has ${listOf(ports)}`);
}

function checkPortGiven(
  report: Report,
  { key, spec }: Item<"VirtualService">,
  host: HostRef,
  ports: readonly KnownPort[],
  path: string,
): void {
  if (ports.length < 2) return;
  const isGateway = spec.gateways.some((gateway) => gateway !== MESH_GATEWAY);
  const names = namesOf(host);
  const isOther = spec.hosts.some((each) => !namesOf(each).some((name) => names.includes(name)));
  if (!isGateway && !isOther) return;
  report.add(PORT_REQUIRED, key, `${path}.port`, `${host.host} has several ports (${listOf(ports)}) and none is named`);
}

function listOf(ports: readonly KnownPort[]): string {
  return ports.map(({ number, protocol }) => `${number}/${protocol}`).join(", ");
}

/**
 * Namespaces that the callers of a VirtualService are in, as far as it says so: the one that it is exported to, else its
 * own, where its author looks (callers elsewhere may have rules of their own); and those of the gateways it is bound to.
 */
function callersOf(index: MeshIndex, item: Item<"VirtualService">): ReadonlySet<string> {
  const { key, spec } = item;
  const callers = new Set<string>();
  const [first = "*", ...others] = index.hosts.exportTo(item);
  if (spec.gateways.includes(MESH_GATEWAY) || !index.knowsServices)
    callers.add(first === "*" || others.length > 0 ? key.namespace : first);
  for (const gateway of spec.gateways) for (const each of index.gatewayNamespaces(gateway)) callers.add(each);
  return callers.size === 0 ? new Set([key.namespace]) : callers;
}

/** Returns whether callers of the namespace have the subset. */
function checkSubset(
  index: MeshIndex,
  report: Report,
  { key }: Item<"VirtualService">,
  caller: string,
  host: HostRef,
  subset: string,
  path: string,
): boolean {
  const rules = index.hosts.rulesFor(host, caller);
  if (subsetIn(rules, subset) !== undefined) return true;
  const [rule] = rules;
  const elsewhere = [...index.hosts.anyRulesFor(host)].find((each) =>
    each.spec.subsets.some(({ name }) => name === subset),
  );
  let message = `no DestinationRule for ${host.host} holds for callers of ${caller}`;
  if (rule !== undefined) {
    const names = rules.flatMap((each) => each.spec.subsets.map(({ name }) => name));
    const has = names.length === 0 ? "has no subsets" : `has only ${names.join(", ")}`;
    message = `DestinationRule ${rule.key.namespace}/${rule.key.name}, which holds for callers of ${caller}, ${has}`;
  }
  if (elsewhere !== undefined) {
    const { namespace, name } = elsewhere.key;
    message += `; DestinationRule ${namespace}/${name} has it, but does not hold there`;
  }
  report.add(UNKNOWN_SUBSET, key, path, `no subset ${subset}: ${message}`);
  return false;
}

function checkGateways(index: MeshIndex, report: Report, { key, spec }: Item<"VirtualService">): void {
  const check = (gateway: string, path: string): void => {
    const [namespace = "", name = ""] = gateway.split("/");
    if (gateway === MESH_GATEWAY || index.exists("Gateway", namespace, name)) return;
    report.add(UNKNOWN_GATEWAY, key, path, `Gateway ${gateway} does not exist`);
  };
  for (const [i, gateway] of spec.gateways.entries()) check(gateway, `spec.gateways[${i}]`);
  for (const [i, { matches }] of spec.http.entries())
    for (const [j, { gateways }] of matches.entries())
      for (const [k, gateway] of gateways.entries()) {
        if (!spec.gateways.includes(gateway)) check(gateway, `spec.http[${i}].match[${j}].gateways[${k}]`);
      }
}

function checkDelegates(index: MeshIndex, report: Report, { key, spec }: Item<"VirtualService">): void {
  for (const [i, { delegate }] of spec.http.entries()) {
    if (delegate === undefined) continue;
    const path = `spec.http[${i}].delegate`;
    const full = `${delegate.namespace}/${delegate.name}`;
    const target = index.get("VirtualService", delegate.namespace, delegate.name);
    if (target === undefined) {
      if (!index.exists("VirtualService", delegate.namespace, delegate.name))
        report.add(UNKNOWN_DELEGATE, key, path, `VirtualService ${full} does not exist`);
      continue;
    }
    if (!index.hosts.isVisible(target, key.namespace))
      report.add(
        UNKNOWN_DELEGATE,
        key,
        path,
        `VirtualService ${full} is not exported to ${key.namespace}`,
        `add ${key.namespace} to its exportTo`,
      );
    if (target.spec.hosts.length > 0)
      report.add(BAD_DELEGATE, key, path, `VirtualService ${full} has hosts of its own`, "take its hosts out");
    const further = target.spec.http.find((route) => route.delegate !== undefined)?.delegate;
    if (further !== undefined)
      report.add(
        BAD_DELEGATE,
        key,
        path,
        `VirtualService ${full} delegates further, to ${further.namespace}/${further.name}`,
      );
  }
}

function checkSource(
  index: MeshIndex,
  report: Report,
  { key }: Item<"VirtualService" | "RouteRule">,
  path: string,
  labels: Labels,
  namespace: string,
  service?: { readonly namespace: string; readonly service: string },
): void {
  if (!index.knowsWorkloads) return;
  const asked = Object.entries(labels);
  if (namespace !== "" && !index.namespaces.has(namespace)) {
    report.add(UNKNOWN_SOURCE, key, path, `there is no namespace ${namespace}`);
    return;
  }
  if (asked.length === 0) return;
  if (index.workloads.some(labels, namespace, service)) return;
  const text = asked.map(([name, value]) => `${name}=${value}`).join(",");
  report.add(
    UNKNOWN_SOURCE,
    key,
    path,
    `no workload${namespace === "" ? "" : ` of ${namespace}`} has the labels ${text}`,
  );
}
