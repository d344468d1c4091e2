import { formatKey, keyOf, type ParsedResource, revisionOf } from "../../../shared/model/index.ts";
import {
  GatewayConfig,
  type Input,
  type RequirementInput,
  type RouteInput,
  ServiceConfig,
} from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import { type Concern, kindOfRule } from "./concern.ts";
import { DestinationPolicies } from "./destination-policies.ts";
import { DestinationRuleConcern } from "./destination-rule-concern.ts";
import { DestinationRules } from "./destination-rules.ts";
import { INGRESS_GATEWAY_KEY, IngressRules } from "./ingress-rules.ts";
import { MeshDefaults } from "./mesh-defaults.ts";
import { placeOf } from "./places.ts";
import { Revisions } from "./revisions.ts";
import { RouteRules } from "./route-rules.ts";
import { compilePolicies } from "./service-policies.ts";
import { ServiceRouteCompiler } from "./service-routes.ts";
import { hostOfKey, type RegisteredServices, registeredSource, ServiceCatalog } from "./services.ts";
import { SubsetMemory } from "./subset-memory.ts";
import type { VirtualService } from "./virtual-service.ts";
import { RouteBuilder } from "./virtual-service-routes.ts";
import { type FindRevision, VirtualServices } from "./virtual-services.ts";

/**
 * User configuration and registry in, one neutral ServiceConfig per service out. It knows neither bus nor time: the
 * same resources and registrations give the same bytes on every replica, so a new leader rewrites nothing.
 *
 * It is incremental: every change answers with the keys that it affects, found by index, and only those are compiled
 * again. Each matter is a concern of its own, which keeps the resources of its kinds; what they say about one service is
 * put together here. What a caller is (its labels) is not decided here but by the proxy, once per snapshot, from the
 * source selectors that travel in the routes: so the work does not grow with the number of proxies.
 *
 * `requires` is left out here: it names positions in tables, which only the broadcaster knows.
 */
export type ServiceBody = Omit<Input<typeof ServiceConfig>, "requires"> & {
  /** Keys in table `service` of all that it sends to, itself included. */
  readonly targets: readonly string[];
};

/** A value of a table beside `service`. */
export interface CompiledValue {
  /** Keys in table `service` that a follower has to hold first. */
  readonly targets: readonly string[];
  /** Two values of one shape may have the same requirements. */
  readonly shape: string;
  encode(requires: readonly RequirementInput[]): Uint8Array;
}

/** Tables whose values are compiled, beside `service`; in the order in which they are written. */
export const COMPILED_TABLES = ["hosts", "gateway", "workload"] as const;
export type CompiledTableName = (typeof COMPILED_TABLES)[number];

export interface CompilerOptions {
  /** Finds an earlier revision of a resource; default: none is kept. */
  readonly findRevision?: FindRevision;
}

export class Compiler {
  readonly services: ServiceCatalog;
  readonly virtualServices: VirtualServices;
  readonly destinationRules: DestinationRuleConcern;
  readonly mesh = new MeshDefaults();
  readonly #routeRules: RouteRules;
  readonly #policies: DestinationPolicies;
  readonly #ingress: IngressRules;
  readonly #routes: ServiceRouteCompiler;
  readonly #builder: RouteBuilder;
  readonly #concerns = new Map<string, Concern[]>();
  readonly #revisions = new Revisions();

