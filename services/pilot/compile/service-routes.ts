import { MESH_GATEWAY } from "../../../shared/model/index.ts";
import type { HashPolicyInput, RouteInput, RouteViewInput } from "../../../shared/wire/index.ts";
import type { ChosenRules, DestinationRules } from "./destination-rules.ts";
import { placeOf, targetKey, targetKeys } from "./places.ts";
import type { RouteRules } from "./route-rules.ts";
import { hashPolicies } from "./service-policies.ts";
import { hostOfKey, type KnownService, type ServiceCatalog } from "./services.ts";
import { defaultRoute } from "./translation.ts";
import { delegatesOf, destinationsOf, type VirtualService } from "./virtual-service.ts";
import type { VirtualServiceIndex } from "./virtual-service-index.ts";
import type { RouteBuilder } from "./virtual-service-routes.ts";
import { isVisible, treatedApart } from "./visibility.ts";

/**
 * The routes of one service, for all who call it.
 *
 * For callers of one namespace exactly one VirtualService is in force, or none. Where one is, its routes are all there are: what
 * none of them fits is answered 404, as Istio has it. Where none is, the RouteRules of the older dialect are tried and end with
 * the route to all instances.
 *
 * Callers of namespaces that some rule speaks of, and that get other routes than the rest, have a view of their own.
 */
export interface ServiceRoutes {
  readonly routes: readonly RouteInput[];
  readonly views: readonly RouteViewInput[];
  /** Keys in table `service` of all that the routes lead to, sorted. */
  readonly targets: readonly string[];
  /** The newest revision of what is in force. */
  readonly revision: number;
}

export interface ServiceRoutesOptions {
  readonly services: ServiceCatalog;
  readonly rules: DestinationRules;
  readonly routeRules: RouteRules;
  readonly inForce: VirtualServiceIndex;
  readonly builder: RouteBuilder;
}

export class ServiceRouteCompiler {
  readonly #options: ServiceRoutesOptions;

  constructor(options: ServiceRoutesOptions) {
    this.#options = options;
  }

  compile(service: KnownService): ServiceRoutes {
    const candidates = this.#options.inForce.forService(service);
    const base = this.#routesFor(service, candidates, undefined);
    const groups = new Map<string, { namespaces: string[]; routes: RouteInput[] }>();
    const baseText = JSON.stringify(base);
    for (const namespace of treatedApart(this.#namespaces(service, candidates))) {
      const routes = this.#routesFor(service, candidates, namespace);
      const text = JSON.stringify(routes);
      if (text === baseText) continue;
      const group = groups.get(text) ?? { namespaces: [], routes };
      group.namespaces.push(namespace);
      groups.set(text, group);
    }
    const views = [...groups.values()];
    const all = [base, ...views.map(({ routes }) => routes)].flat();
    return {
      routes: base,
      views,
      targets: [...new Set(all.flatMap(targetKeys))].sort(),
      revision: all.reduce((newest, route) => Math.max(newest, route.revision ?? 0, route.delegateRevision ?? 0), 0),
    };
  }

  #routesFor(
    service: KnownService,
    candidates: readonly VirtualService[],
    namespace: string | undefined,
  ): RouteInput[] {
    const inForce = candidates.find(({ exportTo, frozen }) =>
      frozen === undefined ? isVisible(exportTo, namespace) : frozen.isFor(service.key, namespace),
    );
    const routes =
      inForce === undefined
        ? this.#legacyRoutes(service)
        : this.#options.builder.routes(inForce, { gateway: MESH_GATEWAY, namespace, service: service.key });
    return this.withHashPolicies(routes, namespace);
  }

  #legacyRoutes({ key, namespace, name }: KnownService): RouteInput[] {
    return [...this.#options.routeRules.rulesFor(key).map(({ route }) => route), defaultRoute(namespace, name)];
  }

  /** What requests are hashed by is said about the destination, and done by the route. */
  withHashPolicies(routes: readonly RouteInput[], callerNamespace: string | undefined): RouteInput[] {
    const known = new Map<string, ChosenRules>();
    return routes.map((route) => {
      const found = new Map<string, HashPolicyInput>();
      for (const { destination, port } of route.destinations ?? []) {
        const key = targetKey(destination);
        const chosen = known.get(key) ?? this.#chosenFor(key, callerNamespace);
        known.set(key, chosen);
        for (const policy of hashPolicies(chosen, destination?.labels ?? {}, port ?? 0))
          found.set(JSON.stringify(policy), policy);
      }
      return found.size === 0 ? route : { ...route, hashPolicies: [...found.values()] };
    });
  }

  #chosenFor(key: string, callerNamespace: string | undefined): ChosenRules {
    return this.#options.rules.chosenBy(callerNamespace, this.#about(key));
  }

  /** Keys in table `service` of all that it may send to, whoever calls. */
  possibleTargets(service: KnownService): Set<string> {
    return this.#targetsOf(service, this.#options.inForce.forService(service));
  }

  #targetsOf({ key }: KnownService, candidates: readonly VirtualService[]): Set<string> {
    const targets = new Set([key]);
    for (const rule of this.#options.routeRules.rulesFor(key)) for (const target of rule.targets) targets.add(target);
    for (const owner of candidates.flatMap((candidate) => this.#ownersOf(candidate))) {
      for (const destination of owner.frozen?.destinations() ?? []) targets.add(targetKey(destination));
      if (owner.frozen === undefined)
        for (const { host } of destinationsOf(owner)) {
          const target = this.#options.services.resolve(host, owner.namespace);
          if (target !== undefined) targets.add(target);
        }
    }
    return targets;
  }

  /** Namespaces whose callers may get other routes than the rest. */
  #namespaces(service: KnownService, candidates: readonly VirtualService[]): Set<string> {
    const namespaces = new Set<string>();
    for (const candidate of candidates) {
      for (const name of candidate.exportTo) if (name !== "*" && name !== "~") namespaces.add(name);
      for (const { frozen } of this.#ownersOf(candidate))
        for (const name of frozen?.namespaces(service.key) ?? []) namespaces.add(name);
    }
    for (const target of this.#targetsOf(service, candidates))
      for (const name of this.#options.rules.namespacesOf(this.#about(target))) namespaces.add(name);
    return namespaces;
  }

  /** It and what it delegates to. */
  #ownersOf(candidate: VirtualService): VirtualService[] {
    if (candidate.frozen !== undefined) return [candidate];
    return [candidate, ...delegatesOf(candidate).flatMap((rule) => this.#options.inForce.get(rule) ?? [])];
  }

  #about(key: string): { host: string; namespace: string } {
    return { host: hostOfKey(key, this.#options.services), namespace: placeOf(key).namespace };
  }
}
