import { formatKey, keyOf, type MeshConfigSpec, type ParsedResource, revisionOf } from "../../../shared/model/index.ts";
import { type EndpointInput, GatewayConfig, type Input, ServiceConfig, tableKey } from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import { type CompiledTableName, CompiledTables, type CompiledValue, type Restored } from "./compiled-tables.ts";
import { type Concern, kindOfRule, type Oddity } from "./concern.ts";
import { Entries } from "./entries.ts";
import type { RegisteredWorkload } from "./entry-endpoints.ts";
import { Gateways } from "./gateways.ts";
import { type HostOffer, HostTables } from "./host-tables.ts";
import { IngressRules } from "./ingress-rules.ts";
import { compiledPart } from "./mesh-defaults.ts";
import { MeshServices } from "./mesh-services.ts";
import { withOrigination } from "./origination.ts";
import { Revisions } from "./revisions.ts";
import { Routing } from "./routing.ts";
import { ServiceEntries } from "./service-entries.ts";
import { ServiceHosts } from "./service-hosts.ts";
import { hostOfKey, type KnownService, type RegisteredServices, ServiceCatalog } from "./services.ts";
import type { OwnHost } from "./virtual-service-index.ts";
import type { FindRevision } from "./virtual-services.ts";
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

export interface CompilerOptions {
  /** Finds an earlier revision of a resource; default: none is kept. */
  readonly findRevision?: FindRevision;
}

export class Compiler {
  readonly services: ServiceCatalog;
  readonly #tables: CompiledTables;
  readonly #known: MeshServices;
  readonly #routing: Routing;
  readonly #ingress: IngressRules;
  readonly #entries: Entries;
  readonly #gateways: Gateways;
  readonly #hosts: HostTables;
  readonly #serviceHosts: ServiceHosts;
  readonly #concerns = new Map<string, Concern[]>();
  readonly #revisions = new Revisions();
  #meshPart = compiledPart(undefined);

