import {
  type FieldError,
  formatKey,
  formatMixerRef,
  isKind,
  keyOf,
  type MixerRef,
  type ParsedResource,
  type ResourceKey,
} from "../model/index.ts";
import { TEMPLATES } from "./instances.ts";
import { type CompiledRule, isAdapter, isTemplate, RULE } from "./kinds.ts";
import { ADAPTERS, type AdapterParams, TEMPLATES_OF } from "./parameters.ts";

/**
 * Rules name handlers and instances, and a name that leads nowhere makes a rule without effect. So what a rule names
 * must be there first, and stays for as long as a rule names it.
 */
export interface PolicyResources {
  /** Undefined when there is none, or it is not valid. */
  find(key: ResourceKey): ParsedResource | undefined;
  /** Every rule. */
  rules(): Iterable<ParsedResource>;
}

/** What is wrong between a resource that is valid in itself and the others; empty for kinds that refer to nothing. */
export function checkReferences(resource: ParsedResource, resources: PolicyResources): readonly FieldError[] {
  if (isKind(resource, RULE)) return checkRule(resource.parsed, resources);
  return isAdapter(resource.definition.kind) ? checkHandler(resource, resources) : [];
}

/** Why a handler or an instance cannot be deleted: the rules that name it. */
export function checkRemoval(key: ResourceKey, resources: PolicyResources): readonly FieldError[] {
  if (!isAdapter(key.kind) && !isTemplate(key.kind)) return [];
  const users = [...rulesNaming(key, resources)].map(([rule]) => formatKey(keyOf(rule.resource)));
  if (users.length === 0) return [];
  const full = formatMixerRef(key);
  return [
    {
      path: "",
      value: full,
      reason: `${full} is used by ${users.join(", ")}`,
      remedy: "delete the rule first, or take it out there",
    },
  ];
}

function checkRule(rule: CompiledRule, resources: PolicyResources): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, action] of rule.actions.entries()) {
    const path = `spec.actions[${i}]`;
    const handler = findHandler(action.handler, `${path}.handler`, resources, errors);
    for (const [j, instance] of action.instances.entries()) {
      const at = `${path}.instances[${j}]`;
      const isThere = findInstance(instance, at, resources, errors);
      if (!isThere || handler === undefined) continue;
      const reason = refusal(handler, instance);
      if (reason !== undefined) errors.push({ path: at, value: formatMixerRef(instance), ...reason });
    }
  }
  return errors;
}

function findHandler(
  ref: MixerRef,
  path: string,
  resources: PolicyResources,
  errors: FieldError[],
): AdapterParams | undefined {
  const value = formatMixerRef(ref);
  if (!isAdapter(ref.kind)) {
    errors.push({
      path,
      value,
      reason: `${value} is not a handler`,
      remedy: `handlers are of kind ${ADAPTERS.join(", ")}`,
    });
    return undefined;
  }
  const found = resources.find(ref);
  if (found === undefined) {
    errors.push({ path, value, reason: `${value} not found`, remedy: "apply the handler first, or correct its name" });
  }
  return found?.parsed as AdapterParams | undefined;
}

function findInstance(ref: MixerRef, path: string, resources: PolicyResources, errors: FieldError[]): boolean {
  const value = formatMixerRef(ref);
  if (!isTemplate(ref.kind)) {
    errors.push({
      path,
      value,
      reason: `${value} is not an instance`,
      remedy: `instances are of kind ${TEMPLATES.join(", ")}`,
    });
    return false;
  }
  if (resources.find(ref) !== undefined) return true;
  errors.push({ path, value, reason: `${value} not found`, remedy: "apply the instance first, or correct its name" });
  return false;
}

/** Why a handler cannot take an instance. */
function refusal(
  handler: AdapterParams,
  instance: MixerRef,
): { readonly reason: string; readonly remedy: string } | undefined {
  const full = formatMixerRef(instance);
  const templates = TEMPLATES_OF[handler.adapter];
  if (!templates.some((template) => template === instance.kind)) {
    return {
      reason: `a ${handler.adapter} does not take a ${instance.kind}`,
      remedy: `give it instances of kind ${templates.join(", ")}`,
    };
  }
  switch (handler.adapter) {
    case "memquota":
    case "redisquota":
      if (handler.params.quotas.some(({ name }) => name === full)) return undefined;
      return { reason: `did not find limit defined for quota ${full}`, remedy: `add ${full} to the handler's quotas` };
    case "prometheus":
      if (handler.params.metrics.some(({ instanceName }) => instanceName === full)) return undefined;
      return { reason: `did not find a metric defined for ${full}`, remedy: `add ${full} to the handler's metrics` };
    default:
      return undefined;
  }
}

/** A handler that changes must still take what rules send to it. */
function checkHandler(resource: ParsedResource, resources: PolicyResources): readonly FieldError[] {
  const handler = resource.parsed as AdapterParams;
  const errors: FieldError[] = [];
  for (const [rule, instances] of rulesNaming(keyOf(resource.resource), resources)) {
    for (const instance of instances) {
      const reason = refusal(handler, instance);
      if (reason === undefined) continue;
      const user = formatKey(keyOf(rule.resource));
      errors.push({
        path: "spec",
        value: formatMixerRef(instance),
        reason: `${reason.reason}, which ${user} sends here`,
        remedy: `keep it, or change ${user} first`,
      });
    }
  }
  return errors;
}

/** The rules that name a handler or an instance, each with the instances it sends to it. */
function* rulesNaming(
  key: ResourceKey,
  resources: PolicyResources,
): Generator<readonly [ParsedResource<CompiledRule>, readonly MixerRef[]]> {
  const isSame = (ref: MixerRef): boolean =>
    ref.name === key.name && ref.kind === key.kind && ref.namespace === key.namespace;
  for (const rule of resources.rules()) {
    if (!isKind(rule, RULE)) continue;
    const actions = rule.parsed.actions.filter(({ handler, instances }) => isSame(handler) || instances.some(isSame));
    if (actions.length > 0) yield [rule, actions.flatMap(({ instances }) => instances)];
  }
}
