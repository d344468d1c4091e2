import {
  DESTINATION_POLICY,
  formatKey,
  INGRESS_RULE,
  type IngressRuleSpec,
  isKind,
  keyOf,
  type ParsedResource,
  ROOT_NAMESPACE,
  ROUTE_RULE,
  revisionOf,
} from "../../shared/model/index.ts";
import {
  type Destination,
  type GatewayConfig,
  type GatewayRouteInput,
  type Input,
  type ServiceConfig,
  type TrafficPolicyInput,
  tableKey,
} from "../../shared/wire/index.ts";
import { Activation } from "./activation.ts";
import type { RegisteredPort, RegisteredService } from "./registry.ts";
import { defaultRoute, serviceKeyOf, toGatewayRoute, toPolicy } from "./translation.ts";

/**
 * User configuration and registry in, one neutral ServiceConfig per service out. It knows neither bus nor time: the
 * same resources and registrations give the same bytes on every replica, so a new leader rewrites nothing.
 *
 * It is incremental: every change answers with the services that it affects, found by index, and only those are compiled
 * again. What a caller is (its namespace, its labels) is not decided here but by the proxy, once per snapshot, from the
 * source selectors that travel in the routes: so the work does not grow with the number of proxies.
 *
 * `requires` is left out here: it names positions in tables, which only the broadcaster knows.
 */
export const INGRESS_GATEWAY = { namespace: ROOT_NAMESPACE, name: "istio-ingress" } as const;

/** Key in table `gateway`. */
export const INGRESS_GATEWAY_KEY = tableKey(INGRESS_GATEWAY.namespace, INGRESS_GATEWAY.name);

export interface ServiceLookup {
  has(service: string): boolean;
  service(key: string): Pick<RegisteredService, "namespace" | "name" | "ports" | "principals"> | undefined;
  carries(service: string, labels: Readonly<Record<string, string>>): boolean;
}

/** What has to be compiled again, as keys in table `service`. */
export interface Affected {
  readonly services: readonly string[];
  readonly gateway: boolean;
  /** Why a route rule waits; undefined when it is in force. */
  readonly pending?: string;
}

export type ServiceBody = Omit<Input<typeof ServiceConfig>, "requires"> & { readonly targets: readonly string[] };
export type GatewayBody = Omit<Input<typeof GatewayConfig>, "requires"> & { readonly targets: readonly string[] };

interface PolicyEntry {
  readonly destination: string;
  readonly policy: TrafficPolicyInput;
}

interface IngressEntry {
  readonly rule: string;
  readonly revision: number;
  readonly destination: string;
  readonly spec: IngressRuleSpec;
}

const NOTHING: Affected = { services: [], gateway: false };

export class Compiler {
  readonly activation: Activation;
  readonly #services: ServiceLookup;
  readonly #policies = new Map<string, PolicyEntry>();
  readonly #policiesByService = new Map<string, Map<string, TrafficPolicyInput>>();
  readonly #ingress = new Map<string, IngressEntry>();
  readonly #ingressByService = new Map<string, number>();
  /** The newest revision that touched a compiled value, by service key. */
  readonly #revisions = new Map<string, number>();
  #gatewayRevision = 0;

  constructor(services: ServiceLookup) {
    this.#services = services;
    this.activation = new Activation(services);
  }

  /** Takes over what an earlier leader compiled. */
  restoreService(key: string, config: ServiceConfig): void {
    this.#touch(key, config.revision);
    for (const route of config.routes) {
      // The default route is made anew, not remembered.
      if (!route.rule.includes("/")) continue;
      const targets = [...route.destinations, ...route.mirrors].map((item) => targetKey(item.destination));
      this.activation.restore(route.rule, key, [...new Set(targets)].sort(), route);
    }
  }

  restoreGateway(config: GatewayConfig): void {
    this.#gatewayRevision = Math.max(this.#gatewayRevision, config.revision);
  }

  /** A new or changed resource of any kind. */
  put(resource: ParsedResource): Affected {
    const rule = formatKey(keyOf(resource.resource));
    const revision = revisionOf(resource.resource);
    if (isKind(resource, ROUTE_RULE)) {
      const { affected, pending } = this.activation.put(rule, revision, resource.parsed);
      for (const service of affected) this.#touch(service, revision);
      return { services: affected, gateway: false, ...(pending !== undefined && { pending }) };
    }
    if (isKind(resource, DESTINATION_POLICY)) {
      const before = this.#removePolicy(rule);
      const destination = serviceKeyOf(resource.parsed.destination);
      if (destination !== undefined) this.#addPolicy(rule, destination, toPolicy(rule, resource.parsed));
      return this.#touched([before, destination], revision);
    }
    if (isKind(resource, INGRESS_RULE)) {
      this.#removeIngress(rule);
      const destination = serviceKeyOf(resource.parsed.destination);
      if (destination !== undefined) this.#addIngress({ rule, revision, destination, spec: resource.parsed });
      this.#gatewayRevision = Math.max(this.#gatewayRevision, revision);
      return { services: [], gateway: true };
    }
    return NOTHING;
  }

  /** A resource is gone; `rule` is `<kind>/<namespace>/<name>`, `revision` that of its deletion. */
  remove(rule: string, revision: number): Affected {
    if (this.#ingress.has(rule)) {
      this.#removeIngress(rule);
      this.#gatewayRevision = Math.max(this.#gatewayRevision, revision);
      return { services: [], gateway: true };
    }
    return this.#touched([this.#removePolicy(rule), ...this.activation.remove(rule)], revision);
  }

