import {
  EGRESS_RULE,
  type EgressRuleSpec,
  type ExportTo,
  isKind,
  type ParsedResource,
  revisionOf,
  SERVICE_ENTRY,
  WORKLOAD_ENTRY,
  type WorkloadEntrySpec,
} from "../../../shared/model/index.ts";
import { tableKey } from "../../../shared/wire/index.ts";
import { agedOf } from "./age.ts";
import { EgressClaims, egressConflicts } from "./egress-rules.ts";
import type { KnownWorkload, RegisteredWorkload, Workloads } from "./entry-endpoints.ts";
import { buildEntryService, type EntryService, endpointChanges, sameShape } from "./entry-service.ts";
import { type EntrySource, placeOfHost, sourceOfEgressRule, sourceOfServiceEntry } from "./entry-source.ts";

/**
 * The services that configuration makes: hosts of ServiceEntries and EgressRules, in the namespace of the resource.
 *
 * Each is kept as it was compiled last and compared with what comes next, so that a change answers with the services that really
 * are others now, and with those of their instances that came, went or changed: just what the registry says of its own.
 */
export interface EntryChange {
  /** Key in table `service`. */
  readonly service: string;
  /** The service came, went, or changed beside its instances. */
  readonly shape: boolean;
  readonly instances: readonly string[];
}

export interface EntryOutcome {
  readonly changes: readonly EntryChange[];
  /** Resources that waited and are in force now. */
  readonly activated: readonly EntrySource[];
}

/** The instances that registered in a namespace. */
export type InstancesOf = (namespace: string) => Iterable<RegisteredWorkload>;

interface EgressEntry {
  readonly spec: EgressRuleSpec;
  readonly source: EntrySource;
}

interface Namespace {
  readonly workloads: Map<string, KnownWorkload>;
  /** Rules that choose their instances by labels. */
  readonly selecting: Set<string>;
}

export class ServiceEntries {
  readonly #instancesOf: InstancesOf;
  readonly #sources = new Map<string, EntrySource>();
  readonly #egress = new Map<string, EgressEntry>();
  readonly #claims = new EgressClaims();
  readonly #byService = new Map<string, Map<string, EntrySource>>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #views = new Map<string, EntryService>();
  #conflicts: ReadonlyMap<string, string> = new Map();
  #defaultExportTo: ExportTo = ["*"];

  constructor(instancesOf: InstancesOf) {
    this.#instancesOf = instancesOf;
  }

