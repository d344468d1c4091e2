import { portOf } from "../mesh/service-snapshot.ts";
import { type RouteConfigView, type RouteView, routeView, whatIsSet } from "../plane/route-views.ts";
import type { GatewayRoute } from "./gateway-routes.ts";
import type { GatewayPort } from "./gateway-table.ts";

/** What a port of a gateway has for each host, the more specific first, as the routes of services are shown. */
export function gatewayRouteViews({ number, routes, revision }: GatewayPort): RouteConfigView[] {
  if (routes === undefined) return [];
  const about = (host: string) => ({ host, ports: { [number]: "http" }, revision });
  const redirecting = [...(routes.redirects ?? [])].filter(([, isRedirected]) => isRedirected);
  return [
    ...redirecting.map(([host]) => ({
      ...about(host),
      name: `gateway:${number}/${host}|https`,
      routes: [{ rule: "https redirect", revision, targets: [], config: { redirect: { scheme: "https", code: 301 } } }],
    })),
    ...[...routes.hosts].map(([host, table]) => ({
      ...about(host),
      name: `gateway:${number}/${host}`,
      routes: table.routes.map(gatewayRouteView),
    })),
  ];
}

function gatewayRouteView({ rule, config, entry, port, whole }: GatewayRoute): RouteView {
  if (whole !== undefined) return routeView(whole);
  const servicePort = (entry?.snapshot && portOf(entry.snapshot, port)) ?? port ?? 0;
  const targets = entry && [{ cluster: `${entry.name}.${entry.namespace}`, port: servicePort, weight: 100 }];
  return { rule, revision: config.revision, targets: targets ?? [], config: whatIsSet(config) as object };
}
