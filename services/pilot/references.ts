import {
  type FieldError,
  formatMixerRef,
  isKind,
  type KindRegistry,
  MIXER_RULE,
  type MixerRef,
  type ParsedResource,
  QUOTA_SPEC_BINDING,
  type Resource,
  type ResourceKey,
  specOf,
} from "../../shared/model/index.ts";

/** What another resource must be there for; a missing optional one is worth a warning only. */
interface Reference {
  readonly key: ResourceKey;
  readonly path: string;
  /** As people write it. */
  readonly text: string;
  readonly class: "mixer-handler" | "mixer-instance" | "quota-spec";
  readonly optional: boolean;
}

export interface ReferenceFaults {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly FieldError[];
}

/** Whether a resource can only be accepted after others that it names. */
export function hasReferences(resource: ParsedResource): boolean {
  return resource.definition.class === "mixer-rule" || resource.definition.class === "quota-binding";
}

/** Checks that what a resource names exists and is of the right sort. */
export function checkReferences(
  resource: ParsedResource,
  kinds: KindRegistry,
  exists: (key: ResourceKey) => boolean,
): ReferenceFaults {
  const errors: FieldError[] = [];
  const warnings: FieldError[] = [];
  for (const { key, path, text, class: wanted, optional } of referencesOf(resource)) {
    const definition = kinds.get(key.kind);
    const what = wanted === "mixer-handler" ? "handler" : wanted === "mixer-instance" ? "instance" : "QuotaSpec";
    if (definition?.class !== wanted) {
      errors.push({
        path,
        value: text,
        reason: `${text} not found: ${key.kind} is not a kind of ${what}`,
        remedy: `name a ${what}`,
      });
    } else if (!exists(key)) {
      const fault = { path, value: text, reason: `${text} not found`, remedy: `apply the ${what} first` };
      (optional ? warnings : errors).push(fault);
    }
  }
  return { errors, warnings };
}

/** Names of the stored resources that could not do without this one. */
export function dependentsOf(key: ResourceKey, resources: Iterable<Resource>, kinds: KindRegistry): string[] {
  const dependents: string[] = [];
  for (const resource of resources) {
    const definition = kinds.get(resource.kind);
    if (definition?.class !== "mixer-rule") continue;
    let references: Reference[];
    try {
      references = referencesOf({ resource, definition, parsed: specOf(definition, resource) });
    } catch {
      // A stored rule that cannot be read holds nothing.
      continue;
    }
    const isNamed = references.some(
      ({ key: other }) => other.kind === key.kind && other.namespace === key.namespace && other.name === key.name,
    );
    if (isNamed) dependents.push(`${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name}`);
  }
  return dependents;
}

function referencesOf(resource: ParsedResource): Reference[] {
  if (isKind(resource, MIXER_RULE)) {
    return resource.parsed.actions.flatMap((action, i) => [
      mixerReference(action.handler, `spec.actions[${i}].handler`, "mixer-handler"),
      ...action.instances.map((item, j) =>
        mixerReference(item, `spec.actions[${i}].instances[${j}]`, "mixer-instance"),
      ),
    ]);
  }
  if (isKind(resource, QUOTA_SPEC_BINDING)) {
    return resource.parsed.quotaSpecs.map(({ name, namespace }, i) => ({
      key: { kind: "QuotaSpec", namespace, name },
      path: `spec.quotaSpecs[${i}].name`,
      text: `${name}.${namespace}`,
      class: "quota-spec",
      optional: true,
    }));
  }
  return [];
}

function mixerReference(ref: MixerRef, path: string, wanted: "mixer-handler" | "mixer-instance"): Reference {
  return { key: ref, path, text: formatMixerRef(ref), class: wanted, optional: false };
}
