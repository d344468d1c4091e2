import { closest } from "./closest.ts";
import { At, below, isObject, kindOfValue, type Reader } from "./reader.ts";
import type { JsonValue } from "./resource.ts";
import { type FieldDoc, protoNameOf, type TypeDoc, type Unsupported } from "./type-doc.ts";

/**
 * One definition of a kind serves all ends: reading what users write, judging it, giving it its canonical form, refusing
 * what has no effect yet, and telling of it (reference pages, `explain-kind`, JSON Schema). A schema reads a value once
 * and answers both the canonical JSON (lowerCamelCase names, values as given) and the typed value; it never stops at the
 * first fault, since whoever mends a file wants to see all of them. The rules are those of proto3 JSON: names in
 * lowerCamelCase or as in the .proto file, null is absent, whole numbers may come as text, enums by name or number,
 * durations as "1.5s", and an unknown field is a fault.
 *
 * A field without effect is refused rather than accepted without one: a rule that silently does less than it says is
 * worse than none. Its option `unsupported` goes away when the effect arrives, and nothing else changes.
 */

export interface Read<T> {
  /** Canonical, for storing and showing. */
  readonly json: JsonValue;
  readonly value: T;
}

export interface Schema<T> {
  readonly type: TypeDoc;
  /** Undefined when nothing usable was given; why is then in the reader's errors. */
  read(value: JsonValue, path: string, reader: Reader): Read<T> | undefined;
}

/** A list; faulty items are reported and left out of the value. With `atLeastOne`, what it needs one of. */
export function list<T>(item: Schema<T>, rules: { readonly atLeastOne?: string } = {}): Schema<readonly T[]> {
  const { atLeastOne } = rules;
  return {
    type: { type: "list", of: item.type, ...(atLeastOne === undefined ? {} : { minLength: 1 }) },
    read(value, path, reader) {
      if (!Array.isArray(value)) {
        return reader.error(
          path,
          value,
          `must be a list, not ${kindOfValue(value)}`,
          "write a list, even for one item: [...]",
        );
      }
      const items = value as readonly JsonValue[];
      if (items.length === 0 && atLeastOne !== undefined) {
        return reader.error(path, value, "is empty", `give at least one ${atLeastOne}`);
      }
      const json: JsonValue[] = [];
      const values: T[] = [];
      for (const [index, each] of items.entries()) {
        const read = item.read(each, `${path}[${index}]`, reader);
        json.push(read === undefined ? each : read.json);
        if (read !== undefined) values.push(read.value);
      }
      return { json, value: values };
    },
  };
}

/** A map from text to `item`; `key` judges the keys. */
export function map<T>(item: Schema<T>, key?: (name: string, at: At) => unknown): Schema<Readonly<Record<string, T>>> {
  return {
    type: { type: "map", of: item.type },
    read(value, path, reader) {
      if (!isObject(value)) {
        return reader.error(path, value, `must be a map, not ${kindOfValue(value)}`, "write name: value pairs");
      }
      const json: Record<string, JsonValue> = {};
      const values: Record<string, T> = {};
      for (const [name, each] of Object.entries(value)) {
        const at = new At(below(path, name), name, reader);
        if (name === "__proto__") at.error("__proto__ cannot be a key", "use another name");
        else {
          key?.(name, at);
          const read = item.read(each, at.path, reader);
          json[name] = read === undefined ? each : read.json;
          if (read !== undefined) values[name] = read.value;
        }
      }
      return { json, value: values };
    },
  };
}

/** `schema` with further checks and a meaning of its own; an undefined result leaves the value out. */
export function checked<T, U>(
  schema: Schema<T>,
  check: (value: T, at: At) => U | undefined,
  more: Partial<TypeDoc> = {},
): Schema<U> {
  return {
    type: { ...schema.type, ...more },
    read(value, path, reader) {
      const read = schema.read(value, path, reader);
      if (read === undefined) return undefined;
      const result = check(read.value, new At(path, read.json, reader));
      return result === undefined ? undefined : { json: read.json, value: result };
    },
  };
}

export interface FieldOptions {
  readonly required?: boolean;
  /** What holds when it is absent, in words. */
  readonly default?: string;
  readonly unsupported?: Unsupported;
  /** What to do instead, such as "use mirrors". */
  readonly deprecated?: string;
  readonly protoName?: string;
}