  constructor(registry: RegisteredServices, options: CompilerOptions = {}) {
    const services = new ServiceCatalog(registeredSource(registry));
    const memory = new SubsetMemory();
    const rules = new DestinationRules();
    this.services = services;
    this.virtualServices = new VirtualServices({
      services,
      rules,
      memory,
      findRevision: options.findRevision ?? (() => undefined),
      defaultExportTo: () => this.mesh.spec?.defaultVirtualServiceExportTo,
    });
    const { inForce } = this.virtualServices;
    // Last: whoever else knows a host knows more of it.
    services.add(inForce.source);
    this.#routeRules = new RouteRules(services);
    this.#policies = new DestinationPolicies(services);
    this.#ingress = new IngressRules(services);
    this.destinationRules = new DestinationRuleConcern({
      services,
      rules,
      mesh: this.mesh,
      virtualServices: this.virtualServices,
      routeRules: this.#routeRules,
    });
    this.#builder = new RouteBuilder({ services, rules, memory, mesh: this.mesh, inForce });
    this.#routes = new ServiceRouteCompiler({
      services,
      rules,
      routeRules: this.#routeRules,
      inForce,
      builder: this.#builder,
    });
    for (const concern of [
      this.#routeRules,
      this.#policies,
      this.#ingress,
      this.virtualServices,
      this.destinationRules,
    ])
      this.#join(concern);
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#revisions.restore(`service ${key}`, serviceShape(config), config.revision);
    this.#routeRules.restoreService(key, config.routes);
    this.virtualServices.restored.restoreService(key, config);
  }

  restoreGateway(key: string, config: GatewayConfig): void {
    this.#revisions.restore(`gateway ${key}`, gatewayShape(config), config.revision);
    this.virtualServices.restored.restoreGateway(config);
  }

  /** A new or changed resource of any kind. */
  put(resource: ParsedResource): Affected {
    const rule = formatKey(keyOf(resource.resource));
    const revision = revisionOf(resource.resource);
    const results = this.#concernsOf(rule).map((concern) => concern.put(rule, revision, resource));
    if (this.mesh.put(rule, resource)) results.push(this.#defaultsChanged());
    return this.#noted(merged(NOTHING, ...results), revision);
  }

  /** A resource is gone; `rule` is `<kind>/<namespace>/<name>`, `revision` that of its deletion. */
  remove(rule: string, revision: number): Affected {
    const results = this.#concernsOf(rule).map((concern) => concern.remove(rule, revision));
    if (this.mesh.remove(rule)) results.push(this.#defaultsChanged());
    return this.#noted(merged(NOTHING, ...results), revision);
  }

  /** A service came, went or changed (`shape`), or only its instances did. */
  serviceChanged(key: string, shape: boolean): Affected {
    const host = hostOfKey(key, this.services);
    return this.#noted(
      merged(
        affected({ services: shape ? [key, ...this.#routeRules.dependents(key)] : [] }),
        shape ? this.#ingress.hostChanged(host) : NOTHING,
        this.#routeRules.hostChanged(host),
        this.virtualServices.hostChanged(host, shape),
      ),
      0,
    );
  }

  /** Undefined when nobody knows the service. `shards` is what it announces. */
  compileService(key: string, shards: number): ServiceBody | undefined {
    const service = this.services.service(key);
    if (service === undefined) return undefined;
    const { namespace, name, host } = service;
    const { routes, views, targets, revision } = this.#routes.compile(service);
    const legacy = this.#policies.policiesFor(host);
    const body = {
      namespace,
      name,
      host,
      ports: service.ports.map(({ number, protocol }) => ({ number, protocol })),
      serviceAccounts: [...service.principals],
      endpointShards: service.bodiless ? 0 : shards,
      routes: [...routes],
      ...(views.length > 0 && { views: [...views] }),
      policies: compilePolicies(service, this.destinationRules.rules, legacy, this.mesh),
      ...(service.passthrough && { passthrough: true }),
    };
    const id = `service ${key}`;
    this.#revisions.touch(
      id,
      Math.max(revision, this.#policies.revisionFor(host), this.destinationRules.revisionFor(service)),
    );
    return {
      ...body,
      revision: this.#revisions.settle(id, serviceShape(body)),
      targets: [...new Set([key, ...targets])].filter((target) => this.services.has(target)).sort(),
    };
  }

  /** Keys in table `service` of all that a service may send to, whoever calls it. */
  targetsOf(key: string): Iterable<string> {
    const service = this.services.service(key);
    return service === undefined ? [] : this.#routes.possibleTargets(service);
  }

  /** Routes of a VirtualService in force for a Gateway (`<namespace>/<name>`), as workloads of a namespace see them. */
  gatewayRoutes(active: VirtualService, gateway: string, namespace: string): RouteInput[] {
    const routes = this.#builder.routes(active, { gateway, namespace, service: undefined });
    return this.#routes.withHashPolicies(routes, namespace);
  }

  /** What a VirtualService in force says that has no effect, and why. */
  notes(rule: string): readonly string[] {
    const active = this.virtualServices.inForce.get(rule);
    return active === undefined || active.frozen ? [] : this.#builder.expansion(active).notes;
  }

  /** Undefined when there is to be no such key. */
  compile(table: CompiledTableName, key: string): CompiledValue | undefined {
    return table === "gateway" && key === INGRESS_GATEWAY_KEY ? this.#compileGateway(key) : undefined;
  }

  /** All keys that there are to be in a table. */
  keys(table: CompiledTableName): Iterable<string> {
    return table === "gateway" ? [INGRESS_GATEWAY_KEY] : [];
  }

  /** All keys of all tables beside `service`. */
  allKeys(): Affected {
    return affected({
      hosts: [...this.keys("hosts")],
      gateways: [...this.keys("gateway")],
      workloads: [...this.keys("workload")],
    });
  }

  /** The revision of a compiled value as it is now; 0 when there is none. */
  revisionOf(table: CompiledTableName | "service", key: string): number {
    return this.#revisions.current(`${table} ${key}`);
  }

  /** Where a resource is compiled into now. */
  touchedBy(rule: string): Affected {
    return merged(NOTHING, ...this.#concernsOf(rule).map((concern) => concern.touchedBy(rule)));
  }

  /** Why the newest revision of a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#routeRules.pendingReason(rule) ?? this.virtualServices.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(resource: ParsedResource): string | undefined {
    return this.#routeRules.wouldWait(resource) ?? this.virtualServices.wouldWait(resource);
  }

  get pendingCount(): number {
    return this.#routeRules.pendingCount + this.virtualServices.pendingCount;
  }

  /** Names of all resources that are in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return [...this.#routeRules.activeRules(), ...this.virtualServices.activeRules()];
  }

  /** A service is gone. */
  forget(service: string): void {
    this.#revisions.forget(`service ${service}`);
  }

  /** All ingress rules whose destination is known, in the order in which they are tried. */
  #compileGateway(key: string): CompiledValue {
    const { namespace, service: name } = placeOf(key);
    const found = this.#ingress.routes();
    const routes = found.map(({ route }) => route);
    const shape = gatewayShape({ routes });
    const revision = this.#revisions.settle(`gateway ${key}`, shape);
    return {
      targets: [...new Set(found.map(({ target }) => target))].sort(),
      shape,
      encode: (requires) => GatewayConfig.encode({ namespace, name, routes, requires: [...requires], revision }),
    };
  }

  /** The mesh says other things: whatever leaves them open is compiled anew. */
  #defaultsChanged(): Affected {
    return merged(
      this.destinationRules.defaultsChanged(),
      this.virtualServices.defaultsChanged(),
      affected({ services: [...this.services.services()].map(({ key }) => key) }),
      this.allKeys(),
    );
  }

  #join(concern: Concern): void {
    for (const kind of concern.kinds) this.#concerns.set(kind, [...(this.#concerns.get(kind) ?? []), concern]);
  }

  #concernsOf(rule: string): readonly Concern[] {
    return this.#concerns.get(kindOfRule(rule)) ?? [];
  }

  #noted(result: Affected, revision: number): Affected {
    this.#touchAll(result, revision);
    for (const item of result.activated ?? []) this.#touchAll(item.affected, item.revision);
    return result;
  }

  #touchAll({ services, gateways, hosts, workloads }: Affected, revision: number): void {
    for (const key of services) this.#revisions.touch(`service ${key}`, revision);
    for (const key of gateways) this.#revisions.touch(`gateway ${key}`, revision);
    for (const key of hosts) this.#revisions.touch(`hosts ${key}`, revision);
    for (const key of workloads) this.#revisions.touch(`workload ${key}`, revision);
  }
}

/** All that a value says to those who follow it, beside its revision and what it requires. */
function serviceShape(config: Input<typeof ServiceConfig>): string {
  return Buffer.from(ServiceConfig.encode({ ...config, revision: 0, requires: [] })).toString("base64");
}

/** Two values of one shape lead to the same services. */
export function gatewayShape({
  routes = [],
  servers = [],
}: Pick<Input<typeof GatewayConfig>, "routes" | "servers">): string {
  return Buffer.from(GatewayConfig.encode({ routes, servers })).toString("base64");
}
