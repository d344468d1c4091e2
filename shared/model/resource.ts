/** A value as JSON carries it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The API version of the kinds of Istio 0.x. */
export const API_VERSION = "config.istio.io/v1alpha2";

/** Versions that their kinds are accepted under, since Istio's own samples carry them; what was applied is kept as it was written. */
export const CONFIG_API_VERSIONS: readonly string[] = [
  API_VERSION,
  "config.istio.io/v1alpha1",
  "config.istio.io/v1beta1",
];

/** Versions of the kinds that replaced the traffic kinds of Istio 0.x; they mean the same. */
export const NETWORKING_API_VERSIONS: readonly string[] = [
  "networking.istio.io/v1",
  "networking.istio.io/v1beta1",
  "networking.istio.io/v1alpha3",
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
  /** When it was first accepted, RFC 3339 in UTC with milliseconds; set by Pilot. Of two that conflict the older one wins. */
  readonly creationTimestamp?: string;
  /** When this revision was accepted, RFC 3339 in UTC with milliseconds; set by Pilot. */
  readonly updateTimestamp?: string;
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
export function revisionOf({ metadata }: { readonly metadata: { readonly resourceVersion?: string } }): number {
  return Number(metadata.resourceVersion ?? "0");
}

/** The resource as it is stored: at a revision, and with the times of its first and of this acceptance. */
export function accepted(
  resource: Resource,
  revision: number,
  creationTimestamp: string,
  updateTimestamp = creationTimestamp,
): Resource {
  const given = { ...resource.metadata, resourceVersion: String(revision), creationTimestamp, updateTimestamp };
  return { ...resource, metadata: given };
}

/** Whether a and b are the same to a user: everything but what Pilot adds. */
export function sameContent(a: Resource, b: Resource): boolean {
  return stableJson(asApplied(a)) === stableJson(asApplied(b));
}

/** The resource without what Pilot adds. */
export function asApplied({ metadata, ...rest }: Resource): Resource {
  const { resourceVersion: _, creationTimestamp: __, updateTimestamp: ___, ...given } = metadata;
  return { ...rest, metadata: given };
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
