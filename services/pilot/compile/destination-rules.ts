import {
  DESTINATION_RULE,
  type DestinationRuleSpec,
  type ExportTo,
  isKind,
  type Labels,
  type ParsedResource,
  ROOT_NAMESPACE,
  type TrafficPolicySpec,
} from "../../../shared/model/index.ts";
import { type Aged, agedOf, compareAge } from "./age.ts";
import { HostPatterns } from "./host-patterns.ts";
import { meantHosts } from "./services.ts";
import { exportedTo, isVisible } from "./visibility.ts";

/**
 * DestinationRules, and which of them a caller meets for a service: those of the caller's own namespace, else those of
 * the service's, else those of the root namespace; there the ones for the most specific host. Several that are left say it
 * together, the oldest first: the first definition of a subset stands, and so does the first traffic policy.
 *
 * Rules with a workloadSelector are not joined with others: they take their place for the workloads that they choose, which the
 * proxy decides.
 */
export interface DestinationRule extends Aged {
  readonly revision: number;
  readonly namespace: string;
  readonly spec: DestinationRuleSpec;
  readonly exportTo: ExportTo;
}

/** The service that is asked about. */
export interface AboutService {
  readonly host: string;
  readonly namespace: string;
}

/** What holds for a caller. */
export interface ChosenRules {
  /** For workloads that no selector chooses; undefined when there is none. */
  readonly general: JoinedRules | undefined;
  /** For workloads with certain labels; the first that fits is the workload's. */
  readonly selective: readonly { readonly labels: Labels; readonly rules: JoinedRules }[];
}

/** Several rules for one host as one. */
export class JoinedRules {
  /** The oldest first. */
  readonly entries: readonly DestinationRule[];

  constructor(entries: readonly DestinationRule[]) {
    this.entries = entries;
  }

  /** One text per set of rules. */
  get id(): string {
    return this.entries.map(({ rule }) => rule).join(" ");
  }

  get trafficPolicy(): TrafficPolicySpec | undefined {
    return this.entries.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  }

  /** Whose traffic policy stands, or just the first. */
  get policyRule(): string {
    const owner = this.entries.find(({ spec }) => spec.trafficPolicy !== undefined) ?? this.entries[0];
    return owner?.rule ?? "";
  }

  /** The first of each name. */
  get subsets(): readonly Subset[] {
    const named = new Map<string, Subset>();
    for (const { rule, spec } of this.entries) {
      for (const { name, labels, trafficPolicy } of spec.subsets)
        if (!named.has(name)) named.set(name, { rule, name, labels, trafficPolicy });
    }
    return [...named.values()];
  }
}

export interface Subset {
  readonly rule: string;
  readonly name: string;
  readonly labels: Labels;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
}

export class DestinationRules {
  readonly #entries = new Map<string, DestinationRule>();
  readonly #byHost = new HostPatterns<string>();

  /** Returns what was there under the name. */
  put(
    rule: string,
    revision: number,
    resource: ParsedResource,
    defaultExportTo: ExportTo | undefined,
  ): DestinationRule | undefined {
    const before = this.take(rule);
    if (!isKind(resource, DESTINATION_RULE)) return before;
    const { namespace } = resource.resource.metadata;
    const spec = resource.parsed;
    const exportTo = exportedTo(spec.exportTo, defaultExportTo, namespace);
    this.#entries.set(rule, { ...agedOf(resource.resource), revision, namespace, spec, exportTo });
    for (const host of meantHosts(spec.host)) this.#byHost.add(host, rule);
    return before;
  }

  take(rule: string): DestinationRule | undefined {
    const entry = this.#entries.get(rule);
    if (entry === undefined) return undefined;
    this.#entries.delete(rule);
    for (const host of meantHosts(entry.spec.host)) this.#byHost.remove(host, rule);
    return entry;
  }

  get(rule: string): DestinationRule | undefined {
    return this.#entries.get(rule);
  }

