import type { ExportTo, GatewaySpec } from "../../../shared/model/index.ts";
import {
  GatewayConfig,
  type GatewayRouteInput,
  type GatewayServerInput,
  type RouteInput,
} from "../../../shared/wire/index.ts";
import { type Aged, compareAge } from "./age.ts";
import { hostIntersections } from "./host-intersection.ts";
import { isVisible } from "./visibility.ts";

/**
 * What a gateway workload serves, of all Gateway resources that choose it and all VirtualServices that are bound to those.
 *
 * A VirtualService is served where one of its hosts meets a host of a server: under the narrower of the two. What
 * several of them say about one host is joined, the older first; routes for every request come last, so that none hides
 * what another VirtualService says, and within one VirtualService such a route ends the list.
 */
export interface GatewayEntry extends Aged {
  readonly revision: number;
  readonly namespace: string;
  /** `<namespace>/<name>`, as VirtualServices name it. */
  readonly id: string;
  readonly spec: GatewaySpec;
}

/** A VirtualService as a gateway sees it. */
export interface BoundRoutes extends Aged {
  readonly revision: number;
  readonly namespace: string;
  readonly hosts: readonly string[];
  readonly exportTo: ExportTo;
  /** In their order: those that are for a Gateway (`<namespace>/<name>`), as workloads of that namespace may see them. */
  routesFor(gateway: string, namespace: string): readonly RouteInput[];
}

/** What goes on as it was compiled, because nobody knows its text any more. */
export interface FrozenAtGateway extends Aged {
  readonly routes: readonly (GatewayRouteInput & { readonly route: RouteInput })[];
}

export interface GatewayContent {
  readonly servers: readonly GatewayServerInput[];
  readonly routes: readonly GatewayRouteInput[];
  /** How many routes more there would be than a message can take. */
  readonly left: number;
}

/** Bytes of all routes: a gateway's value is one message. */
const MAX_BYTES = 900 * 1024;

interface Candidate extends Aged {
  readonly route: GatewayRouteInput;
  readonly isCatchAll: boolean;
}

/** `entries`: the Gateways that choose the workload; `boundTo`: what is bound to one of them. */
export function gatewayContent(
  namespace: string,
  entries: readonly GatewayEntry[],
  boundTo: (gateway: string) => Iterable<BoundRoutes>,
  frozen: readonly FrozenAtGateway[] = [],
): GatewayContent {
  const ordered = [...entries].sort(compareAge);
  const servers: GatewayServerInput[] = [];
  for (const { rule, spec } of ordered) {
    for (const { port, protocol, hosts, httpsRedirect } of spec.servers) {
      servers.push({
        rule,
        port,
        protocol: protocol.toLowerCase(),
        hosts: [...new Set(hosts.map(({ host }) => host))],
        ...(httpsRedirect && { httpsRedirect }),
      });
    }
  }
  servers.sort((a, b) => (a.port ?? 0) - (b.port ?? 0));
  const ports = [...new Set(servers.map(({ port }) => port ?? 0))];
  const candidates = ports.flatMap((port) => candidatesOfPort(port, namespace, ordered, boundTo, frozen));
  const kept = bounded(candidates);
  return { servers, routes: kept.map(({ route }) => route), left: candidates.length - kept.length };
}

/** As many as a message can take: those of the older resources. */
function bounded(candidates: readonly Candidate[]): readonly Candidate[] {
  if (GatewayConfig.encode({ routes: candidates.map(({ route }) => route) }).length <= MAX_BYTES) return candidates;
  const sizes = new Map<Candidate, number>();
  let total = 0;
  for (const candidate of candidates) {
    const size = GatewayConfig.encode({ routes: [candidate.route] }).length;
    sizes.set(candidate, size);
    total += size;
  }
  const dropped = new Set<Candidate>();
  for (const candidate of [...candidates].sort(compareAge).reverse()) {
    if (total <= MAX_BYTES) break;
    total -= sizes.get(candidate) ?? 0;
    dropped.add(candidate);
  }
  return candidates.filter((candidate) => !dropped.has(candidate));
}

