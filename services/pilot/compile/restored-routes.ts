import {
  type DestinationInput,
  GatewayConfig,
  type GatewayRouteInput,
  type Route,
  type RouteInput,
  type ServiceConfig,
  tableKey,
} from "../../../shared/wire/index.ts";
import { kindOfRule } from "./concern.ts";
import { placeOf } from "./places.ts";

/**
 * What of VirtualServices was in force when an earlier leader wrote the tables. A rule's newest revision may wait, and the one in
 * force may be known from nowhere else: then its routes go on as they were written.
 */
export interface RestoredRules {
  /** In force. */
  readonly revision: number;
  readonly routes: FrozenRoutes;
}

/** A destination as it was written. */
export interface RestoredSubset {
  /** The resource whose text names it. */
  readonly owner: string;
  /** "": callers of no namespace in particular. */
  readonly callerNamespace: string;
  /** Key in table `service`. */
  readonly service: string;
  readonly subset: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface ServiceRoutes {
  readonly host: string;
  base: RouteInput[];
  readonly views: Map<string, RouteInput[]>;
}

/** A gateway's route of a known rule. */
type WholeRoute = GatewayRouteInput & { readonly route: RouteInput };

/** The routes of one rule, and those that were delegated to it, as they were compiled. */
export class FrozenRoutes {
  readonly #rule: string;
  readonly #services = new Map<string, ServiceRoutes>();
  /** By key in table `gateway`. */
  readonly #gateways = new Map<string, WholeRoute[]>();

  constructor(rule: string) {
    this.#rule = rule;
  }

