import { formatMixerRef, ROOT_NAMESPACE, resolveHost, type ServiceName, serviceHost } from "../../model/index.ts";
import { checkReferences, isAdapter, isTemplate, type PolicyResources } from "../../policy/index.ts";
import {
  QUOTA_WITHOUT_BINDING,
  QUOTA_WITHOUT_RULE,
  RULE_FOR_UNKNOWN_SERVICE,
  RULE_OUT_OF_SCOPE,
  RULE_WITHOUT_EFFECT,
  UNBOUND_QUOTA_SPEC,
  UNUSED_HANDLER,
  UNUSED_INSTANCE,
  WRONG_INSTANCE,
} from "../codes/mixer.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";

/** Rules, handlers, instances and quotas. */
export function checkMixer(index: MeshIndex, report: Report): void {
  const used = new Set<string>();
  const resources: PolicyResources = { find: (key) => index.parsed(key), rules: () => [] };
  for (const item of index.all("rule")) {
    for (const { handler, instances } of item.spec.actions)
      for (const ref of [handler, ...instances]) used.add(formatMixerRef(ref));
    checkRule(index, report, item);
    const parsed = index.parsed(item.key);
    for (const { path, reason, remedy, value } of parsed === undefined ? [] : checkReferences(parsed, resources)) {
      // What is not there at all is told as an unknown reference.
      if (isMissing(index, item, path)) continue;
      report.add(WRONG_INSTANCE, item.key, path, `${String(value)}: ${reason}`, remedy);
    }
  }
  for (const { key, parsed } of index.world.resources) {
    if (parsed === undefined || used.has(formatMixerRef(key))) continue;
    if (isAdapter(key.kind)) report.add(UNUSED_HANDLER, key, "", "no rule names it");
    else if (isTemplate(key.kind)) report.add(UNUSED_INSTANCE, key, "", "no rule names it");
  }
  checkQuotas(index, report);
}

function isMissing(index: MeshIndex, { spec }: Item<"rule">, path: string): boolean {
  const [, i = "", , j] = /^spec\.actions\[(\d+)\](\.instances\[(\d+)\])?/.exec(path) ?? [];
  const action = spec.actions[Number(i)];
  const ref = j === undefined ? action?.handler : action?.instances[Number(j)];
  return ref !== undefined && !index.exists(ref.kind, ref.namespace, ref.name);
}

function checkRule(index: MeshIndex, report: Report, { key, spec }: Item<"rule">): void {
  if (spec.actions.length === 0) report.add(RULE_WITHOUT_EFFECT, key, "spec.actions", "it has no actions");
  const { shape, equalities } = spec.condition;
  if (shape.kind === "constant" && shape.value === false)
    report.add(RULE_WITHOUT_EFFECT, key, "spec.match", "the condition is never true");
  const values = new Map<string, string | number | boolean>();
  for (const { attribute, value } of equalities) {
    const first = values.get(attribute);
    if (first !== undefined && first !== value)
      report.add(
        RULE_WITHOUT_EFFECT,
        key,
        "spec.match",
        `${attribute} cannot be ${JSON.stringify(first)} and ${JSON.stringify(value)}`,
      );
    values.set(attribute, value);
  }
  const namespace = values.get("destination.namespace");
  const service = values.get("destination.service");
  const name = typeof service === "string" ? serviceNamed(service) : undefined;
  const wanted = name?.namespace ?? (typeof namespace === "string" ? namespace : undefined);
  if (key.namespace !== ROOT_NAMESPACE && wanted !== undefined && wanted !== key.namespace)
    report.add(
      RULE_OUT_OF_SCOPE,
      key,
      "spec.match",
      `it sees only what is sent to ${key.namespace}, and asks for ${wanted}`,
    );
  if (typeof service !== "string") return;
  const host = { host: service, service: name };
  const isKnown =
    service.includes(".") && (!index.knowsServices || index.hosts.find(host, key.namespace) !== undefined);
  if (!isKnown)
    report.add(RULE_FOR_UNKNOWN_SERVICE, key, "spec.match", `no service has the name ${JSON.stringify(service)}`);
}

/** The service that a full name is of. */
function serviceNamed(host: string): ServiceName | undefined {
  const name = resolveHost(host, "");
  return name !== undefined && serviceHost(name) === host ? name : undefined;
}

function checkQuotas(index: MeshIndex, report: Report): void {
  const bindings = index.all("QuotaSpecBinding");
  const bound = new Set(
    bindings.flatMap(({ spec }) => spec.quotaSpecs.map(({ namespace, name }) => `${namespace}/${name}`)),
  );
  for (const { key } of index.all("QuotaSpec")) {
    if (!bound.has(`${key.namespace}/${key.name}`))
      report.add(UNBOUND_QUOTA_SPEC, key, "", "no QuotaSpecBinding names it");
  }
  const rules = index.all("rule").filter(({ spec }) => quotaOf(spec) !== undefined);
  for (const { key, spec } of bindings) {
    for (const [i, { service, host }] of spec.services.entries()) {
      if (service === undefined || rules.some((rule) => concerns(rule, service))) continue;
      report.add(QUOTA_WITHOUT_RULE, key, `spec.services[${i}]`, `no rule counts quotas for ${host}`);
    }
  }
  if (bindings.length > 0) return;
  for (const { key, spec } of rules)
    report.add(QUOTA_WITHOUT_BINDING, key, "spec.actions", `${quotaOf(spec)} is never asked for: nothing is charged`);
}

function quotaOf(spec: Item<"rule">["spec"]): string | undefined {
  const ref = spec.actions.flatMap(({ instances }) => instances).find(({ kind }) => kind === "quota");
  return ref === undefined ? undefined : formatMixerRef(ref);
}

/** Whether a rule may see what is sent to a service. */
function concerns(
  { key, spec }: Item<"rule">,
  service: { readonly namespace: string; readonly service: string },
): boolean {
  if (key.namespace !== ROOT_NAMESPACE && key.namespace !== service.namespace) return false;
  return spec.condition.equalities.every(({ attribute, value }) => {
    if (attribute === "destination.namespace") return value === service.namespace;
    return attribute !== "destination.service" || value === serviceHost(service);
  });
}