  /** A new or changed resource; nothing for kinds that are no matter of this. */
  put(resource: ParsedResource): EntryOutcome {
    const { namespace } = resource.resource.metadata;
    const about = { ...agedOf(resource.resource), revision: revisionOf(resource.resource), namespace };
    if (isKind(resource, SERVICE_ENTRY)) {
      return changed(this.#refresh(this.#add(sourceOfServiceEntry(about, resource.parsed))));
    }
    if (isKind(resource, WORKLOAD_ENTRY)) return changed(this.#putWorkload(about, resource.parsed));
    if (!isKind(resource, EGRESS_RULE)) return changed([]);
    const source = sourceOfEgressRule(about, resource.parsed);
    return this.#setEgress(about.rule, { spec: resource.parsed, source });
  }

  /** A resource is gone; `rule` is `<kind>/<namespace>/<name>`. */
  remove(rule: string): EntryOutcome {
    if (this.#egress.has(rule)) return this.#setEgress(rule, undefined);
    if (this.#sources.has(rule)) return changed(this.#refresh(this.#drop(rule)));
    const [, namespace = ""] = rule.split("/");
    const known = this.#namespaces.get(namespace);
    if (known?.workloads.delete(rule) !== true) return changed([]);
    this.#tidy(namespace);
    return changed(this.instancesChanged(namespace));
  }

  /** Instances that registered in the namespace came, went or changed; so may those that selectors choose. */
  instancesChanged(namespace: string): readonly EntryChange[] {
    const selecting = this.#namespaces.get(namespace)?.selecting;
    if (selecting === undefined || selecting.size === 0) return [];
    const keys = new Set<string>();
    for (const rule of selecting) for (const key of keysOf(this.#sources.get(rule))) keys.add(key);
    return this.#refresh(keys, false);
  }

  /** Who sees what says nothing about it. */
  setDefaultExportTo(exportTo: ExportTo): readonly EntryChange[] {
    if (exportTo.join("\n") === this.#defaultExportTo.join("\n")) return [];
    this.#defaultExportTo = exportTo;
    return this.#refresh(new Set(this.#byService.keys()), false);
  }

  service(key: string): EntryService | undefined {
    return this.#views.get(key);
  }

  services(): Iterable<EntryService> {
    return this.#views.values();
  }

  /** Why a resource is not in force; undefined when it is. */
  pendingReason(rule: string): string | undefined {
    return this.#conflicts.get(rule);
  }

  get pendingCount(): number {
    return this.#conflicts.size;
  }

  /** Why a rule would not be in force beside those that are there; undefined when it would. */
  conflictOf(rule: string, spec: EgressRuleSpec): string | undefined {
    const rules = [...this.#egress].map(([other, entry]) => ({ rule: other, spec: entry.spec }));
    return egressConflicts([...rules.filter((entry) => entry.rule !== rule), { rule, spec }]).get(rule);
  }

  /** Keys in table `service` into which a resource is compiled. */
  touchedBy(rule: string): readonly string[] {
    const source = this.#sources.get(rule);
    if (source !== undefined) return keysOf(source);
    const [, namespace = ""] = rule.split("/");
    const known = this.#namespaces.get(namespace);
    const workload = known?.workloads.get(rule);
    if (known === undefined || workload === undefined) return [];
    const keys = [...known.selecting].flatMap((selecting) => keysOf(this.#sources.get(selecting)));
    return [...new Set(keys)].filter((key) =>
      this.#views.get(key)?.endpoints.some(({ instance }) => instance === rule),
    );
  }

  #putWorkload(
    { rule, namespace, revision }: Pick<EntrySource, "rule" | "namespace" | "revision">,
    spec: WorkloadEntrySpec,
  ): readonly EntryChange[] {
    const [, , name = ""] = rule.split("/");
    this.#namespace(namespace).workloads.set(rule, { rule, name, revision, spec });
    return this.instancesChanged(namespace);
  }

  /** One that shares nothing with another, before or now, is judged by itself: so many of them cost no more than few. */
  #setEgress(rule: string, now: EgressEntry | undefined): EntryOutcome {
    const before = this.#egress.get(rule);
    let isAlone = true;
    if (before !== undefined) {
      isAlone = this.#claims.isAlone(before.spec);
      this.#claims.remove(before.spec);
      this.#egress.delete(rule);
    }
    if (now !== undefined) {
      this.#claims.add(now.spec);
      this.#egress.set(rule, now);
      isAlone &&= this.#claims.isAlone(now.spec);
    }
    if (!isAlone) return this.#settleEgress(rule);
    return changed(this.#refresh(now === undefined ? this.#drop(rule) : this.#add(now.source)));
  }

  /** Puts those egress rules in force that are to be now; `put` is the one that came, changed or went. */
  #settleEgress(put: string): EntryOutcome {
    this.#conflicts = egressConflicts([...this.#egress].map(([rule, { spec }]) => ({ rule, spec })));
    const keys = new Set<string>();
    const activated: EntrySource[] = [];
    for (const rule of new Set([put, ...this.#egress.keys()])) {
      const source = this.#conflicts.has(rule) ? undefined : this.#egress.get(rule)?.source;
      if (source === this.#sources.get(rule)) continue;
      for (const key of source === undefined ? this.#drop(rule) : this.#add(source)) keys.add(key);
      if (source !== undefined && rule !== put) activated.push(source);
    }
    return { changes: this.#refresh(keys), activated };
  }

  /** Returns the services that it is or was about. */
  #add(source: EntrySource): Set<string> {
    const keys = this.#drop(source.rule);
    this.#sources.set(source.rule, source);
    if (source.workloadLabels !== undefined) this.#namespace(source.namespace).selecting.add(source.rule);
    for (const key of keysOf(source)) {
      const sources = this.#byService.get(key) ?? new Map<string, EntrySource>();
      this.#byService.set(key, sources.set(source.rule, source));
      keys.add(key);
    }
    return keys;
  }

  #drop(rule: string): Set<string> {
    const source = this.#sources.get(rule);
    if (source === undefined) return new Set();
    const keys = keysOf(source);
    this.#sources.delete(rule);
    this.#namespaces.get(source.namespace)?.selecting.delete(rule);
    this.#tidy(source.namespace);
    for (const key of keys) {
      const sources = this.#byService.get(key);
      sources?.delete(rule);
      if (sources?.size === 0) this.#byService.delete(key);
    }
    return new Set(keys);
  }

  /** `told`: their configuration changed, so they count as changed whatever came of it. */
  #refresh(keys: Iterable<string>, told = true): EntryChange[] {
    const changes: EntryChange[] = [];
    for (const key of keys) {
      const before = this.#views.get(key);
      const sources = this.#byService.get(key);
      const now =
        sources === undefined
          ? undefined
          : buildEntryService(key, [...sources.values()], this.#defaultExportTo, (source) => this.#workloads(source));
      if (now === undefined) this.#views.delete(key);
      else this.#views.set(key, now);
      const shape = told || !sameShape(before, now);
      const instances = endpointChanges(before, now);
      if (shape || instances.length > 0) changes.push({ service: key, shape, instances });
    }
    return changes;
  }

  #workloads({ namespace }: EntrySource): Workloads {
    const entries = [...(this.#namespaces.get(namespace)?.workloads.values() ?? [])];
    return { entries, instances: this.#instancesOf(namespace) };
  }

  #namespace(namespace: string): Namespace {
    const known = this.#namespaces.get(namespace) ?? { workloads: new Map(), selecting: new Set() };
    this.#namespaces.set(namespace, known);
    return known;
  }

  #tidy(namespace: string): void {
    const known = this.#namespaces.get(namespace);
    if (known?.workloads.size === 0 && known.selecting.size === 0) this.#namespaces.delete(namespace);
  }
}

function changed(changes: readonly EntryChange[]): EntryOutcome {
  return { changes, activated: [] };
}

/** Keys in table `service` of the hosts of a source; those that belong to other namespaces have none. */
export function keysOf(source: EntrySource | undefined): string[] {
  if (source === undefined) return [];
  const keys = new Set<string>();
  for (const host of source.hosts) {
    const place = placeOfHost(host, source.namespace);
    if (place !== undefined) keys.add(tableKey(place.namespace, place.name));
  }
  return [...keys];
}
