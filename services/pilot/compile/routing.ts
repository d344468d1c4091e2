import { formatKey, keyOf, type MeshConfigSpec, type ParsedResource } from "../../../shared/model/index.ts";
import type { RouteInput, RouteViewInput, ServiceConfig, TrafficPolicyInput } from "../../../shared/wire/index.ts";
import { type Affected, affected, merged } from "./affected.ts";
import type { Concern, Oddity } from "./concern.ts";
import { DestinationPolicies } from "./destination-policies.ts";
import { DestinationRuleConcern } from "./destination-rule-concern.ts";
import { DestinationRules } from "./destination-rules.ts";
import type { BoundRoutes, FrozenAtGateway } from "./gateway-routes.ts";
import type { MeshDefaults } from "./mesh-defaults.ts";
import { RouteRules } from "./route-rules.ts";
import type { ServiceHosts } from "./service-hosts.ts";
import { compilePolicies } from "./service-policies.ts";
import { ServiceRouteCompiler } from "./service-routes.ts";
import type { KnownService, ServiceCatalog } from "./services.ts";
import { SubsetMemory } from "./subset-memory.ts";
import { virtualServiceOf } from "./virtual-service.ts";
import type { VirtualServiceIndex } from "./virtual-service-index.ts";
import { RouteBuilder } from "./virtual-service-routes.ts";
import { type FindRevision, VirtualServices } from "./virtual-services.ts";

/** What one service's routes and policies are. */
export interface ServiceRouting {
  readonly routes: readonly RouteInput[];
  readonly views: readonly RouteViewInput[];
  readonly policies: readonly TrafficPolicyInput[];
  /** Keys in table `service` of all that the routes lead to. */
  readonly targets: readonly string[];
  /** The newest revision of what is in it. */
  readonly revision: number;
}

/** Routes and policies in both dialects: the concerns that keep their resources, and what these say together. */
export class Routing {
  readonly concerns: readonly Concern[];
  readonly inForce: VirtualServiceIndex;
  readonly #mesh: MeshDefaults = { spec: undefined };
  readonly #routeRules: RouteRules;
  readonly #policies: DestinationPolicies;
  readonly #virtualServices: VirtualServices;
  readonly #destinationRules: DestinationRuleConcern;
  readonly #builder: RouteBuilder;
  readonly #routes: ServiceRouteCompiler;

  constructor(services: ServiceCatalog, hosts: ServiceHosts, findRevision: FindRevision) {
    const memory = new SubsetMemory();
    const rules = new DestinationRules();
    const mesh = this.#mesh;
    const routeRules = new RouteRules(services);
    const virtualServices = new VirtualServices({
      services,
      hosts,
      rules,
      memory,
      findRevision,
      defaultExportTo: () => mesh.spec?.defaultVirtualServiceExportTo,
    });
    const { inForce } = virtualServices;
    this.inForce = inForce;
    this.#routeRules = routeRules;
    this.#policies = new DestinationPolicies(services);
    this.#virtualServices = virtualServices;
    this.#destinationRules = new DestinationRuleConcern({ services, hosts, rules, mesh, virtualServices, routeRules });
    const builder = new RouteBuilder({ services, rules, memory, mesh, inForce });
    this.#builder = builder;
    this.#routes = new ServiceRouteCompiler({ services, rules, routeRules, inForce, builder });
    this.concerns = [routeRules, this.#policies, virtualServices, this.#destinationRules];
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#routeRules.restoreService(key, config.routes);
    this.#virtualServices.restored.restoreService(key, config);
  }

  /** The same for a value of table `gateway`. */
  restoreGateway(value: Uint8Array): void {
    this.#virtualServices.restored.restoreGateway(value);
  }

  compile(service: KnownService): ServiceRouting {
    const { routes, views, targets, revision } = this.#routes.compile(service);
    const { rules } = this.#destinationRules;
    const policies = compilePolicies(service, rules, this.#policies.policiesFor(service.host), this.#mesh);
    const ofPolicies = Math.max(this.#policies.revisionFor(service.host), rules.revisionFor(service));
    return { routes, views, policies, targets, revision: Math.max(revision, ofPolicies) };
  }

  /** Keys in table `service` of all that a service may send to, whoever calls it. */
  possibleTargets(service: KnownService): Iterable<string> {
    return this.#routes.possibleTargets(service);
  }

  /** The VirtualServices that are bound to a Gateway (`<namespace>/<name>`). */
  *boundTo(gateway: string): Generator<BoundRoutes> {
    for (const active of this.inForce.boundTo(gateway)) {
      const { rule, created, revision, namespace, exportTo, spec } = active;
      const hosts = spec.hosts.map(({ host }) => host);
      const routesFor = (name: string, callers: string) => {
        const routes = this.#builder.routes(active, { gateway: name, namespace: callers, service: undefined });
        return this.#routes.withHashPolicies(routes, callers);
      };
      yield { rule, created, revision, namespace, hosts, exportTo, routesFor };
    }
  }

  /** What goes on as it was compiled at the gateway with this key, whose workloads are of this namespace. */
  *frozenAt(gateway: string, namespace: string): Generator<FrozenAtGateway> {
    for (const { rule, created, frozen } of this.inForce.frozenAt(gateway)) {
      const routes = (frozen?.atGateway(gateway) ?? []).map((listed) => {
        const [route = listed.route] = this.#routes.withHashPolicies([listed.route], namespace);
        return { ...listed, route };
      });
      yield { rule, created, routes };
    }
  }

  /** Something about the service of a host changed; `shape`: it came, went or changed its ports. */
  serviceChanged(key: string, host: string, shape: boolean): Affected {
    return merged(
      affected({ services: shape ? [key, ...this.#routeRules.dependents(key)] : [] }),
      this.#routeRules.hostChanged(host, shape),
      this.#virtualServices.hostChanged(host, shape),
    );
  }

  /** The mesh says other things about what leaves them open; all services are affected too. */
  meshChanged(spec: MeshConfigSpec | undefined): Affected {
    this.#mesh.spec = spec;
    this.#destinationRules.defaultsChanged();
    return this.#virtualServices.defaultsChanged();
  }

  /** What a VirtualService in force says that has no effect, and why. */
  notes(rule: string): readonly string[] {
    const active = this.inForce.get(rule);
    return active === undefined || active.frozen ? [] : this.#builder.expansion(active).notes;
  }

  /** What is odd about a resource beside those that are there, if it was put now. */
  odditiesOf(resource: ParsedResource): Oddity[] {
    const rule = formatKey(keyOf(resource.resource));
    const given = virtualServiceOf(resource, this.#mesh.spec?.defaultVirtualServiceExportTo);
    const isInForce = given !== undefined && this.wouldWait(resource) === undefined;
    const notes = isInForce ? this.#builder.expansion(given).notes : [];
    return [
      ...notes.map((reason) => ({ reason, remedy: "change the match or the delegate" })),
      ...this.#destinationRules.odditiesOf(rule, resource),
    ];
  }

  /** Why the newest revision of a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#routeRules.pendingReason(rule) ?? this.#virtualServices.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(resource: ParsedResource): string | undefined {
    return this.#routeRules.wouldWait(resource) ?? this.#virtualServices.wouldWait(resource);
  }

  get pendingCount(): number {
    return this.#routeRules.pendingCount + this.#virtualServices.pendingCount;
  }

  /** Names of all resources that are in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return [...this.#routeRules.activeRules(), ...this.#virtualServices.activeRules()];
  }
}
