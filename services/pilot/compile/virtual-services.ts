import type { ExportTo, ParsedResource } from "../../../shared/model/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import type { Concern } from "./concern.ts";
import type { DestinationRules } from "./destination-rules.ts";
import { missingFor } from "./missing-for.ts";
import type { RestoredRules } from "./restored-routes.ts";
import { RestoredRoutes } from "./restored-routes.ts";
import type { ServiceHosts } from "./service-hosts.ts";
import type { ServiceCatalog } from "./services.ts";
import type { SubsetMemory } from "./subset-memory.ts";
import { destinationsOf, type VirtualService, virtualServiceOf } from "./virtual-service.ts";
import { VirtualServiceIndex } from "./virtual-service-index.ts";
import { exportedTo } from "./visibility.ts";
import { Waiting } from "./waiting.ts";

/** Finds an earlier revision of a resource; undefined when it is not kept any more. */
export type FindRevision = (rule: string, revision: number) => ParsedResource | undefined;

export interface VirtualServicesOptions {
  readonly services: ServiceCatalog;
  readonly hosts: ServiceHosts;
  readonly rules: DestinationRules;
  readonly memory: SubsetMemory;
  readonly findRevision: FindRevision;
  /** Of those that do not say who sees them. */
  readonly defaultExportTo: () => ExportTo | undefined;
}

/**
 * Which revision of each VirtualService is in force, and what is to be compiled again when that changes.
 *
 * A new leader reads from the tables which revision that was. The text of that revision comes from the store's history; where it is
 * not kept any more the routes go on as they were compiled, until a newer revision comes into force.
 */
export class VirtualServices implements Concern {
  readonly kinds = ["virtualservice"];
  readonly inForce: VirtualServiceIndex;
  readonly #options: VirtualServicesOptions;
  readonly #waiting = new Waiting<VirtualService>();
  readonly #restored: RestoredRoutes;

