import { formatKey, keyOf, type ParsedResource, revisionOf } from "../../../shared/model/index.ts";
import {
  type Destination,
  type EndpointInput,
  type Input,
  type ServiceConfig,
  tableKey,
} from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import { type CompiledTableName, CompiledTables, type CompiledValue, type Restored } from "./compiled-tables.ts";
import { type Concern, kindOfRule } from "./concern.ts";
import { DestinationPolicies } from "./destination-policies.ts";
import { Entries } from "./entries.ts";
import type { RegisteredWorkload } from "./entry-endpoints.ts";
import { Gateways } from "./gateways.ts";
import { HostTables } from "./host-tables.ts";
import { IngressRules } from "./ingress-rules.ts";
import { MeshServices } from "./mesh-services.ts";
import { withOrigination } from "./origination.ts";
import { RouteRules } from "./route-rules.ts";
import { ServiceEntries } from "./service-entries.ts";
import { type KnownService, type RegisteredServices, ServiceCatalog } from "./services.ts";
import { defaultRoute } from "./translation.ts";
import { WorkloadSettings } from "./workload-settings.ts";

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

export class Compiler {
  readonly services: ServiceCatalog;
  readonly #tables: CompiledTables;
  readonly #known: MeshServices;
  readonly #routeRules: RouteRules;
  readonly #policies = new DestinationPolicies();
  readonly #ingress: IngressRules;
  readonly #entries: Entries;
  readonly #concerns = new Map<string, Concern[]>();
  /** The newest revision that touched a service, by key. */
  readonly #revisions = new Map<string, number>();

  constructor(registry: RegisteredServices) {
    const hosts = new HostTables(() => registry.namespaces());
    const configured = new ServiceEntries((namespace) => registeredIn(registry, namespace));
    this.#known = new MeshServices(registry, configured, hosts);
    this.services = new ServiceCatalog(this.#known);
    this.#routeRules = new RouteRules(this.services);
    this.#ingress = new IngressRules(this.services);
    this.#entries = new Entries(configured, hosts, (key, shape) => this.#serviceAffects(key, shape));
    const settings = new WorkloadSettings((mesh) =>
      this.#entries.setDefaultExportTo(mesh?.defaultServiceExportTo ?? ["*"]),
    );
    const gateways = new Gateways(() => []);
    const concerns = [this.#routeRules, this.#policies, this.#ingress, this.#entries, gateways, settings];
    for (const concern of concerns) this.#join(concern);
    this.#tables = new CompiledTables({
      registry,
      services: this.services,
      entries: this.#entries,
      hosts,
      gateways,
      ingress: this.#ingress,
      settings,
    });
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#raise(key, config.revision);
    for (const route of config.routes) {
      // The default route is made anew, not remembered.
      if (!route.rule.includes("/")) continue;
      const targets = [...route.destinations, ...route.mirrors].map((item) => targetKey(item.destination));
      this.#routeRules.restore(route.rule, key, [...new Set(targets)].sort(), route);
    }
  }

  /** The same for a value of another table. */
  restore(table: CompiledTableName, key: string, value: Uint8Array): Restored {
    return this.#tables.restore(table, key, value);
  }

  /** A new or changed resource of any kind. */
  put(resource: ParsedResource): Affected {
    const rule = formatKey(keyOf(resource.resource));
    const revision = revisionOf(resource.resource);
    return this.#noted(
      merged(NOTHING, ...this.#concernsOf(rule).map((concern) => concern.put(rule, revision, resource))),
      revision,
    );
  }

  /** A resource is gone; `rule` is `<kind>/<namespace>/<name>`, `revision` that of its deletion. */
  remove(rule: string, revision: number): Affected {
    const concerns = this.#concernsOf(rule);
    return this.#noted(merged(NOTHING, ...concerns.map((concern) => concern.remove(rule, revision))), revision);
  }

  /** A registered service came, went or changed (`shape`), or only its instances did. */
  serviceChanged(key: string, shape: boolean): Affected {
    return this.#noted(merged(this.#serviceAffects(key, shape), this.#tables.registryChanged(key)), 0);
  }

