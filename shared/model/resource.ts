/** A value as JSON carries it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The one API version of every resource. */
export const API_VERSION = "config.istio.io/v1alpha2";

/** Versions of the same kinds that Istio's own samples carry; what was applied is kept as it was written. */
export const ACCEPTED_API_VERSIONS: readonly string[] = [
  API_VERSION,
  "config.istio.io/v1alpha1",
  "config.istio.io/v1beta1",
];

/** The namespace of a resource that names none. */
export const DEFAULT_NAMESPACE = "default";

/** Rules of this namespace apply to the whole mesh. */
export const ROOT_NAMESPACE = "istio-system";

export interface ResourceMetadata {
  readonly name: string;
  readonly namespace: string;
  /** Pilot's mesh-wide revision as a decimal string; in a submission, the revision it expects to replace. */
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One piece of user configuration, as stored, broadcast and shown: what was applied, with lowerCamelCase names. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ResourceMetadata;
  readonly spec: JsonObject;
}

/** What is wrong with one field of a resource, and what to do about it. */
export interface FieldError {
  /** Such as `spec.route[0].weight`; empty for the document as a whole. */
  readonly path: string;
  /** What was given, shortened when long; null when nothing was. */
  readonly value: JsonValue;
  readonly reason: string;
  readonly remedy: string;
  /** Offset into a text value where the trouble starts, from 0. */
  readonly position?: number;
}

export interface ResourceKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export function keyOf(resource: Resource): ResourceKey {
  return { kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name };
}

/** `<kind in lower case>/<namespace>/<name>`, as routes name their rule and as rules are ordered. */
export function formatKey(key: ResourceKey): string {
  return `${key.kind.toLowerCase()}/${key.namespace}/${key.name}`;
}

/** The revision in `metadata.resourceVersion`, 0 when there is none. */
export function revisionOf(resource: Resource): number {
  return Number(resource.metadata.resourceVersion ?? "0");
}

/** The same resource at another revision. */
export function withRevision(resource: Resource, revision: number): Resource {
  return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(revision) } };
}

/** Whether a and b are the same to a user: everything but the revision. */
export function sameContent(a: Resource, b: Resource): boolean {
  return (
    stableJson({ ...a, metadata: { ...a.metadata, resourceVersion: "" } }) ===
    stableJson({ ...b, metadata: { ...b.metadata, resourceVersion: "" } })
  );
}

/** JSON with sorted keys, so that equal values give equal text. */
export function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${stableJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
