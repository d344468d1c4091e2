import type { FieldError, JsonObject, Resource } from "./resource.ts";
import type { TypeDoc } from "./schema.ts";

/** Who owns a kind, and what it is there for. */
export type KindClass = "traffic" | "mixer-handler" | "mixer-instance" | "mixer-rule" | "quota-spec" | "quota-binding";

/** Whose spec is being read: references without a namespace mean this one. */
export interface SpecContext {
  readonly namespace: string;
  readonly name: string;
}

export interface SpecResult<T> {
  /** As given, with every known field under its lowerCamelCase name. */
  readonly spec: JsonObject;
  /** What it means; absent when there are errors. */
  readonly parsed?: T;
  /** All of them, not only the first. */
  readonly errors: readonly FieldError[];
}

/** All that the mesh knows of a kind; the reference page and `explain` are made from it. */
export interface KindDefinition<T = unknown> {
  /** As written in `kind:`, such as RouteRule. */
  readonly kind: string;
  /** In lower case, such as routerules. */
  readonly plural: string;
  /** The namespace of a resource that names none. */
  readonly namespaceDefault: string;
  readonly class: KindClass;
  /** One sentence. */
  readonly doc: string;
  /** `path` is where the spec stands: "spec". Never throws. */
  parseSpec(spec: JsonObject, path: string, context: SpecContext): SpecResult<T>;
  /** The fields, for people. */
  describe?(): TypeDoc;
}

/** A resource that is valid, and what it means. */
export interface ParsedResource<T = unknown> {
  readonly resource: Resource;
  readonly definition: KindDefinition<T>;
  readonly parsed: T;
}