export interface Field<T> extends Omit<FieldOptions, "required"> {
  readonly schema: Schema<T>;
  readonly doc: string;
  readonly required: boolean;
}

/** A field of an object, with its sentence for the reference page. */
export function field<T>(schema: Schema<T>, doc: string, options: FieldOptions = {}): Field<T> {
  return { ...options, schema, doc, required: options.required ?? false };
}

function isHarmless(value: JsonValue, { harmless = [] }: Unsupported): boolean {
  return harmless.includes(value) || (Array.isArray(value) && value.length === 0);
}

type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValuesOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T | undefined : never;
};

/** Marks fields of which at most one may be given. */
export function oneOf<const N extends string>(...names: readonly N[]): readonly N[] {
  return names;
}

/** A sentence as the end of another: "The x." is "the x". */
function sentencePart(sentence: string): string {
  return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`;
}

/**
 * An object of known fields. In the value every absent or faulty field is undefined. `elsewhere`: fields that users may
 * expect here, with what to do instead.
 */
export function object<F extends Fields>(
  fields: F,
  choices: readonly (readonly (keyof F & string)[])[] = [],
  elsewhere: Readonly<Record<string, string>> = {},
): Schema<ValuesOf<F>> {
  const names = new Map<string, string>();
  const docs = Object.entries(fields).map(
    ([name, { schema, ...rest }]): FieldDoc => ({ name, ...rest, type: schema.type }),
  );
  const required = docs.filter((doc) => doc.required);
  for (const doc of docs) names.set(doc.name, doc.name).set(protoNameOf(doc), doc.name);
  return {
    type: {
      type: "object",
      fields: docs,
      ...(choices.length === 0 ? {} : { choices }),
    },
    read(value, path, reader) {
      if (!isObject(value)) {
        const remedy = `give an object with ${Object.keys(fields).join(", ")}`;
        return reader.error(path, value, `must be an object, not ${kindOfValue(value)}`, remedy);
      }
      const json: Record<string, JsonValue> = {};
      const values: Record<string, unknown> = {};
      for (const [given, each] of Object.entries(value)) {
        const name = names.get(given);
        if (name === undefined && Object.hasOwn(elsewhere, given)) {
          reader.error(below(path, given), each, `${given} is not allowed here`, elsewhere[given] ?? "remove it");
        } else if (name === undefined) {
          if (reader.full) continue;
          const meant = closest(given, Object.keys(fields));
          const remedy =
            meant === undefined ? `known fields: ${Object.keys(fields).join(", ")}` : `did you mean ${meant}?`;
          reader.error(below(path, given), each, "unknown field", remedy);
        } else if (Object.hasOwn(json, name)) {
          reader.error(
            below(path, given),
            each,
            `given twice, as ${name} and as ${protoNameOf({ name, ...fields[name] })}`,
            "keep one of them",
          );
        } else if (each !== null) {
          // Known names need no quotes.
          const at = path === "" ? name : `${path}.${name}`;
          const read = fields[name] && readField(fields[name], each, at, reader);
          json[name] = read === undefined ? each : read.json;
          values[name] = read?.value;
        }
      }
      for (const { name, doc } of required) {
        if (!Object.hasOwn(json, name))
          reader.error(below(path, name), null, "required", `give ${name}: ${sentencePart(doc)}`);
      }
      for (const choice of choices) {
        const given = choice.filter((name) => Object.hasOwn(json, name));
        const [, second] = given;
        if (second !== undefined) {
          reader.error(
            below(path, second),
            json[second],
            `only one of ${choice.join(", ")} may be given`,
            `keep one of ${given.join(", ")}`,
          );
        }
      }
      return { json, value: values as ValuesOf<F> };
    },
  };
}

function readField<T>(
  { schema, unsupported, deprecated }: Field<T>,
  value: JsonValue,
  path: string,
  reader: Reader,
): Read<T> | undefined {
  if (unsupported !== undefined && !isHarmless(value, unsupported)) {
    reader.refuse(path, value, unsupported.remedy);
    return reader.refused(() => schema.read(value, path, reader));
  }
  if (deprecated !== undefined) reader.warn(path, value, "deprecated", deprecated);
  return schema.read(value, path, reader);
}
