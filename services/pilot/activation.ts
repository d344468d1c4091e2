import type { RouteRuleSpec, ServiceRef } from "../../shared/model/index.ts";
import type { RouteInput } from "../../shared/wire/index.ts";
import { serviceKeyOf, targetsOf, toRoute } from "./translation.ts";

/**
 * Which revision of each route rule is in force.
 *
 * A rule that names a service or a version that nobody has registered would send requests nowhere. Refusing it would
 * force an order on people ("first deploy, then apply") that nobody keeps. So it is accepted and waits: until
 * all that it names exists, the revision in force before stays in force. Once in force it stays, even when
 * instances vanish: a version that scales to zero must not silently hand its traffic to another.
 *
 * What is in force is kept as the compiled route. A new leader reads it back from table `service`, so a change of
 * leader neither forgets a waiting rule's predecessor nor asks again whether an active one may be active.
 */
export interface KnownServices {
  has(service: string): boolean;
  /** Whether some instance carries all of the labels. */
  carries(service: string, labels: Readonly<Record<string, string>>): boolean;
}

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

interface WaitingRule {
  readonly rule: string;
  readonly revision: number;
  readonly spec: RouteRuleSpec;
  readonly awaits: readonly string[];
  readonly reason: string;
}

export interface ActivationResult {
  /** Keys in table `service` whose routes changed. */
  readonly affected: readonly string[];
  /** Why the rule waits; undefined when it is in force. */
  readonly pending: string | undefined;
}

export class Activation {
  readonly #known: KnownServices;
  readonly #active = new Map<string, ActiveRule>();
  readonly #waiting = new Map<string, WaitingRule>();
  readonly #byDestination = new Map<string, Map<string, ActiveRule>>();
  readonly #byTarget = new Map<string, Set<string>>();
  readonly #awaiting = new Map<string, Set<string>>();

  constructor(known: KnownServices) {
    this.#known = known;
  }

  /** Takes over a route that an earlier leader put in force. */
  restore(rule: string, destination: string, targets: readonly string[], route: RouteInput): void {
    this.#activate({ rule, revision: route.revision ?? 0, precedence: 0, destination, targets, route });
  }

  /** A new or changed rule. */
  put(rule: string, revision: number, spec: RouteRuleSpec): ActivationResult {
    this.#stopWaiting(rule);
    const missing = this.#active.get(rule)?.revision === revision ? undefined : missingFor(spec, this.#known);
    if (missing === undefined) return { affected: this.#enforce(rule, revision, spec), pending: undefined };
    this.#waiting.set(rule, { rule, revision, spec, ...missing });
    for (const service of missing.awaits) addTo(this.#awaiting, service, rule);
    const active = this.#active.get(rule);
    if (active !== undefined) this.#activate({ ...active, precedence: spec.precedence });
    return { affected: [], pending: missing.reason };
  }

  /** A rule is gone. */
  remove(rule: string): readonly string[] {
    this.#stopWaiting(rule);
    const active = this.#active.get(rule);
    if (active === undefined) return [];
    this.#deactivate(active);
    return [active.destination];
  }

  /** Something about a service changed: rules that waited for it may come into force. */
  recheck(service: string): { rule: string; affected: readonly string[] }[] {
    const results: { rule: string; affected: readonly string[] }[] = [];
    for (const rule of [...(this.#awaiting.get(service) ?? [])]) {
      const waiting = this.#waiting.get(rule);
      if (waiting === undefined) continue;
      const { affected, pending } = this.put(rule, waiting.revision, waiting.spec);
      if (pending === undefined) results.push({ rule, affected });
    }
    return results;
  }

  /** The rules in force for a service: higher precedence first, then by key. */
  rulesFor(service: string): ActiveRule[] {
    const rules = [...(this.#byDestination.get(service)?.values() ?? [])];
    return rules.sort((a, b) => b.precedence - a.precedence || (a.rule < b.rule ? -1 : 1));
  }

  /** Services with a rule in force that sends to this one. */
  dependents(service: string): readonly string[] {
    const destinations = new Set<string>();
    for (const rule of this.#byTarget.get(service) ?? []) {
      const active = this.#active.get(rule);
      if (active !== undefined) destinations.add(active.destination);
    }
    return [...destinations];
  }

  /** Why a rule's newest revision is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#waiting.get(rule)?.reason;
  }

  /** The service whose requests the rule in force routes. */
  destinationOf(rule: string): string | undefined {
    return this.#active.get(rule)?.destination;
  }

  get pendingCount(): number {
    return this.#waiting.size;
  }

  /** Names of all rules in force. */
  activeRules(): string[] {
    return [...this.#active.keys()];
  }

  #enforce(rule: string, revision: number, spec: RouteRuleSpec): string[] {
    const before = this.#active.get(rule);
    const destination = serviceKeyOf(spec.destination);
    if (destination === undefined) return [];
    const targets = [...new Set(targetsOf(spec).map((target) => serviceKeyOf(target) ?? ""))].sort();
    const route = toRoute(rule, revision, spec);
    this.#activate({ rule, revision, precedence: spec.precedence, destination, targets, route });
    return [...new Set([...(before === undefined ? [] : [before.destination]), destination])];
  }

  #activate(active: ActiveRule): void {
    const before = this.#active.get(active.rule);
    if (before !== undefined) this.#deactivate(before);
    this.#active.set(active.rule, active);
    const rules = this.#byDestination.get(active.destination) ?? new Map<string, ActiveRule>();
    rules.set(active.rule, active);
    this.#byDestination.set(active.destination, rules);
    for (const target of active.targets) addTo(this.#byTarget, target, active.rule);
  }

  #deactivate(active: ActiveRule): void {
    this.#active.delete(active.rule);
    const rules = this.#byDestination.get(active.destination);
    rules?.delete(active.rule);
    if (rules?.size === 0) this.#byDestination.delete(active.destination);
    for (const target of active.targets) removeFrom(this.#byTarget, target, active.rule);
  }

  #stopWaiting(rule: string): void {
    const waiting = this.#waiting.get(rule);
    if (waiting === undefined) return;
    this.#waiting.delete(rule);
    for (const service of waiting.awaits) removeFrom(this.#awaiting, service, rule);
  }
}

/** What a rule names that nobody has registered; undefined when all is there. */
export function missingFor(
  spec: RouteRuleSpec,
  known: KnownServices,
): { awaits: string[]; reason: string } | undefined {
  const awaits = new Set<string>();
  const reasons: string[] = [];
  const check = (ref: ServiceRef, labels: Readonly<Record<string, string>>): void => {
    const service = serviceKeyOf(ref);
    if (service === undefined) {
      reasons.push(`${ref.host} is not a service of the mesh`);
    } else if (!known.has(service)) {
      awaits.add(service);
      reasons.push(`no instance of ${ref.host} has registered`);
    } else if (!known.carries(service, labels)) {
      awaits.add(service);
      const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
      reasons.push(`no instance of ${ref.host} has the labels ${wanted.sort().join(",")}`);
    }
  };
  check(spec.destination, {});
  for (const target of targetsOf(spec)) check(target, target.labels);
  return reasons.length === 0 ? undefined : { awaits: [...awaits], reason: [...new Set(reasons)].join("; ") };
}

function addTo(index: Map<string, Set<string>>, key: string, value: string): void {
  const values = index.get(key) ?? new Set<string>();
  values.add(value);
  index.set(key, values);
}

function removeFrom(index: Map<string, Set<string>>, key: string, value: string): void {
  const values = index.get(key);
  values?.delete(value);
  if (values?.size === 0) index.delete(key);
}
