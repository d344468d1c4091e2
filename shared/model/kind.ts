import type { FieldError, JsonObject, Resource } from "./resource.ts";
import type { TypeDoc } from "./type-doc.ts";

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
  /** What is accepted and yet odd: deprecated fields, values that have no effect. */
  readonly warnings?: readonly FieldError[];
}

/** All that the mesh knows of a kind; the reference page and `explain` are made from it. */
export interface KindDefinition<T = unknown> {
  /** As written in `kind:`, such as RouteRule. */
  readonly kind: string;
  /** `<group>/<version>` that it may be written under; the first is the one to write. */
  readonly apiVersions: readonly string[];
  /** In lower case, such as routerules. */
  readonly plural: string;
  /** As istioctl and kubectl abbreviate it, such as vs. */
  readonly shortNames?: readonly string[];
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
  readonly warnings?: readonly FieldError[];
}