  constructor(options: VirtualServicesOptions) {
    this.#options = options;
    this.inForce = new VirtualServiceIndex(options.services, options.hosts);
    this.#restored = new RestoredRoutes(({ owner, callerNamespace, service, subset, labels }) =>
      options.memory.note(owner, callerNamespace, service, subset, labels),
    );
  }

  /** Where compiled values are read back. */
  get restored(): RestoredRoutes {
    return this.#restored;
  }

  put(rule: string, _revision: number, resource: ParsedResource): Affected {
    const given = virtualServiceOf(resource, this.#options.defaultExportTo());
    if (given === undefined) return NOTHING;
    const restored = this.#restored.take(rule);
    if (restored !== undefined && this.inForce.get(rule) === undefined) this.#goOn(given, restored);
    return this.#judge(given);
  }

  remove(rule: string): Affected {
    this.#waiting.delete(rule);
    this.#options.memory.forget(rule);
    const restored = this.#restored.take(rule);
    const before = this.inForce.get(rule);
    if (before === undefined) return affected({ services: [...(restored?.routes.services() ?? [])] });
    const touched = this.#touches(before);
    this.inForce.delete(rule);
    return merged(touched, this.#changed(rule));
  }

  touchedBy(rule: string): Affected {
    const active = this.inForce.get(rule);
    return active === undefined ? NOTHING : this.#touches(active);
  }

  /** Something about a service of this host changed; `shape`: it came, went or changed its ports. */
  hostChanged(host: string, shape: boolean): Affected {
    const results = this.#retry(host);
    if (shape) for (const rule of this.inForce.sendingTo(host)) results.push(this.touchedBy(rule));
    return merged(NOTHING, ...results);
  }

  /** The DestinationRules of these hosts, wildcards among them, have changed. */
  destinationRulesChanged(hosts: readonly string[]): Affected {
    const rules = new Set(hosts.flatMap((host) => [...this.inForce.sendingTo(host)]));
    const names = hosts.flatMap((host) => this.inForce.fittingNames(host, this.#waiting.names()));
    return merged(
      NOTHING,
      ...names.flatMap((name) => this.#retry(name)),
      ...[...rules].map((rule) => this.touchedBy(rule)),
    );
  }

  /** Everything is seen by others now, or says other things. */
  defaultsChanged(): Affected {
    const defaultExportTo = this.#options.defaultExportTo();
    return merged(
      NOTHING,
      ...[...this.inForce.all()].map((active) => {
        if (active.frozen !== undefined) return this.#touches(active);
        const before = this.#touches(active);
        const now = { ...active, exportTo: exportedTo(active.spec.exportTo, defaultExportTo, active.namespace) };
        this.inForce.set(now);
        return merged(before, this.#touches(now));
      }),
    );
  }

  /** Why the newest revision of a rule is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#waiting.reason(rule);
  }

  /** Why a resource would wait if it was put now; undefined when it would not, or is of another kind. */
  wouldWait(resource: ParsedResource): string | undefined {
    const given = virtualServiceOf(resource, this.#options.defaultExportTo());
    return given === undefined ? undefined : this.#missing(given)?.reason;
  }

  get pendingCount(): number {
    return this.#waiting.size;
  }

  /** Names of all rules in force, those included that only an earlier leader knew. */
  activeRules(): string[] {
    return [...[...this.inForce.all()].map(({ rule }) => rule), ...this.#restored.rules()];
  }

  /** What an earlier leader had put in force stays so. */
  #goOn(newest: VirtualService, { revision, routes }: RestoredRules): void {
    if (revision === newest.revision) {
      this.inForce.set(newest);
      return;
    }
    const resource = this.#options.findRevision(newest.rule, revision);
    const earlier = resource && virtualServiceOf(resource, this.#options.defaultExportTo());
    this.inForce.set(earlier ?? { ...newest, revision, exportTo: routes.exportTo, frozen: routes });
  }

  #judge(given: VirtualService): Affected {
    const { rule } = given;
    const active = this.inForce.get(rule);
    const missing = active?.revision === given.revision ? undefined : this.#missing(given);
    if (missing !== undefined) {
      this.#waiting.set(rule, given, missing);
      return affected({ pending: missing.reason });
    }
    this.#waiting.delete(rule);
    const before = active === undefined ? NOTHING : this.#touches(active);
    // Labels of subsets are looked up anew for a new text.
    if (active !== undefined && active.revision !== given.revision) this.#options.memory.forget(rule);
    this.inForce.set(given);
    this.#remember(given);
    return merged(before, this.#touches(given), this.#changed(rule));
  }

  #missing(given: VirtualService) {
    const { services, rules } = this.#options;
    return missingFor(given, services, rules, (rule) => this.inForce.get(rule) !== undefined);
  }

  /** What delegates to a rule that came, went or changed. */
  #changed(rule: string): Affected {
    const roots = [...this.inForce.delegatingTo(rule)].map((root) => this.touchedBy(root));
    return merged(NOTHING, ...roots, ...this.#retry(rule));
  }

  #retry(name: string): Affected[] {
    const byDefault = this.#options.defaultExportTo();
    return this.#waiting.for(name).flatMap(([rule, stored]) => {
      const waiting = { ...stored, exportTo: exportedTo(stored.spec.exportTo, byDefault, stored.namespace) };
      const result = this.#judge(waiting);
      if (result.pending !== undefined) return [];
      const activated = { rule, revision: waiting.revision, affected: { ...result, activated: [] } };
      return [{ ...result, activated: [activated, ...(result.activated ?? [])] }];
    });
  }

  /** The labels that its subsets stand for now: what drops them a moment later may come before anything is compiled. */
  #remember({ rule, namespace, spec }: VirtualService): void {
    const { services, rules, memory } = this.#options;
    for (const { host, subset } of destinationsOf({ spec })) {
      const key = subset === "" ? undefined : services.resolve(host, namespace);
      const service = key === undefined ? undefined : services.service(key);
      if (key === undefined || service === undefined) continue;
      const labels = rules.subsetLabels(namespace, service, subset) ?? rules.anySubsetLabels(service, subset);
      if (labels !== undefined) memory.note(rule, "", key, subset, labels);
    }
  }

  /** All that it shows in, itself or by those that delegate to it. */
  #touches(active: VirtualService): Affected {
    const shown = [active.rule, ...this.inForce.delegatingTo(active.rule)].flatMap(
      (rule) => this.inForce.get(rule) ?? [],
    );
    return affected({
      services: [...new Set([active, ...shown].flatMap((item) => this.inForce.servicesOf(item)))],
      gateways: [...new Set([active, ...shown].flatMap(({ frozen }) => frozen?.boundTo.gateways ?? []))],
      boundGateways: [...new Set([active, ...shown].flatMap((item) => this.inForce.gatewaysOf(item)))],
      ownHosts: this.inForce.ownHostsOf(active),
    });
  }
}