  /** Undefined when nobody knows the service. `shards` is what it announces. */
  compileService(key: string, shards: number): ServiceBody | undefined {
    const service = this.services.service(key);
    if (service === undefined) return undefined;
    const { namespace, name, host } = service;
    const rules = this.#routeRules.rulesFor(key);
    return {
      namespace,
      name,
      host,
      ports: service.ports.map(({ number, protocol }) => ({ number, protocol })),
      serviceAccounts: [...service.principals],
      endpointShards: hasEndpoints(service) ? shards : 0,
      routes: [...rules.map((rule) => rule.route), defaultRoute(namespace, name)],
      policies: withOrigination(this.#policies.policiesOf(key), service),
      revision: this.#revisionOf(key),
      ...(service.passthrough && { passthrough: true }),
      targets: this.targetsOf(key),
    };
  }

  /** Keys in table `service` of all that a service sends to, as far as they are known. */
  targetsOf(key: string): string[] {
    const targets = this.#routeRules.rulesFor(key).flatMap((rule) => rule.targets);
    return [...new Set([key, ...targets])].filter((target) => this.services.has(target)).sort();
  }

  /** The instances of a service, sorted. */
  endpoints(key: string): readonly EndpointInput[] {
    return this.#known.endpoints(key);
  }

  /** Whether instances of the service are written down for callers. */
  hasEndpoints(key: string): boolean {
    const service = this.services.service(key);
    return service !== undefined && hasEndpoints(service);
  }

  /** A value of a table beside `service`; undefined when there is to be no such key. */
  compile(table: CompiledTableName, key: string): CompiledValue | undefined {
    return this.#tables.compile(table, key);
  }

  /** All keys that there are to be in a table beside `service`. */
  keys(table: CompiledTableName): readonly string[] {
    return this.#tables.keys(table);
  }

  /** The newest revision that a value of a table contains, as it was compiled last. */
  revisionOf(table: CompiledTableName, key: string): number {
    return this.#tables.revisionOf(table, key);
  }

  /** All keys of all tables. */
  allKeys(): Affected {
    return affected({
      services: [...this.services.services()].map(({ key }) => key),
      hosts: this.#tables.keys("hosts"),
      gateways: this.#tables.keys("gateway"),
      workloads: this.#tables.keys("workload"),
    });
  }

  /** Where a resource is compiled into now. */
  touchedBy(rule: string): Affected {
    return merged(NOTHING, ...this.#concernsOf(rule).map((concern) => concern.touchedBy(rule)));
  }

  /** Why the newest revision of a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#routeRules.pendingReason(rule) ?? this.#entries.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(resource: ParsedResource): string | undefined {
    return (
      this.#routeRules.wouldWait(resource) ?? this.#entries.wouldWait(formatKey(keyOf(resource.resource)), resource)
    );
  }

  get pendingCount(): number {
    return this.#routeRules.pendingCount + this.#entries.pendingCount;
  }

  /** Names of all resources that are in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return this.#routeRules.activeRules();
  }

  /** A service is gone. The revision of what is still in force for it counts again when it comes back. */
  forget(service: string): void {
    if (this.#routeRules.rulesFor(service).length > 0 || this.#policies.revisionOf(service) > 0) return;
    this.#revisions.delete(service);
  }

  /** What a change of a service affects, itself included. */
  #serviceAffects(key: string, shape: boolean): Affected {
    const routeRules = this.#routeRules.serviceChanged(key);
    if (!shape) return routeRules;
    return merged(
      affected({ services: [key, ...this.#routeRules.dependents(key)] }),
      this.#ingress.serviceChanged(key),
      this.#tables.targetChanged(key),
      routeRules,
    );
  }

  #join(concern: Concern): void {
    for (const kind of concern.kinds) this.#concerns.set(kind, [...(this.#concerns.get(kind) ?? []), concern]);
  }

  #concernsOf(rule: string): readonly Concern[] {
    return this.#concerns.get(kindOfRule(rule)) ?? [];
  }

  #noted(result: Affected, revision: number): Affected {
    this.#raiseAll(result, revision);
    for (const item of result.activated ?? []) this.#raiseAll(item.affected, item.revision);
    return result;
  }

  #raiseAll(all: Affected, revision: number): void {
    for (const key of all.services) this.#raise(key, revision);
    this.#tables.touch(all, revision);
  }

  #raise(key: string, revision: number): void {
    if (revision > this.#revisionOf(key)) this.#revisions.set(key, revision);
  }

  #revisionOf(key: string): number {
    return this.#revisions.get(key) ?? 0;
  }
}

function* registeredIn(registry: RegisteredServices, namespace: string): Generator<RegisteredWorkload> {
  for (const { name, endpoints = [] } of registry.servicesOf(namespace)) {
    for (const endpoint of endpoints) yield { service: name, endpoint };
  }
}

function hasEndpoints({ bodiless, passthrough }: KnownService): boolean {
  return bodiless !== true && passthrough !== true;
}

function targetKey(destination: Destination | null | undefined): string {
  return tableKey(destination?.namespace ?? "", destination?.service ?? "");
}
