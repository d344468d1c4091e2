import type {
  Destination,
  GatewayConfig,
  GatewayServer,
  GatewayRoute as RouteMessage,
} from "../../../shared/wire/index.ts";
import type { ServiceEntry } from "../mesh/service-entry.ts";
import { type Caller, MESH, whyNotFor } from "../route/caller.ts";
import { compileConditions } from "../route/condition.ts";
import { narrowerPattern, parseHostPattern } from "../route/host-pattern.ts";
import { HostTable } from "../route/host-table.ts";
import type { Matchable } from "../route/matching.ts";
import { RouteTable } from "../route/route-table.ts";
import { compileRoute, destinationsOf, type ServiceRoute } from "../route/service-route.ts";
import { UNKNOWN_PEER } from "../stream/record.ts";

/*
 * The routes of a gateway, as its configuration brings them. There are two sorts. One names a service, and the request
 * goes on by that service's own routes (IngressRules); whoever calls from outside is of no service, so one that is for
 * certain callers is for nobody. The other is a whole route (VirtualServices bound to the gateway) and takes the place of the
 * services' own; to it the caller is the gateway itself, as in Istio.
 *
 * A port of the gateway has servers and routes. The most specific host of any route that fits a request decides which routes it
 * meets, as with Envoy's virtual hosts; those of other hosts it never falls back to. A whole route is there only for hosts
 * that some server of the port has.
 */

/** The port that it has in the mesh's eyes, whichever it listens on. */
export const GATEWAY_PORT = 80;

/** What a gateway's routes need of a service: the proxy's entries have it, and whatever stands for them. */
export type RoutedService = Pick<ServiceEntry, "namespace" | "name" | "ports" | "cluster">;

export interface GatewayRoute<S extends RoutedService = ServiceEntry> extends Matchable {
  readonly rule: string;
  /** As it was told. */
  readonly config: RouteMessage;
  /** Patterns; at least one. */
  readonly hosts: readonly string[];
  /** The gateway's port that it is for; 0: every one. */
  readonly serverPort: number;
  /** The service whose own routes decide, or that a whole route leads to first; undefined: it leads nowhere. */
  readonly entry: S | undefined;
  /** Of that service. Undefined: its only port, or 80. */
  readonly port: number | undefined;
  /** Instead of the service's own routes. */
  readonly whole: ServiceRoute | undefined;
}

export interface GatewayRouteSources<S extends RoutedService = ServiceEntry> {
  /** This gateway. */
  readonly self: Caller;
  /** What it answers to in rules, beside its Gateway resources' names. */
  readonly names: readonly string[];
  /** Its ports. */
  readonly ports: readonly number[];
  entry(namespace: string, service: string): S;
}

/** The routes that some port of this gateway has. Throws on what no request could be routed by. */
export function compileGatewayRoutes<S extends RoutedService>(
  { routes, servers }: Pick<GatewayConfig, "routes" | "servers">,
  sources: GatewayRouteSources<S>,
): GatewayRoute<S>[] {
  const places = new Map<string, number>();
  return routes.flatMap((message) => {
    const { route, rule, serverPort } = message;
    if (route === null || route === undefined) {
      if (!isServed(serverPort, sources) || whyNotFor(message.match, UNKNOWN_PEER, sources.names) !== undefined)
        return [];
      return ingressRoute(message, sources);
    }
    const place = places.get(rule) ?? 0;
    places.set(rule, place + 1);
    if (!isServed(serverPort, sources) || !isBound(message, servers, sources)) return [];
    return wholeRoute(message, place, sources);
  });
}

function isServed(serverPort: number, { ports }: Pick<GatewayRouteSources, "ports">): boolean {
  return serverPort === 0 || ports.includes(serverPort);
}

/** Which gateways a route is for has been decided where it was put here, but for those that it names itself. */
function isBound(
  { route }: RouteMessage,
  servers: readonly GatewayServer[],
  sources: Pick<GatewayRouteSources, "names" | "self">,
): boolean {
  const resources = servers.map(({ rule }) => rule.slice(rule.indexOf("/") + 1));
  const isOpen = (route?.match?.gateways ?? []).length === 0;
  const names = isOpen ? [MESH] : [...resources, ...sources.names.filter((name) => name !== MESH)];
  return whyNotFor(route?.match, sources.self, names) === undefined;
}