  constructor(registry: RegisteredServices, { findRevision = () => undefined }: CompilerOptions = {}) {
    const hosts = new HostTables(() => registry.namespaces());
    const configured = new ServiceEntries((namespace) => registeredIn(registry, namespace));
    this.#hosts = hosts;
    this.#known = new MeshServices(registry, configured, hosts);
    const services = new ServiceCatalog(this.#known);
    this.services = services;
    this.#serviceHosts = new ServiceHosts(services);
    this.#routing = new Routing(services, this.#serviceHosts, findRevision);
    // Last: whoever else knows a host knows more of it.
    services.add(this.#routing.inForce.source);
    this.#ingress = new IngressRules(services);
    this.#entries = new Entries(configured, hosts, (key, shape) => this.#serviceAffects(key, shape));
    const settings = new WorkloadSettings((spec) => this.#meshChanged(spec));
    this.#gateways = new Gateways(this.#routing);
    const concerns = [...this.#routing.concerns, this.#ingress, this.#entries, this.#gateways, settings];
    for (const concern of concerns) this.#join(concern);
    this.#tables = new CompiledTables({
      registry,
      services: this.services,
      entries: this.#entries,
      hosts,
      gateways: this.#gateways,
      ingress: this.#ingress,
      settings,
    });
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#revisions.restore(key, serviceShape(config), config.revision);
    this.#routing.restoreService(key, config);
  }

  /** The same for a value of another table. */
  restore(table: CompiledTableName, key: string, value: Uint8Array): Restored {
    if (table === "gateway") {
      this.#routing.restoreGateway(value);
      this.#gateways.restore(key, GatewayConfig.decode(value));
    }
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
    if (service === undefined) {
      this.#revisions.forget(key);
      return undefined;
    }
    const { namespace, name, host } = service;
    const { routes, views, policies, targets, revision } = this.#routing.compile(service);
    const body = {
      namespace,
      name,
      host,
      ports: service.ports.map(({ number, protocol }) => ({ number, protocol })),
      serviceAccounts: [...service.principals],
      endpointShards: hasEndpoints(service) ? shards : 0,
      routes: [...routes],
      ...(views.length > 0 && { views: [...views] }),
      policies: withOrigination(policies, service),
      ...(service.passthrough && { passthrough: true }),
    };
    this.#revisions.touch(key, revision);
    return {
      ...body,
      revision: this.#revisions.settle(key, serviceShape(body), service.revision),
      targets: [...new Set([key, ...targets])].filter((target) => this.services.has(target)).sort(),
    };
  }

  /** Keys in table `service` of all that a service may send to, whoever calls it. */
  targetsOf(key: string): Iterable<string> {
    const service = this.services.service(key);
    return service === undefined ? [] : this.#routing.possibleTargets(service);
  }

  /** What a VirtualService in force says that has no effect, and why. */
  notes(rule: string): readonly string[] {
    return this.#routing.notes(rule);
  }

  /** What is odd about a resource beside those that are there, if it was put now. */
  odditiesOf(resource: ParsedResource): Oddity[] {
    return this.#routing.odditiesOf(resource);
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
  revisionOf(table: CompiledTableName | "service", key: string): number {
    return table === "service" ? this.#revisions.current(key) : this.#tables.revisionOf(table, key);
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
    return this.#routing.pendingReason(rule) ?? this.#entries.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(resource: ParsedResource): string | undefined {
    return this.#routing.wouldWait(resource) ?? this.#entries.wouldWait(formatKey(keyOf(resource.resource)), resource);
  }

  get pendingCount(): number {
    return this.#routing.pendingCount + this.#entries.pendingCount;
  }

  /** Names of all resources that are in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return this.#routing.activeRules();
  }

  /** A service is gone. */
  forget(service: string): void {
    this.#revisions.forget(service);
  }

  /** What a change of a service affects, itself included. */
  #serviceAffects(key: string, shape: boolean): Affected {
    if (shape) this.#serviceHosts.changed(key);
    const host = hostOfKey(key, this.services);
    const routing = this.#routing.serviceChanged(key, host, shape);
    if (!shape) return routing;
    return merged(
      routing,
      affected({ hosts: this.#offer(key) }),
      this.#ingress.hostChanged(host),
      this.#tables.targetChanged(key),
    );
  }

  /** Tells callers of a host that only VirtualServices name; returns keys in table `hosts`. */
  #offer(key: string): string[] {
    this.#serviceHosts.changed(key);
    // Whoever else knows it has told of it.
    if (this.#known.has(key)) return [];
    const own = this.#routing.inForce.ownHost(key);
    return this.#hosts.set(key, own === undefined ? [] : offersOf(own)).map((namespace) => tableKey(namespace));
  }

  /** The mesh says other things: whatever leaves them open is compiled anew. */
  #meshChanged(spec: MeshConfigSpec | undefined): Affected {
    const compiled = compiledPart(spec);
    if (compiled === this.#meshPart) return NOTHING;
    this.#meshPart = compiled;
    return merged(
      this.#entries.setDefaultExportTo(spec?.defaultServiceExportTo ?? ["*"]),
      this.#routing.meshChanged(spec),
      affected({ services: [...this.services.services()].map(({ key }) => key) }),
    );
  }

  /** What follows from what is affected: gateways that VirtualServices are bound to, hosts that only they name. */
  #spread(result: Affected): Affected {
    const { boundGateways = [], ownHosts = [], activated: inForce, ...rest } = result;
    if (boundGateways.length === 0 && ownHosts.length === 0) return result;
    const activated = inForce?.map((item) => ({ ...item, affected: this.#spread(item.affected) }));
    // A host is told of once: those that came into force have told of theirs.
    const told = activated?.flatMap((item) => item.affected.hosts) ?? [];
    const hosts = [...new Set([...told, ...ownHosts.flatMap((key) => this.#offer(key))])];
    const gateways = this.#gateways.routesChanged(boundGateways);
    return merged(rest, gateways, affected({ hosts, ...(activated && { activated }) }));
  }

  #join(concern: Concern): void {
    for (const kind of concern.kinds) this.#concerns.set(kind, [...(this.#concerns.get(kind) ?? []), concern]);
  }

  #concernsOf(rule: string): readonly Concern[] {
    return this.#concerns.get(kindOfRule(rule)) ?? [];
  }

  #noted(result: Affected, revision: number): Affected {
    const whole = this.#spread(result);
    this.#touchAll(whole, revision);
    for (const item of whole.activated ?? []) this.#touchAll(item.affected, item.revision);
    return whole;
  }

  #touchAll(all: Affected, revision: number): void {
    for (const key of all.services) this.#revisions.touch(key, revision);
    this.#tables.touch(all, revision);
  }
}

/** All that a value says to those who follow it, beside its revision and what it requires. */
function serviceShape(config: Input<typeof ServiceConfig>): string {
  return Buffer.from(ServiceConfig.encode({ ...config, revision: 0, requires: [] })).toString("base64");
}

function* registeredIn(registry: RegisteredServices, namespace: string): Generator<RegisteredWorkload> {
  for (const { name, endpoints = [] } of registry.servicesOf(namespace)) {
    for (const endpoint of endpoints) yield { service: name, endpoint };
  }
}

function hasEndpoints({ bodiless, passthrough }: KnownService): boolean {
  return bodiless !== true && passthrough !== true;
}

/** None for a cluster name: callers find its service by the name itself. */
function offersOf({ namespace, name, host, namedBy }: OwnHost): HostOffer[] {
  const [first] = namedBy;
  if (first === undefined || name !== host) return [];
  const exportTo = [...new Set(namedBy.flatMap((active) => active.exportTo))];
  return [{ rule: first.rule, created: first.created, pattern: host, namespace, name, exportTo, isRouteOnly: true }];
}
