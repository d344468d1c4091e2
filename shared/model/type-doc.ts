import type { JsonValue } from "./resource.ts";

/**
 * A schema as data: what the reference pages, `lateen explain-kind` and the JSON Schema files are made from. It says what
 * can be said of a value on its own; what ties several fields together is in the checks of the kinds.
 */
export interface TypeDoc {
  /** string, bool, int32, int64, float, duration, enum, list, map, object, or any. */
  readonly type: string;
  /** What sort of text, such as "DNS label". */
  readonly format?: string;
  /** Of an object; one without is taken as it is. */
  readonly fields?: readonly FieldDoc[];
  /** Sets of fields of which at most one may be given. */
  readonly choices?: readonly (readonly string[])[];
  /** Of a list or map: the type of its items. */
  readonly of?: TypeDoc;
  /** Of an enum. */
  readonly values?: readonly string[];
  /** Values that are judged and then refused, with what to write instead. */
  readonly refusedValues?: Readonly<Record<string, string>>;
  /** Values that are accepted with a warning, with what to write instead. */
  readonly deprecatedValues?: Readonly<Record<string, string>>;
  /** Of a number, both included. */
  readonly min?: number;
  readonly max?: number;
  /** Of a duration, in milliseconds. */
  readonly minMs?: number;
  /** Whether a duration may be written with any of Go's units ("1h30m"). */
  readonly anyUnit?: boolean;
  /** Of a list, map or text. */
  readonly minLength?: number;
  /** A regular expression that every valid text fits; it may let more pass than the schema does. */
  readonly pattern?: string;
  /** Whether bare text may stand for the object. */
  readonly bareText?: boolean;
}

/** A field whose effect does not exist: it is judged in full and then refused. */
export interface Unsupported {
  /** What to do instead, and why. */
  readonly remedy: string;
  /** Values that ask for nothing and pass; an empty list always does. */
  readonly harmless?: readonly JsonValue[];
}

export interface FieldDoc {
  readonly name: string;
  /** As the .proto file spells it, where that is not the name in snake case. */
  readonly protoName?: string;
  readonly doc: string;
  readonly required: boolean;
  readonly type: TypeDoc;
  /** What holds when the field is absent, in words. */
  readonly default?: string;
  readonly unsupported?: Unsupported;
  /** What to use instead. */
  readonly deprecated?: string;
}

/** `someField` as `some_field`, as .proto files spell it. */
export function protoNameOf({ name, protoName }: Pick<FieldDoc, "name" | "protoName">): string {
  return protoName ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
