import { closest } from "./closest.ts";
import type { KindClass, KindDefinition, SpecContext } from "./kind.ts";
import { CONFIG_API_VERSIONS, type FieldError, type JsonObject, type JsonValue } from "./resource.ts";
import { unsupportedFields } from "./support.ts";

/**
 * One definition of a kind serves four ends: reading what users write, judging it, giving it its canonical form, and
 * the reference page. A schema reads a value once and answers both the canonical JSON (lowerCamelCase names, values as
 * given) and the typed value; it never stops at the first fault, since whoever mends a file wants to see all of them.
 * The rules are those of proto3 JSON: names in lowerCamelCase or as in the .proto file, null is absent, whole numbers
 * may come as text, enums by name or number, durations as "1.5s", and an unknown field is a fault.
 */

/** A type as the reference page shows it. */
export interface TypeDoc {
  readonly type: string;
  readonly fields?: readonly FieldDoc[];
  /** Sets of fields of which at most one may be given. */
  readonly choices?: readonly (readonly string[])[];
  readonly of?: TypeDoc;
  readonly values?: readonly string[];
}

export interface FieldDoc {
  readonly name: string;
  readonly doc: string;
  readonly required: boolean;
  readonly type: TypeDoc;
}

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

const SHOWN_LENGTH = 200;
/** Of one document. */
const MAX_ERRORS = 200;

/** A given value as an error shows it: long ones are cut. */
export function shown(value: JsonValue | undefined): JsonValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value.length <= SHOWN_LENGTH ? value : `${value.slice(0, SHOWN_LENGTH)}...`;
  if (typeof value !== "object") return value;
  const text = JSON.stringify(value);
  return text.length <= SHOWN_LENGTH ? value : `${text.slice(0, SHOWN_LENGTH)}...`;
}

/** Collects the faults of one document. */
export class Reader {
  readonly context: SpecContext;
  readonly errors: FieldError[] = [];

  constructor(context: SpecContext) {
    this.context = context;
  }

  /** Whether there are too many to tell more. */
  get full(): boolean {
    return this.errors.length > MAX_ERRORS;
  }

  error(path: string, value: JsonValue | undefined, reason: string, remedy: string, position?: number): undefined {
    if (this.full) return undefined;
    if (this.errors.length === MAX_ERRORS) {
      this.errors.push({ path: "", value: null, reason: `more than ${MAX_ERRORS} errors`, remedy: "mend these first" });
      return undefined;
    }
    const error = { path, value: shown(value), reason, remedy };
    this.errors.push(position === undefined ? error : { ...error, position });
    return undefined;
  }

  /** Whether no fault was found at or below `path`, so that a further check there makes sense. */
  clean(path: string): boolean {
    return !this.errors.some(({ path: at }) => at === path || at.startsWith(`${path}.`) || at.startsWith(`${path}[`));
  }
}

/** The path of a key below `path`: `path.key`, or `path["odd.key"]`. */
export function below(path: string, key: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** What sort of value was given, in words. */
export function kindOfValue(value: JsonValue): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "boolean") return `the boolean ${value}`;
  return typeof value === "number" ? `the number ${value}` : "text";
}

export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list; faulty items are reported and left out of the value. */
export function list<T>(item: Schema<T>): Schema<readonly T[]> {
  return {
    type: { type: "list", of: item.type },
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

/** Where a check stands, and how it reports. */
export class At {
  readonly path: string;
  /** Canonical, as given. */
  readonly json: JsonValue;
  readonly reader: Reader;

  constructor(path: string, json: JsonValue, reader: Reader) {
    this.path = path;
    this.json = json;
    this.reader = reader;
  }

  get context(): SpecContext {
    return this.reader.context;
  }

  /** Whether a field of the object under check was given, valid or not. */
  has(name: string): boolean {
    return isObject(this.json) && Object.hasOwn(this.json, name);
  }

  error(reason: string, remedy: string, position?: number): undefined {
    return this.reader.error(this.path, this.json, reason, remedy, position);
  }

  /** Reports on a field of the object under check. */
  errorOf(name: string, reason: string, remedy: string, position?: number): undefined {
    const value = isObject(this.json) ? this.json[name] : undefined;
    return this.reader.error(below(this.path, name), value, reason, remedy, position);
  }

  clean(name?: string): boolean {
    return this.reader.clean(name === undefined ? this.path : below(this.path, name));
  }
}

/** `schema` with further checks and a meaning of its own; an undefined result leaves the value out. */
export function checked<T, U>(schema: Schema<T>, check: (value: T, at: At) => U | undefined): Schema<U> {
  return {
    type: schema.type,
    read(value, path, reader) {
      const read = schema.read(value, path, reader);
      if (read === undefined) return undefined;
      const result = check(read.value, new At(path, read.json, reader));
      return result === undefined ? undefined : { json: read.json, value: result };
    },
  };
}

export interface Field<T> {
  readonly schema: Schema<T>;
  readonly doc: string;
  readonly required: boolean;
}

/** A field of an object, with its sentence for the reference page. */
export function field<T>(schema: Schema<T>, doc: string, options: { readonly required?: boolean } = {}): Field<T> {
  return { schema, doc, required: options.required ?? false };
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

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** An object of known fields. In the value every absent or faulty field is undefined. */
export function object<F extends Fields>(
  fields: F,
  choices: readonly (readonly (keyof F & string)[])[] = [],
): Schema<ValuesOf<F>> {
  const names = new Map<string, string>();
  for (const name of Object.keys(fields)) names.set(name, name).set(snakeCase(name), name);
  return {
    type: {
      type: "object",
      fields: Object.entries(fields).map(([name, { schema, doc, required }]) => ({
        name,
        doc,
        required,
        type: schema.type,
      })),
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
        if (name === undefined) {
          if (reader.full) continue;
          const meant = closest(given, Object.keys(fields));
          const remedy =
            meant === undefined ? `known fields: ${Object.keys(fields).join(", ")}` : `did you mean ${meant}?`;
          reader.error(below(path, given), each, "unknown field", remedy);
        } else if (Object.hasOwn(json, name)) {
          reader.error(
            below(path, given),
            each,
            `given twice, as ${name} and as ${snakeCase(name)}`,
            "keep one of them",
          );
        } else if (each !== null) {
          const read = fields[name]?.schema.read(each, below(path, name), reader);
          json[name] = read === undefined ? each : read.json;
          values[name] = read?.value;
        }
      }
      for (const [name, { required, doc }] of Object.entries(fields)) {
        if (required && !Object.hasOwn(json, name))
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

/** A kind whose whole spec is described by a schema. Fields in support.ts are judged in full and then refused. */
export function defineKind<T>(definition: {
  readonly kind: string;
  readonly plural: string;
  readonly class: KindClass;
  readonly doc: string;
  readonly namespaceDefault?: string;
  /** Those of config.istio.io by default. */
  readonly apiVersions?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly schema: Schema<T>;
}): KindDefinition<T> {
  const { schema, ...rest } = definition;
  return {
    namespaceDefault: "default",
    apiVersions: CONFIG_API_VERSIONS,
    ...rest,
    parseSpec(spec, path, context) {
      const reader = new Reader(context);
      const read = schema.read(spec, path, reader);
      const json = read === undefined || !isObject(read.json) ? spec : read.json;
      const errors = [...reader.errors, ...unsupportedFields(definition.kind, json, path)];
      return read === undefined || reader.errors.length > 0
        ? { spec: json, errors }
        : { spec: json, parsed: read.value, errors };
    },
    describe: () => schema.type,
  };
}
