import { asApplied, type JsonValue, type Resource } from "../../shared/model/index.ts";
import { renderYaml } from "./output.ts";

/** The YAML of what was applied, keys in order, without what Pilot adds: two that mean the same are the same text. */
export function canonicalYaml(resource: Resource): string {
  const { apiVersion, kind, metadata, spec } = asApplied(resource);
  return renderYaml({ apiVersion, kind, metadata: ordered({ ...metadata }), spec: ordered(spec) });
}

function ordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([name, item]) => [name, ordered(item)]));
}

/** One field that differs between two revisions. */
export interface FieldChange {
  /** Such as `spec.route[0].weight`. */
  readonly path: string;
  /** Undefined: it was not there. */
  readonly before: JsonValue | undefined;
  /** Undefined: it is not there any more. */
  readonly after: JsonValue | undefined;
}

/** The innermost fields that differ, in the order of their paths. */
export function fieldChanges(before: Resource, after: Resource): readonly FieldChange[] {
  const [a, b] = [asApplied(before), asApplied(after)];
  const content = ({ apiVersion, metadata: { labels = {}, annotations = {} }, spec }: Resource): JsonValue => ({
    apiVersion,
    metadata: { labels, annotations },
    spec,
  });
  return [...differences(ordered(content(a)), ordered(content(b)), "")];
}

function* differences(a: JsonValue | undefined, b: JsonValue | undefined, path: string): Iterable<FieldChange> {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) yield* differences(a[i], b[i], `${path}[${i}]`);
    return;
  }
  if (isObject(a) && isObject(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    for (const name of names) yield* differences(a[name], b[name], path === "" ? name : `${path}.${name}`);
    return;
  }
  if (JSON.stringify(a) !== JSON.stringify(b)) yield { path, before: a, after: b };
}

function isObject(value: JsonValue | undefined): value is Readonly<Record<string, JsonValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
