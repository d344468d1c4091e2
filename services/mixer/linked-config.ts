import {
  formatMixerRef,
  type QuotaRuleSpec,
  type QuotaSpecBindingSpec,
  type QuotaSpecSpec,
  ROOT_NAMESPACE,
} from "../../shared/model/index.ts";
import {
  type AdapterParams,
  type CompiledInstance,
  type CompiledMatch,
  TEMPLATES_OF,
  VARIETY_OF,
  type Variety,
} from "../../shared/policy/index.ts";
import type { ConfigEntry, ConfigSet, ParsedRule } from "./config-set.ts";

/** A configuration resource at one revision: what a plan or a snapshot was made from. */
export interface Source {
  readonly key: string;
  readonly revision: number;
}

export interface LinkedHandler extends Source {
  /** `name.kind.namespace`. */
  readonly name: string;
  readonly adapter: AdapterParams;
}

export interface LinkedInstance extends Source {
  readonly name: string;
  readonly variety: Variety;
  readonly instance: CompiledInstance;
}

export interface LinkedAction {
  readonly handler: LinkedHandler;
  readonly instances: readonly LinkedInstance[];
}

export interface LinkedRule extends Source {
  readonly namespace: string;
  readonly name: string;
  readonly match: CompiledMatch | undefined;
  readonly tcp: boolean;
  /** Its condition reads `context.reporter.kind`; other rules see inbound reports. */
  readonly readsReporter: boolean;
  readonly actions: readonly LinkedAction[];
}

export interface LinkedQuotas {
  readonly hosts: ReadonlySet<string>;
  readonly rules: readonly QuotaRuleSpec[];
  /** The binding and its specs. */
  readonly sources: readonly Source[];
}

export interface Fault {
  readonly key: string;
  readonly reason: string;
}

/** The configuration with every reference looked up; what is broken is left out and named in `faults`. */
export interface LinkedConfig {
  readonly revision: number;
  readonly handlers: readonly LinkedHandler[];
  /** Per namespace, by name. */
  readonly rules: ReadonlyMap<string, readonly LinkedRule[]>;
  readonly quotas: readonly LinkedQuotas[];
  readonly faults: readonly Fault[];
}

/** The rules for a destination's namespace, those of the whole mesh first. */
export function rulesFor<R>(rules: ReadonlyMap<string, readonly R[]>, namespace: string): readonly R[] {
  const root = rules.get(ROOT_NAMESPACE) ?? [];
  const own = namespace === ROOT_NAMESPACE ? [] : (rules.get(namespace) ?? []);
  return own.length === 0 ? root : [...root, ...own];
}

export function linkConfig(set: ConfigSet): LinkedConfig {
  const faults: Fault[] = [];
  const handlers = new Map<string, LinkedHandler>();
  const instances = new Map<string, LinkedInstance>();
  const specs = new Map<string, ConfigEntry>();
  const ruleEntries: ConfigEntry[] = [];
  const bindings: ConfigEntry[] = [];
  for (const entry of set.entries.values()) {
    const { key, revision } = entry;
    if (entry.fault !== undefined) faults.push({ key, reason: entry.fault });
    if (entry.deleted || entry.parsed === undefined) continue;
    const name = formatMixerRef(entry);
    if (entry.class === "mixer-handler")
      handlers.set(name, { key, revision, name, adapter: entry.parsed as AdapterParams });
    else if (entry.class === "mixer-instance") {
      const instance = entry.parsed as CompiledInstance;
      instances.set(name, { key, revision, name, instance, variety: VARIETY_OF[instance.template] });
    } else if (entry.class === "mixer-rule") ruleEntries.push(entry);
    else if (entry.class === "quota-spec") specs.set(`${entry.namespace}/${entry.name}`, entry);
    else bindings.push(entry);
  }
  const rules = new Map<string, LinkedRule[]>();
  for (const entry of ruleEntries.sort(byNameAndKey)) {
    const linked = linkRule(entry, handlers, instances, faults);
    const list = rules.get(entry.namespace);
    if (list === undefined) rules.set(entry.namespace, [linked]);
    else list.push(linked);
  }
  const quotas = bindings.sort(byNameAndKey).map((entry) => linkQuotas(entry, specs, faults));
  return { revision: set.revision, handlers: [...handlers.values()], rules, quotas, faults };
}

function byNameAndKey(a: ConfigEntry, b: ConfigEntry): number {
  return a.name === b.name ? (a.key < b.key ? -1 : 1) : a.name < b.name ? -1 : 1;
}

function linkRule(
  entry: ConfigEntry,
  handlers: ReadonlyMap<string, LinkedHandler>,
  instances: ReadonlyMap<string, LinkedInstance>,
  faults: Fault[],
): LinkedRule {
  const { spec, match, tcp } = entry.parsed as ParsedRule;
  const actions: LinkedAction[] = [];
  for (const action of spec.actions) {
    const handlerName = formatMixerRef(action.handler);
    const handler = handlers.get(handlerName);
    if (handler === undefined) {
      faults.push({ key: entry.key, reason: `handler ${handlerName} not found` });
      continue;
    }
    const linked = action.instances.flatMap((reference) => {
      const name = formatMixerRef(reference);
      const instance = instances.get(name);
      if (instance !== undefined && TEMPLATES_OF[handler.adapter.adapter].includes(instance.instance.template))
        return [instance];
      const reason =
        instance === undefined
          ? `instance ${name} not found`
          : `handler ${handlerName} takes no ${instance.instance.template}`;
      faults.push({ key: entry.key, reason });
      return [];
    });
    if (linked.length > 0) actions.push({ handler, instances: linked });
  }
  const readsReporter = match?.references.includes("context.reporter.kind") === true;
  const { key, revision, namespace, name } = entry;
  return { key, revision, namespace, name, match, tcp, readsReporter, actions };
}

function linkQuotas(entry: ConfigEntry, specs: ReadonlyMap<string, ConfigEntry>, faults: Fault[]): LinkedQuotas {
  const binding = entry.parsed as QuotaSpecBindingSpec;
  const sources: Source[] = [{ key: entry.key, revision: entry.revision }];
  const rules: QuotaRuleSpec[] = [];
  for (const { name, namespace } of binding.quotaSpecs) {
    const spec = specs.get(`${namespace}/${name}`);
    if (spec === undefined) {
      faults.push({ key: entry.key, reason: `QuotaSpec ${namespace}/${name} not found` });
      continue;
    }
    sources.push({ key: spec.key, revision: spec.revision });
    rules.push(...(spec.parsed as QuotaSpecSpec).rules);
  }
  return { hosts: new Set(binding.services.map((service) => service.host)), rules, sources };
}