function ingressRoute<S extends RoutedService>(config: RouteMessage, sources: GatewayRouteSources<S>): GatewayRoute<S> {
  const { rule, match, destination, port, hosts, serverPort } = config;
  return {
    rule,
    config,
    conditions: compileConditions(match),
    entry: sources.entry(destination?.namespace ?? "", destination?.service ?? ""),
    port: port || undefined,
    hosts: hosts.length === 0 ? ["*"] : hosts,
    serverPort,
    whole: undefined,
  };
}

function wholeRoute<S extends RoutedService>(
  config: RouteMessage,
  place: number,
  sources: GatewayRouteSources<S>,
): GatewayRoute<S> {
  const { rule, route, hosts, serverPort } = config;
  if (route === null || route === undefined) throw new TypeError("not a whole route");
  const entryOf = (destination: Destination | null | undefined): S => {
    if (!destination?.service) throw new Error("a gateway's route must say which service it leads to");
    return sources.entry(destination.namespace, destination.service);
  };
  const whole = compileRoute(
    route,
    (destination) => entryOf(destination).cluster(destination?.labels ?? {}),
    place,
    (destination, port) => port || onlyPort(entryOf(destination)),
  );
  const [first] = destinationsOf(route);
  return {
    rule,
    config,
    conditions: whole.conditions,
    entry: first && entryOf(first),
    port: whole.targets.values[0]?.value.port,
    hosts: hosts.length === 0 ? ["*"] : hosts,
    serverPort,
    whole,
  };
}

/** 0 when it has several: then it is the one that was called. */
export function onlyPort({ ports }: Pick<RoutedService, "ports">): number {
  return (ports.length === 1 ? ports[0] : undefined) ?? 0;
}

/** What the requests to one port of the gateway meet. */
export interface GatewayPortRoutes<S extends RoutedService = ServiceEntry> {
  readonly hosts: HostTable<RouteTable<GatewayRoute<S>>>;
  /** By the hosts of the servers: whether a request only learns that it should come by https. Undefined: none does. */
  readonly redirects: HostTable<boolean> | undefined;
}

/** Throws on a host that cannot be read. */
export function routesOfPort<S extends RoutedService>(
  routes: readonly GatewayRoute<S>[],
  servers: readonly GatewayServer[],
  port: number,
): GatewayPortRoutes<S> {
  const here = servers.filter((server) => server.port === port);
  // A whole route needs a server; without any server at all, as before there were some, it has its own hosts.
  const serverHosts = servers.length === 0 ? undefined : here.flatMap(({ hosts }) => hosts);
  const groups = new Map<string, GatewayRoute<S>[]>();
  for (const route of routes) {
    if (route.serverPort !== 0 && route.serverPort !== port) continue;
    for (const host of hostsOf(route, serverHosts)) {
      const group = groups.get(host);
      if (group === undefined) groups.set(host, [route]);
      else group.push(route);
    }
  }
  return {
    hosts: new HostTable([...groups].map(([host, group]) => [host, new RouteTable(group)])),
    redirects: redirectsOf(here),
  };
}

function hostsOf(
  { hosts, whole }: Pick<GatewayRoute, "hosts" | "whole">,
  serverHosts: readonly string[] | undefined,
): ReadonlySet<string> {
  const own = hosts.map(parseHostPattern);
  if (whole === undefined || serverHosts === undefined) return new Set(own.map(({ text }) => text));
  const both = own.flatMap((pattern) =>
    serverHosts.flatMap((host) => narrowerPattern(pattern, parseHostPattern(host)) ?? []),
  );
  return new Set(both);
}

function redirectsOf(servers: readonly GatewayServer[]): HostTable<boolean> | undefined {
  if (!servers.some(({ httpsRedirect }) => httpsRedirect)) return undefined;
  // Of two servers with one host, that which redirects stands.
  const ordered = servers.toSorted((a, b) => Number(b.httpsRedirect) - Number(a.httpsRedirect));
  return new HostTable(
    ordered.flatMap(({ hosts, httpsRedirect }) => hosts.map((host) => [host, httpsRedirect] as const)),
  );
}
