import { formatKey, keyOf, type ParsedResource, revisionOf } from "../../../shared/model/index.ts";
import {
  type Destination,
  GatewayConfig,
  type Input,
  type RequirementInput,
  type ServiceConfig,
  tableKey,
} from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import { type Concern, kindOfRule } from "./concern.ts";
import { DestinationPolicies } from "./destination-policies.ts";
import { INGRESS_GATEWAY_KEY, IngressRules } from "./ingress-rules.ts";
import { RouteRules } from "./route-rules.ts";
import { type RegisteredServices, registeredSource, ServiceCatalog } from "./services.ts";
import { defaultRoute } from "./translation.ts";

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

export class Compiler {
  readonly services: ServiceCatalog;
  readonly #routeRules: RouteRules;
  readonly #policies = new DestinationPolicies();
  readonly #ingress: IngressRules;
  readonly #concerns = new Map<string, Concern[]>();
  /** The newest revision that touched a compiled value, by table and key. */
  readonly #revisions = new Map<string, number>();

  constructor(registry: RegisteredServices) {
    this.services = new ServiceCatalog(registeredSource(registry));
    this.#routeRules = new RouteRules(this.services);
    this.#ingress = new IngressRules(this.services);
    for (const concern of [this.#routeRules, this.#policies, this.#ingress]) this.#join(concern);
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#raise("service", key, config.revision);
    for (const route of config.routes) {
      // The default route is made anew, not remembered.
      if (!route.rule.includes("/")) continue;
      const targets = [...route.destinations, ...route.mirrors].map((item) => targetKey(item.destination));
      this.#routeRules.restore(route.rule, key, [...new Set(targets)].sort(), route);
    }
  }

  restoreGateway(key: string, config: GatewayConfig): void {
    this.#raise("gateway", key, config.revision);
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

  /** A service came, went or changed (`shape`), or only its instances did. */
  serviceChanged(key: string, shape: boolean): Affected {
    const services = shape ? [key, ...this.#routeRules.dependents(key)] : [];
    return this.#noted(
      merged(
        affected({ services }),
        shape ? this.#ingress.serviceChanged(key) : NOTHING,
        this.#routeRules.serviceChanged(key),
      ),
      0,
    );
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
      endpointShards: service.bodiless ? 0 : shards,
      routes: [...rules.map((rule) => rule.route), defaultRoute(namespace, name)],
      policies: this.#policies.policiesOf(key),
      revision: this.#revisionOf("service", key),
      ...(service.passthrough && { passthrough: true }),
      targets: this.targetsOf(key),
    };
  }

  /** Keys in table `service` of all that a service sends to, as far as they are known. */
  targetsOf(key: string): string[] {
    const targets = this.#routeRules.rulesFor(key).flatMap((rule) => rule.targets);
    return [...new Set([key, ...targets])].filter((target) => this.services.has(target)).sort();
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

  /** Where a resource is compiled into now. */
  touchedBy(rule: string): Affected {
    return merged(NOTHING, ...this.#concernsOf(rule).map((concern) => concern.touchedBy(rule)));
  }

  /** Why the newest revision of a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#routeRules.pendingReason(rule);
  }

  /** Why a resource would wait if it was put now. */
  wouldWait(resource: ParsedResource): string | undefined {
    return this.#routeRules.wouldWait(resource);
  }

  get pendingCount(): number {
    return this.#routeRules.pendingCount;
  }

  /** Names of all resources that are in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return this.#routeRules.activeRules();
  }

  /** A service is gone. The revision of what is still in force for it counts again when it comes back. */
  forget(service: string): void {
    if (this.#routeRules.rulesFor(service).length > 0 || this.#policies.revisionOf(service) > 0) return;
    this.#revisions.delete(`service ${service}`);
  }

  /** All ingress rules whose destination is known, in the order in which they are tried. */
  #compileGateway(key: string): CompiledValue {
    const [namespace = "", name = ""] = key.split(".");
    const found = this.#ingress.routes();
    const routes = found.map(({ route }) => route);
    return {
      targets: [...new Set(found.map(({ target }) => target))].sort(),
      shape: gatewayShape({ routes }),
      encode: (requires) =>
        GatewayConfig.encode({
          namespace,
          name,
          routes,
          requires: [...requires],
          revision: this.#revisionOf("gateway", key),
        }),
    };
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

  #raiseAll({ services, gateways, hosts, workloads }: Affected, revision: number): void {
    for (const key of services) this.#raise("service", key, revision);
    for (const key of gateways) this.#raise("gateway", key, revision);
    for (const key of hosts) this.#raise("hosts", key, revision);
    for (const key of workloads) this.#raise("workload", key, revision);
  }

  #raise(table: CompiledTableName | "service", key: string, revision: number): void {
    if (revision > this.#revisionOf(table, key)) this.#revisions.set(`${table} ${key}`, revision);
  }

  #revisionOf(table: CompiledTableName | "service", key: string): number {
    return this.#revisions.get(`${table} ${key}`) ?? 0;
  }
}

/** Two values of one shape lead to the same services. */
export function gatewayShape({
  routes = [],
  servers = [],
}: Pick<Input<typeof GatewayConfig>, "routes" | "servers">): string {
  return Buffer.from(GatewayConfig.encode({ routes, servers })).toString("base64");
}

function targetKey(destination: Destination | null | undefined): string {
  return tableKey(destination?.namespace ?? "", destination?.service ?? "");
}
