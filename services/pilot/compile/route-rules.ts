import {
  isKind,
  type ParsedResource,
  ROUTE_RULE,
  type RouteRuleSpec,
  type ServiceRef,
} from "../../../shared/model/index.ts";
import type { RouteInput } from "../../../shared/wire/index.ts";
import { type Activated, type Affected, affected, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import type { ServiceSource } from "./services.ts";
import { StringIndex } from "./string-index.ts";
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

export class RouteRules implements Concern {
  readonly kinds = ["routerule"];
  readonly #known: ServiceSource;
  readonly #active = new Map<string, ActiveRule>();
  readonly #waiting = new Map<string, WaitingRule>();
  readonly #byDestination = new Map<string, Map<string, ActiveRule>>();
  readonly #byTarget = new StringIndex();
  readonly #awaiting = new StringIndex();

  constructor(known: ServiceSource) {
    this.#known = known;
  }

  /** Takes over a route that an earlier leader put in force. */
  restore(rule: string, destination: string, targets: readonly string[], route: RouteInput): void {
    this.#activate({ rule, revision: route.revision ?? 0, precedence: 0, destination, targets, route });
  }

  put(rule: string, revision: number, resource: ParsedResource): Affected {
    return isKind(resource, ROUTE_RULE) ? this.#put(rule, revision, resource.parsed) : NOTHING;
  }

  remove(rule: string): Affected {
    this.#stopWaiting(rule);
    const active = this.#active.get(rule);
    if (active === undefined) return NOTHING;
    this.#deactivate(active);
    return affected({ services: [active.destination] });
  }

  touchedBy(rule: string): Affected {
    const destination = this.#active.get(rule)?.destination;
    return destination === undefined ? NOTHING : affected({ services: [destination] });
  }

  /** Why a resource would wait if it was put now; undefined when it would not. */
  wouldWait(resource: ParsedResource): string | undefined {
    return isKind(resource, ROUTE_RULE) ? missingFor(resource.parsed, this.#known)?.reason : undefined;
  }

  /** Something about a service changed: rules that waited for it may come into force. */
  serviceChanged(service: string): Affected {
    const activated: Activated[] = [];
    for (const rule of [...this.#awaiting.get(service)]) {
      const waiting = this.#waiting.get(rule);
      if (waiting === undefined) continue;
      const result = this.#put(rule, waiting.revision, waiting.spec);
      if (result.pending === undefined) activated.push({ rule, revision: waiting.revision, affected: result });
    }
    if (activated.length === 0) return NOTHING;
    return affected({ services: [...new Set(activated.flatMap((item) => item.affected.services))], activated });
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
    return this.#waiting.get(rule)?.reason;
  }

  get pendingCount(): number {
    return this.#waiting.size;
  }

  /** Names of all rules in force. */
  activeRules(): string[] {
    return [...this.#active.keys()];
  }

  #put(rule: string, revision: number, spec: RouteRuleSpec): Affected {
    this.#stopWaiting(rule);
    const missing = this.#active.get(rule)?.revision === revision ? undefined : missingFor(spec, this.#known);
    if (missing === undefined) return affected({ services: this.#enforce(rule, revision, spec) });
    this.#waiting.set(rule, { rule, revision, spec, ...missing });
    for (const service of missing.awaits) this.#awaiting.add(service, rule);
    const active = this.#active.get(rule);
    if (active !== undefined) this.#activate({ ...active, precedence: spec.precedence });
    return affected({ pending: missing.reason });
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
    for (const target of active.targets) this.#byTarget.add(target, active.rule);
  }

  #deactivate(active: ActiveRule): void {
    this.#active.delete(active.rule);
    const rules = this.#byDestination.get(active.destination);
    rules?.delete(active.rule);
    if (rules?.size === 0) this.#byDestination.delete(active.destination);
    for (const target of active.targets) this.#byTarget.remove(target, active.rule);
  }

  #stopWaiting(rule: string): void {
    const waiting = this.#waiting.get(rule);
    if (waiting === undefined) return;
    this.#waiting.delete(rule);
    for (const service of waiting.awaits) this.#awaiting.remove(service, rule);
  }
}

/** What a rule names that nobody has registered; undefined when all is there. */
export function missingFor(
  spec: RouteRuleSpec,
  known: ServiceSource,
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
