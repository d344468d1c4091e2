import type { ServiceSnapshot } from "../mesh/service-snapshot.ts";
import type { ServiceRoute } from "../route/service-route.ts";

/** The routes of one service, or of one host at a gateway's port, as this proxy's requests meet them, in their order. */
export interface RouteConfigView {
  /** `<service>.<namespace>`, or `gateway:<port>/<host>`. */
  readonly name: string;
  readonly host: string;
  /** Service port to protocol. */
  readonly ports: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly routes: readonly RouteView[];
}

export interface RouteView {
  /** `<kind>/<namespace>/<name>`, or "default". */
  readonly rule: string;
  readonly revision: number;
  readonly targets: readonly RouteTargetView[];
  /** The route as it was told, without what is not set in it. */
  readonly config: object;
}

export interface RouteTargetView {
  readonly cluster: string;
  /** 0: the port that was called. */
  readonly port: number;
  readonly weight: number;
}

export function routeConfigView(snapshot: ServiceSnapshot): RouteConfigView {
  return {
    name: `${snapshot.name}.${snapshot.namespace}`,
    host: snapshot.host,
    ports: Object.fromEntries(snapshot.ports),
    revision: snapshot.config.revision,
    routes: snapshot.routes.routes.map(routeView),
  };
}

export function routeView({ rule, config, targets }: ServiceRoute): RouteView {
  return {
    rule,
    revision: config.revision,
    targets: targets.values.map(({ value, weight }) => ({ cluster: value.cluster.name, port: value.port, weight })),
    config: whatIsSet(config) as object,
  };
}

/** A message without its defaults, as plain data. */
export function whatIsSet(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(whatIsSet);
  if (typeof value !== "object" || value === null) return value;
  const set = Object.entries(value).flatMap(([name, each]) => (isEmpty(each) ? [] : [[name, whatIsSet(each)]]));
  return Object.fromEntries(set);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
