import {
  isKind,
  type Labels,
  type ParsedResource,
  ROUTE_RULE,
  type RouteRuleSpec,
  type ServiceRef,
} from "../../../shared/model/index.ts";
import { type Route, type RouteInput, tableKey } from "../../../shared/wire/index.ts";
import { type Activated, type Affected, affected, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import { placeOf, targetKeys } from "./places.ts";
import { meantHosts, type ServiceCatalog } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import { targetsOf, toRoute } from "./translation.ts";
import { type Missing, MissingParts, Waiting } from "./waiting.ts";

/**
 * RouteRules of the older dialect, and which revision of each is in force.
 *
 * What is in force is kept as the compiled route. A new leader reads it back from table `service`, so a change of
 * leader neither forgets a waiting rule's predecessor nor asks again whether an active one may be active.
 */
export interface ActiveRule {
  /** <kind>/<namespace>/<name>. */
  readonly rule: string;
  readonly revision: number;
  readonly precedence: number;
  /** Key in table `service` of the service whose requests it routes. */
  readonly destination: string;
  /** Keys in table `service` of the services that it sends to. */
  readonly targets: readonly string[];
  readonly route: RouteInput;
}

interface GivenRule {
  readonly rule: string;
  readonly revision: number;
  readonly namespace: string;
  readonly spec: RouteRuleSpec;
}

export class RouteRules implements Concern {
  readonly kinds = ["routerule"];
  readonly #services: ServiceCatalog;
  readonly #active = new Map<string, ActiveRule>();
  readonly #waiting = new Waiting<GivenRule>();
  readonly #byDestination = new Map<string, Map<string, ActiveRule>>();
  readonly #byTarget = new StringIndex();
  /** The texts in force, as far as they are known, and which of them name a host. */
  readonly #texts = new Map<string, GivenRule>();
  readonly #byHost = new StringIndex();

  constructor(services: ServiceCatalog) {
    this.#services = services;
  }

  /** Takes over the routes of a service that an earlier leader put in force. */
  restoreService(key: string, routes: readonly Route[]): void {
    for (const route of routes) {
      if (!route.rule.startsWith("routerule/")) continue;
      const { rule, revision } = route;
      // What the destinations' rules add is added anew.
      const bare = { ...route, hashPolicies: [] };
      this.#activate({
        rule,
        revision,
        precedence: 0,
        destination: key,
        targets: sorted(targetKeys(route)),
        route: bare,
      });
    }
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    if (!isKind(resource, ROUTE_RULE)) return NOTHING;
    return this.#put({ rule, revision, namespace: resource.resource.metadata.namespace, spec: resource.parsed });
  }

  remove(rule: string): Affected {
    this.#waiting.delete(rule);
    this.#forgetText(rule);
    const active = this.#active.get(rule);
    if (active === undefined) return NOTHING;
    this.#deactivate(active);
    return affected({ services: [active.destination] });
  }

  touchedBy(rule: string): Affected {
    const destination = this.#active.get(rule)?.destination;
    return destination === undefined ? NOTHING : affected({ services: [destination] });
  }

  /** Why a resource would wait if it was put now; undefined when it would not, or is of another kind. */
  wouldWait(resource: ParsedResource): string | undefined {
    if (!isKind(resource, ROUTE_RULE)) return undefined;
    return this.#missing(resource.parsed, resource.resource.metadata.namespace)?.reason;
  }

  /**
   * Something about a service of this host changed: rules that waited for it may come into force. `shape`: it came or went, so
   * the host may mean another service now.
   */
  hostChanged(host: string, shape: boolean): Affected {
    const moved = shape ? [...this.#byHost.get(host)].flatMap((rule) => this.#follow(rule)) : [];
    const activated: Activated[] = [];
    for (const [rule, waiting] of this.#waiting.for(host)) {
      const result = this.#put(waiting);
      if (result.pending === undefined) activated.push({ rule, revision: waiting.revision, affected: result });
    }
    if (activated.length === 0 && moved.length === 0) return NOTHING;
    const services = [...moved, ...activated.flatMap((item) => item.affected.services)];
    return affected({ services: [...new Set(services)], ...(activated.length > 0 && { activated }) });
  }

  /** The rules in force for a service: higher precedence first, then by key. */
  rulesFor(service: string): ActiveRule[] {
    const rules = [...(this.#byDestination.get(service)?.values() ?? [])];
    return rules.sort((a, b) => b.precedence - a.precedence || (a.rule < b.rule ? -1 : 1));
  }

  /** Services with a rule in force that sends to this one. */
  dependents(service: string): readonly string[] {
    const destinations = new Set<string>();
    for (const rule of this.#byTarget.get(service)) {
      const active = this.#active.get(rule);
      if (active !== undefined) destinations.add(active.destination);
    }
    return [...destinations];
  }

  /** Why a rule's newest revision is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#waiting.reason(rule);
  }

  get pendingCount(): number {
    return this.#waiting.size;
  }

  /** Names of all rules in force. */
  activeRules(): string[] {
    return [...this.#active.keys()];
  }

  #put(given: GivenRule): Affected {
    const { rule, revision, namespace, spec } = given;
    const active = this.#active.get(rule);
    if (active?.revision === revision) {
      // Restored: it stays as it was compiled, for what it names may not be known again yet. Only its precedence is new.
      this.#waiting.delete(rule);
      this.#keepText(given);
      this.#activate({ ...active, precedence: spec.precedence });
      return affected({ services: [active.destination] });
    }
    const missing = this.#missing(spec, namespace);
    if (missing === undefined) {
      this.#waiting.delete(rule);
      return affected({ services: this.#enforce(given) });
    }
    this.#waiting.set(rule, given, missing);
    // A restored route does not tell its precedence.
    if (active !== undefined) this.#activate({ ...active, precedence: spec.precedence });
    return affected({ pending: missing.reason });
  }

  #enforce(given: GivenRule): string[] {
    const { rule, revision, namespace, spec } = given;
    this.#keepText(given);
    const before = this.#active.get(rule);
    const destination = this.#keyOf(spec.destination, namespace);
    const targets = sorted(targetsOf(spec).map((target) => this.#keyOf(target, namespace)));
    const route = toRoute(rule, revision, spec, (ref) => placeOf(this.#keyOf(ref, namespace)));
    this.#activate({ rule, revision, precedence: spec.precedence, destination, targets, route });
    return [...new Set([...(before === undefined ? [] : [before.destination]), destination])];
  }

  /** A rule in force goes after the hosts that it names, as long as all of them mean something. */
  #follow(rule: string): string[] {
    const [given, active] = [this.#texts.get(rule), this.#active.get(rule)];
    if (given === undefined || active === undefined) return [];
    const keys = refsOf(given.spec).map((ref) => this.#services.resolve(ref, given.namespace));
    const known = keys.flatMap((key) => key ?? []);
    if (known.length < keys.length) return [];
    const [destination, ...targets] = known;
    const isSame = destination === active.destination && sorted(targets).join() === active.targets.join();
    return isSame ? [] : this.#enforce(given);
  }

  #keepText(given: GivenRule): void {
    this.#forgetText(given.rule);
    this.#texts.set(given.rule, given);
    for (const host of refsOf(given.spec).flatMap(meantHosts)) this.#byHost.add(host, given.rule);
  }

  #forgetText(rule: string): void {
    const given = this.#texts.get(rule);
    this.#texts.delete(rule);
    for (const host of refsOf(given?.spec).flatMap(meantHosts)) this.#byHost.remove(host, rule);
  }

  /** Of a service that is known, or would have this key. */
  #keyOf(ref: ServiceRef, namespace: string): string {
    const { service, host } = ref;
    const known = this.#services.resolve(ref, namespace);
    return known ?? (service ? tableKey(service.namespace, service.service) : tableKey(namespace, host));
  }

  /** What a rule names that nobody has; undefined when all is there. */
  #missing(spec: RouteRuleSpec, namespace: string): Missing | undefined {
    const parts = new MissingParts();
    const check = (ref: ServiceRef, labels: Labels): void => {
      const key = this.#services.resolve(ref, namespace);
      if (key === undefined) {
        const isOutside = ref.service === undefined;
        parts.add(
          isOutside ? `nobody knows a service ${ref.host}` : `no instance of ${ref.host} has registered`,
          ...meantHosts(ref),
        );
      } else if (!this.#services.carries(key, labels)) {
        const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
        parts.add(`no instance of ${ref.host} has the labels ${wanted.sort().join(",")}`, ...meantHosts(ref));
      }
    };
    check(spec.destination, {});
    for (const target of targetsOf(spec)) check(target, target.labels);
    return parts.result;
  }

  #activate(active: ActiveRule): void {
    const before = this.#active.get(active.rule);
    if (before !== undefined) this.#deactivate(before);
    this.#active.set(active.rule, active);
    const rules = this.#byDestination.get(active.destination) ?? new Map<string, ActiveRule>();
    rules.set(active.rule, active);
    this.#byDestination.set(active.destination, rules);
    for (const target of active.targets) this.#byTarget.add(target, active.rule);
  }

  #deactivate(active: ActiveRule): void {
    this.#active.delete(active.rule);
    const rules = this.#byDestination.get(active.destination);
    rules?.delete(active.rule);
    if (rules?.size === 0) this.#byDestination.delete(active.destination);
    for (const target of active.targets) this.#byTarget.remove(target, active.rule);
  }
}

/** The service whose requests it routes, then all that it sends to. */
function refsOf(spec: RouteRuleSpec | undefined): readonly ServiceRef[] {
  return spec === undefined ? [] : [spec.destination, ...targetsOf(spec)];
}

function sorted(keys: readonly string[]): string[] {
  return [...new Set(keys)].sort();
}