  /** Other exports by default: every rule that says nothing about it is seen by others now. */
  setDefaultExportTo(defaultExportTo: ExportTo | undefined): void {
    for (const [rule, entry] of this.#entries) {
      this.#entries.set(rule, {
        ...entry,
        exportTo: exportedTo(entry.spec.exportTo, defaultExportTo, entry.namespace),
      });
    }
  }

  /** What callers of a namespace meet; undefined: those of all namespaces that no rule speaks of. */
  chosenBy(callerNamespace: string | undefined, service: AboutService): ChosenRules {
    const fitting = this.#byHost.fitting(service.host);
    if (fitting.length === 0) return NONE;
    const selective: ChosenRules["selective"][number][] = [];
    for (const namespace of searched(callerNamespace, service.namespace)) {
      for (const [, rules] of fitting) {
        const found = this.#visible(rules, namespace, callerNamespace);
        const general = found.filter(({ spec }) => spec.workloadLabels === undefined);
        for (const entry of found) {
          const labels = entry.spec.workloadLabels;
          if (labels !== undefined) selective.push({ labels, rules: new JoinedRules([entry]) });
        }
        if (general.length > 0) return { general: new JoinedRules(general), selective };
      }
    }
    return selective.length === 0 ? NONE : { general: undefined, selective };
  }

  /** Namespaces whose callers may meet other rules than all others do. */
  namespacesOf(service: AboutService): Set<string> {
    const namespaces = new Set<string>();
    for (const [, rules] of this.#byHost.fitting(service.host)) {
      for (const rule of rules) {
        const entry = this.#entries.get(rule);
        if (entry === undefined) continue;
        const isFound = entry.namespace === service.namespace || entry.namespace === ROOT_NAMESPACE;
        if (!isFound || entry.spec.workloadLabels !== undefined) namespaces.add(entry.namespace);
        else for (const name of entry.exportTo) if (name !== "*" && name !== "~") namespaces.add(name);
      }
    }
    return namespaces;
  }

  /** The newest revision of those about a service, for whichever callers; 0 when there are none. */
  revisionFor(service: AboutService): number {
    let newest = 0;
    for (const [, rules] of this.#byHost.fitting(service.host))
      for (const rule of rules) newest = Math.max(newest, this.#entries.get(rule)?.revision ?? 0);
    return newest;
  }

  /** Labels of a subset as callers of a namespace know it. */
  subsetLabels(callerNamespace: string | undefined, service: AboutService, subset: string): Labels | undefined {
    const { general, selective } = this.chosenBy(callerNamespace, service);
    for (const rules of [general, ...selective.map((item) => item.rules)]) {
      const found = rules?.subsets.find(({ name }) => name === subset);
      if (found !== undefined) return found.labels;
    }
    return undefined;
  }

  /** Labels of a subset as anybody knows it: the oldest rule that has it. */
  anySubsetLabels(service: AboutService, subset: string): Labels | undefined {
    for (const [, rules] of this.#byHost.fitting(service.host)) {
      const entries = [...rules].flatMap((rule) => this.#entries.get(rule) ?? []).sort(compareAge);
      const found = entries.flatMap(({ spec }) => spec.subsets).find(({ name }) => name === subset);
      if (found !== undefined) return found.labels;
    }
    return undefined;
  }

  #visible(rules: ReadonlySet<string>, namespace: string, callerNamespace: string | undefined): DestinationRule[] {
    const found: DestinationRule[] = [];
    for (const rule of rules) {
      const entry = this.#entries.get(rule);
      if (entry === undefined || entry.namespace !== namespace || !isVisible(entry.exportTo, callerNamespace)) continue;
      // Chooses among the workloads of its own namespace.
      if (entry.spec.workloadLabels !== undefined && callerNamespace !== namespace) continue;
      found.push(entry);
    }
    return found.sort(compareAge);
  }
}

const NONE: ChosenRules = { general: undefined, selective: [] };

function searched(callerNamespace: string | undefined, serviceNamespace: string): Set<string> {
  const own = callerNamespace === undefined || callerNamespace === ROOT_NAMESPACE ? [] : [callerNamespace];
  return new Set([...own, serviceNamespace, ROOT_NAMESPACE]);
}