  /** Keys of the services and gateways to which it was bound itself, not by what delegates to it. */
  get boundTo(): { readonly services: readonly string[]; readonly gateways: readonly string[] } {
    const isOwn = ({ rule }: Pick<RouteInput, "rule">): boolean => rule === this.#rule;
    const services = [...this.#services].filter(([, { base, views }]) => [base, ...views.values()].flat().some(isOwn));
    const gateways = [...this.#gateways].filter(([, routes]) => routes.some(isOwn));
    return { services: services.map(([key]) => key), gateways: gateways.map(([key]) => key) };
  }

  /** Who saw it. */
  get exportTo(): readonly string[] {
    const all = [...this.#services.values()];
    if (this.#gateways.size > 0 || all.some(({ base }) => base.length > 0)) return ["*"];
    const seeing = all.flatMap(({ views }) => [...views].filter(([, routes]) => routes.length > 0));
    return [...new Set(seeing.map(([namespace]) => namespace))].sort();
  }

  /** Whether it was in force for callers of a namespace to the service with this key. */
  isFor(key: string, callerNamespace: string | undefined): boolean {
    return this.ofService(key, callerNamespace).some(({ rule }) => rule === this.#rule);
  }

  /** The host of a service that it has routes for. */
  hostOf(key: string): string | undefined {
    return this.#services.get(key)?.host;
  }

  /** Those of callers in a namespace to the service with this key. */
  ofService(key: string, callerNamespace: string | undefined): readonly RouteInput[] {
    const routes = this.#services.get(key);
    return routes?.views.get(callerNamespace ?? "") ?? routes?.base ?? [];
  }

  /** Those that were delegated to it by a rule, at the gateways of a namespace. */
  delegatedAt(namespace: string, by: string): readonly RouteInput[] {
    const routes = new Map<string, RouteInput>();
    for (const [key, known] of this.#gateways) {
      if (placeOf(key).namespace !== namespace) continue;
      for (const { rule, route } of known) if (rule === by) routes.set(JSON.stringify(route), route);
    }
    return [...routes.values()];
  }

  /** Its own at the gateway with this key. */
  atGateway(key: string): readonly WholeRoute[] {
    return (this.#gateways.get(key) ?? []).filter(({ rule }) => rule === this.#rule);
  }

  /** Keys of the services that it has routes for. */
  services(): Iterable<string> {
    return this.#services.keys();
  }

  /** Namespaces whose callers it has routes for of their own. */
  namespaces(key: string): Iterable<string> {
    return this.#services.get(key)?.views.keys() ?? [];
  }

  /** Everywhere that any of them sends to. */
  *destinations(): Generator<DestinationInput> {
    const views = [...this.#services.values()].flatMap(({ base, views }) => [base, ...views.values()]);
    const whole = [...this.#gateways.values()].flat().map(({ route }) => route);
    for (const route of [...views.flat(), ...whole]) {
      for (const { destination } of [...(route.destinations ?? []), ...(route.mirrors ?? [])])
        if (destination) yield destination;
    }
  }

  /** `routes` may be none: then callers of these namespaces had other rules. */
  addToService(
    { key, host }: { readonly key: string; readonly host: string },
    namespaces: readonly string[],
    routes: readonly RouteInput[],
  ): void {
    const known = this.#services.get(key) ?? { host, base: [], views: new Map<string, RouteInput[]>() };
    this.#services.set(key, known);
    if (namespaces.length === 0) known.base = [...routes];
    for (const namespace of namespaces) known.views.set(namespace, [...routes]);
  }

  addToGateway(key: string, route: WholeRoute): void {
    this.#gateways.set(key, [...(this.#gateways.get(key) ?? []), route]);
  }
}

/** Reads compiled values back, rule by rule. */
export class RestoredRoutes {
  readonly #rules = new Map<string, { revision: number; readonly routes: FrozenRoutes }>();
  readonly #onSubset: (subset: RestoredSubset) => void;

  constructor(onSubset: (subset: RestoredSubset) => void) {
    this.#onSubset = onSubset;
  }

  restoreService(key: string, config: ServiceConfig): void {
    const service = { key, host: config.host };
    const general = this.#restore(service, [], config.routes);
    for (const { namespaces, routes } of config.views) {
      const own = this.#restore(service, namespaces, routes);
      for (const frozen of general) if (!own.has(frozen)) frozen.addToService(service, namespaces, []);
    }
  }

  restoreGateway(value: Uint8Array): void {
    const { namespace, name, routes } = GatewayConfig.decode(value);
    for (const { route, ...where } of routes) {
      if (!isOurs(route)) continue;
      for (const frozen of this.#of(route))
        frozen.addToGateway(tableKey(namespace, name), { ...where, route: bare(route) });
      this.#noteSubsets(route, [namespace]);
    }
  }

  /** Rules that were in force and have not been taken. */
  rules(): Iterable<string> {
    return this.#rules.keys();
  }

  take(rule: string): RestoredRules | undefined {
    const restored = this.#rules.get(rule);
    this.#rules.delete(rule);
    return restored;
  }

  /** Returns those that have a say. */
  #restore(
    service: { readonly key: string; readonly host: string },
    namespaces: readonly string[],
    routes: readonly Route[],
  ): Set<FrozenRoutes> {
    const found = new Map<FrozenRoutes, RouteInput[]>();
    for (const route of routes) {
      if (!isOurs(route)) continue;
      for (const frozen of this.#of(route)) {
        const known = found.get(frozen) ?? [];
        known.push(bare(route));
        found.set(frozen, known);
      }
      this.#noteSubsets(route, namespaces);
    }
    for (const [frozen, known] of found) frozen.addToService(service, namespaces, known);
    return new Set(found.keys());
  }

  /** What is delegated belongs to both: neither may be known from anywhere else. */
  #of({ rule, revision, delegate, delegateRevision }: Route): FrozenRoutes[] {
    const own = this.#ensure(rule, revision);
    return delegate === "" ? [own] : [own, this.#ensure(delegate, delegateRevision)];
  }

  #ensure(rule: string, revision: number): FrozenRoutes {
    const known = this.#rules.get(rule);
    if (known !== undefined) {
      known.revision = Math.max(known.revision, revision);
      return known.routes;
    }
    const routes = new FrozenRoutes(rule);
    this.#rules.set(rule, { revision, routes });
    return routes;
  }

  #noteSubsets(route: Route, namespaces: readonly string[]): void {
    for (const { destination } of [...route.destinations, ...route.mirrors]) {
      if (!destination || destination.subset === "") continue;
      const { namespace, service, subset, labels } = destination;
      for (const callerNamespace of namespaces.length === 0 ? [""] : namespaces) {
        const owner = route.delegate || route.rule;
        this.#onSubset({ owner, callerNamespace, service: tableKey(namespace, service), subset, labels });
      }
    }
  }
}

function isOurs(route: Route | null | undefined): route is Route {
  return route !== null && route !== undefined && kindOfRule(route.rule) === "virtualservice";
}

/** Without what does not come from the rule itself. */
function bare(route: Route): RouteInput {
  return { ...route, hashPolicies: [] };
}
