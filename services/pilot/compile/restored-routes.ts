import {
  type DestinationInput,
  GatewayConfig,
  type Route,
  type RouteInput,
  type ServiceConfig,
  tableKey,
} from "../../../shared/wire/index.ts";
import { kindOfRule } from "./concern.ts";

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
  base: RouteInput[];
  readonly views: Map<string, RouteInput[]>;
}

/** The routes of one rule as they were compiled. */
export class FrozenRoutes {
  readonly #services = new Map<string, ServiceRoutes>();
  /** By the namespace of the gateway. */
  readonly #gateways = new Map<string, RouteInput[]>();

  /** Those of callers in a namespace to the service with this key. */
  ofService(key: string, callerNamespace: string | undefined): readonly RouteInput[] {
    const routes = this.#services.get(key);
    return routes?.views.get(callerNamespace ?? "") ?? routes?.base ?? [];
  }

  ofGateway(namespace: string): readonly RouteInput[] {
    return this.#gateways.get(namespace) ?? [];
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
    for (const route of [...views, ...this.#gateways.values()].flat()) {
      for (const { destination } of [...(route.destinations ?? []), ...(route.mirrors ?? [])])
        if (destination) yield destination;
    }
  }

  addToService(key: string, namespaces: readonly string[], routes: readonly RouteInput[]): void {
    const known = this.#services.get(key) ?? { base: [], views: new Map<string, RouteInput[]>() };
    this.#services.set(key, known);
    if (namespaces.length === 0) known.base = [...routes];
    for (const namespace of namespaces) known.views.set(namespace, [...routes]);
  }

  addToGateway(namespace: string, route: RouteInput): void {
    const routes = this.#gateways.get(namespace) ?? [];
    const text = JSON.stringify(route);
    if (!routes.some((known) => JSON.stringify(known) === text)) routes.push(route);
    this.#gateways.set(namespace, routes);
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
    this.#restore(key, [], config.routes);
    for (const { namespaces, routes } of config.views) this.#restore(key, namespaces, routes);
  }

  restoreGateway(value: Uint8Array): void {
    const { namespace, routes } = GatewayConfig.decode(value);
    for (const { route } of routes) {
      if (!isOurs(route)) continue;
      for (const frozen of this.#of(route)) frozen.addToGateway(namespace, bare(route));
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

  #restore(key: string, namespaces: readonly string[], routes: readonly Route[]): void {
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
    for (const [frozen, known] of found) frozen.addToService(key, namespaces, known);
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
    const routes = new FrozenRoutes();
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