function candidatesOfPort(
  port: number,
  namespace: string,
  entries: readonly GatewayEntry[],
  boundTo: (gateway: string) => Iterable<BoundRoutes>,
  frozen: readonly FrozenAtGateway[],
): Candidate[] {
  const found = new Map<string, Map<string, Candidate>>();
  for (const entry of entries) {
    for (const bound of boundTo(entry.id)) {
      if (!isVisible(bound.exportTo, namespace)) continue;
      const hosts = servedHosts(entry, port, bound);
      if (hosts.length === 0) continue;
      const routes = untilCatchAll(bound.routesFor(entry.id, namespace), port);
      addCandidates(found, bound, routes, hosts, port);
    }
  }
  for (const { rule, created, routes } of frozen) {
    const here = routes.filter((route) => route.serverPort === port);
    found.set(
      rule,
      new Map(here.map((route, i) => [`${i}`, { rule, created, route, isCatchAll: isCatchAll(route.route) }])),
    );
  }
  const candidates = [...found.values()].flatMap((routes) => [...routes.values()]).sort(compareAge);
  return [...candidates.filter(({ isCatchAll }) => !isCatchAll), ...candidates.filter(({ isCatchAll }) => isCatchAll)];
}

/** One VirtualService may be bound to several Gateways of one port: what they have in common is served once. */
function addCandidates(
  found: Map<string, Map<string, Candidate>>,
  { rule, created, revision }: BoundRoutes,
  routes: readonly RouteInput[],
  hosts: readonly string[],
  port: number,
): void {
  const known = found.get(rule) ?? new Map<string, Candidate>();
  found.set(rule, known);
  for (const route of routes) {
    const text = JSON.stringify(route);
    const same = known.get(text);
    if (same === undefined) {
      const listed: GatewayRouteInput = { rule, revision, hosts: [...hosts], serverPort: port, route };
      known.set(text, { rule, created, route: listed, isCatchAll: isCatchAll(route) });
    } else {
      const joined = [...new Set([...(same.route.hosts ?? []), ...hosts])];
      known.set(text, { ...same, route: { ...same.route, hosts: joined } });
    }
  }
}

/** The hosts of a VirtualService that servers of a Gateway let in on a port. */
function servedHosts({ spec }: GatewayEntry, port: number, bound: BoundRoutes): string[] {
  const hosts = new Set<string>();
  for (const server of spec.servers) {
    if (server.port !== port) continue;
    const open = server.hosts.filter(({ namespace }) => namespace === "*" || namespace === bound.namespace);
    for (const host of hostIntersections(
      bound.hosts,
      open.map(({ host }) => host),
    ))
      hosts.add(host);
  }
  return [...hosts].sort();
}

function untilCatchAll(routes: readonly RouteInput[], port: number): RouteInput[] {
  const kept: RouteInput[] = [];
  for (const route of routes) {
    if (route.match?.port && route.match.port !== port) continue;
    kept.push(atGateway(route));
    if (isCatchAll(route)) break;
  }
  return kept;
}

/** Which gateway it is for has been decided; the gateway itself need not look. */
function atGateway(route: RouteInput): RouteInput {
  if (route.match === undefined || route.match === null) return route;
  const { gateways: _, ...match } = route.match;
  return { ...route, match };
}

/** Whether a route is for every request of its host and port. */
export function isCatchAll({ match }: RouteInput): boolean {
  if (match === undefined || match === null) return true;
  if ((match.queryParameters?.length ?? 0) > 0 || match.source) return false;
  return (match.headers ?? []).every(
    ({ name, prefix, regex, invert }) => name === "uri" && invert !== true && (prefix === "/" || regex === ".*"),
  );
}