  /** A service came, went or changed; `gone` and new ones affect those that send to it. */
  serviceChanged(key: string, shape: boolean): Affected & { readonly activated: readonly string[] } {
    const services = new Set<string>(shape ? [key, ...this.activation.dependents(key)] : []);
    const activated: string[] = [];
    for (const { rule, affected } of this.activation.recheck(key)) {
      activated.push(rule);
      for (const service of affected) {
        services.add(service);
        this.#touch(service, this.activation.rulesFor(service).find((item) => item.rule === rule)?.revision ?? 0);
      }
    }
    return { services: [...services], gateway: shape && this.#ingressByService.has(key), activated };
  }

  /** Undefined when the registry does not know the service. `shards` is what it announces. */
  compileService(key: string, shards: number): ServiceBody | undefined {
    const service = this.#services.service(key);
    if (service === undefined) return undefined;
    const { namespace, name } = service;
    const rules = this.activation.rulesFor(key);
    const policies = [...(this.#policiesByService.get(key) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      namespace,
      name,
      host: `${name}.${namespace}.svc.cluster.local`,
      ports: service.ports.map(({ number, protocol }: RegisteredPort) => ({ number, protocol })),
      serviceAccounts: [...service.principals],
      endpointShards: shards,
      routes: [...rules.map((rule) => rule.route), defaultRoute(namespace, name)],
      policies: policies.map(([, policy]) => policy),
      revision: this.#revisions.get(key) ?? 0,
      targets: [...new Set([key, ...rules.flatMap((rule) => rule.targets)])]
        .filter((target) => this.#services.has(target))
        .sort(),
    };
  }

  /** All ingress rules whose destination is known, in the order in which they are tried. */
  compileGateway(): GatewayBody {
    const routes: { entry: IngressEntry; route: GatewayRouteInput }[] = [];
    for (const entry of this.#ingress.values()) {
      const service = this.#services.service(entry.destination);
      if (service === undefined) continue;
      const route = toGatewayRoute(entry.rule, entry.revision, entry.spec, service.ports);
      if (route !== undefined) routes.push({ entry, route });
    }
    routes.sort((a, b) => compareIngress(a.entry, b.entry));
    return {
      ...INGRESS_GATEWAY,
      routes: routes.map(({ route }) => route),
      revision: this.#gatewayRevision,
      targets: [...new Set(routes.map(({ entry }) => entry.destination))].sort(),
    };
  }

  /** Keys in table `service` into which a resource is compiled now. */
  touchedBy(rule: string): { services: readonly string[]; gateway: boolean } {
    if (this.#ingress.has(rule)) return { services: [], gateway: true };
    const destination = this.#policies.get(rule)?.destination ?? this.activation.destinationOf(rule);
    return {
      services: destination !== undefined && this.#services.has(destination) ? [destination] : [],
      gateway: false,
    };
  }

  /** A service is gone. The revision of what is still in force for it counts again when it comes back. */
  forget(service: string): void {
    if (this.activation.rulesFor(service).length > 0 || this.#policiesByService.has(service)) return;
    this.#revisions.delete(service);
  }

  #touch(service: string, revision: number): void {
    this.#revisions.set(service, Math.max(this.#revisions.get(service) ?? 0, revision));
  }

  #touched(services: readonly (string | undefined)[], revision: number): Affected {
    const affected = [...new Set(services.filter((service) => service !== undefined))];
    for (const service of affected) this.#touch(service, revision);
    return { services: affected, gateway: false };
  }

  #addPolicy(rule: string, destination: string, policy: TrafficPolicyInput): void {
    this.#policies.set(rule, { destination, policy });
    const policies = this.#policiesByService.get(destination) ?? new Map<string, TrafficPolicyInput>();
    policies.set(rule, policy);
    this.#policiesByService.set(destination, policies);
  }

  #removePolicy(rule: string): string | undefined {
    const entry = this.#policies.get(rule);
    if (entry === undefined) return undefined;
    this.#policies.delete(rule);
    const policies = this.#policiesByService.get(entry.destination);
    policies?.delete(rule);
    if (policies?.size === 0) this.#policiesByService.delete(entry.destination);
    return entry.destination;
  }

  #addIngress(entry: IngressEntry): void {
    this.#ingress.set(entry.rule, entry);
    this.#ingressByService.set(entry.destination, (this.#ingressByService.get(entry.destination) ?? 0) + 1);
  }

  #removeIngress(rule: string): void {
    const entry = this.#ingress.get(rule);
    if (entry === undefined) return;
    this.#ingress.delete(rule);
    const left = (this.#ingressByService.get(entry.destination) ?? 1) - 1;
    if (left > 0) this.#ingressByService.set(entry.destination, left);
    else this.#ingressByService.delete(entry.destination);
  }
}

/** Exact paths first, then prefixes from long to short, then all others; among equals precedence, then key. */
function compareIngress(a: IngressEntry, b: IngressEntry): number {
  const [rankA, lengthA] = uriRank(a.spec);
  const [rankB, lengthB] = uriRank(b.spec);
  return rankA - rankB || lengthB - lengthA || b.spec.precedence - a.spec.precedence || (a.rule < b.rule ? -1 : 1);
}

function uriRank(spec: IngressRuleSpec): [rank: number, length: number] {
  const uri = spec.match?.headers.find((header) => header.name === "uri")?.match;
  if (uri === undefined || "regex" in uri) return [2, 0];
  return "exact" in uri ? [0, 0] : [1, uri.prefix.length];
}

function targetKey(destination: Destination | null | undefined): string {
  return tableKey(destination?.namespace ?? "", destination?.service ?? "");
}
