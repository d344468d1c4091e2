import type { FieldDoc, JsonObject, JsonValue, TypeDoc } from "../../shared/model/index.ts";

/**
 * What can be wrong with each value of a specimen, from the schema that describes it: values of every other type, numbers
 * out of their limits, text of another form, empty lists where one is needed, unknown fields, missing ones, and fields
 * that have no effect.
 */
export interface Mutation {
  /** Such as `spec.http[0].timeout`. */
  readonly path: string;
  /** The same without places and keys: `http[].timeout`. */
  readonly field: string;
  readonly why: string;
  readonly spec: JsonObject;
}

const UNKNOWN_FIELD = "noSuchFieldAtAll";

/** One mutation a faulty value; each is a whole spec that differs from the specimen's in one place. */
export function* mutationsOf(type: TypeDoc, spec: JsonObject): Iterable<Mutation> {
  yield* mutate(type, spec, { path: "spec", field: "", put: (value) => value as JsonObject });
}

interface Place {
  readonly path: string;
  readonly field: string;
  /** The whole spec with another value here. */
  put(value: JsonValue | undefined): JsonObject;
}

function* mutate(type: TypeDoc, value: JsonValue, place: Place): Iterable<Mutation> {
  // The spec itself is judged with the document's envelope.
  if (place.field !== "") {
    for (const [why, wrong] of wrongValues(type)) yield { ...place, why, spec: place.put(wrong) };
  }
  if (Array.isArray(value) && type.of !== undefined) {
    for (const [index, item] of (value as readonly JsonValue[]).entries()) {
      const put = (changed: JsonValue | undefined) =>
        place.put(changed === undefined ? [] : value.with(index, changed));
      yield* mutate(type.of, item, { path: `${place.path}[${index}]`, field: `${place.field}[]`, put });
    }
  } else if (isObject(value) && type.type === "map" && type.of !== undefined) {
    for (const [key, item] of Object.entries(value)) {
      const path = /^[A-Za-z0-9_-]+$/.test(key) ? `${place.path}.${key}` : `${place.path}[${JSON.stringify(key)}]`;
      yield* mutate(type.of, item, { path, field: `${place.field}.*`, put: into(place, value, key) });
    }
  } else if (isObject(value) && type.fields !== undefined) {
    yield* mutateFields(type.fields, value, place);
  }
}

function* mutateFields(fields: readonly FieldDoc[], value: JsonObject, place: Place): Iterable<Mutation> {
  const at = (name: string): Place => ({
    path: `${place.path}.${name}`,
    field: place.field === "" ? name : `${place.field}.${name}`,
    put: into(place, value, name),
  });
  yield { ...at(UNKNOWN_FIELD), why: "an unknown field", spec: at(UNKNOWN_FIELD).put(1) };
  for (const each of fields) {
    const field = at(each.name);
    const given = value[each.name];
    if (each.unsupported !== undefined) {
      yield { ...field, why: "a field without effect", spec: field.put(harmfulValue(each)) };
      for (const [why, wrong] of wrongValues(each.type)) yield { ...field, why, spec: field.put(wrong) };
    } else if (given !== undefined) {
      yield* mutate(each.type, given, field);
      if (each.required) yield { ...field, why: "a missing field", spec: field.put(undefined) };
    }
  }
}

function into(place: Place, object: JsonObject, name: string): (value: JsonValue | undefined) => JsonObject {
  return (value) => {
    const { [name]: _, ...rest } = object;
    return place.put(value === undefined ? rest : { ...rest, [name]: value });
  };
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TYPES: readonly (readonly [string, JsonValue])[] = [
  ["text", "no such value"],
  ["a boolean", true],
  ["a number", 7.5],
  ["a list", [true]],
  ["an object", { [UNKNOWN_FIELD]: true }],
];

/** Which of TYPES a type takes. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  string: ["text"],
  bool: ["a boolean"],
  float: ["a number"],
  // An item of the list is wrong, not the list.
  list: ["a list"],
  any: TYPES.map(([what]) => what),
};

/** What no value of the type may be. */
export function* wrongValues(type: TypeDoc): Iterable<readonly [why: string, value: JsonValue]> {
  const takes = [...(TAKES[type.type] ?? []), ...(type.bareText ? ["text"] : [])];
  const isOpen = type.type === "object" && type.fields === undefined;
  for (const [what, value] of TYPES) {
    if (takes.includes(what) || (isOpen && what === "an object") || isTextMap(type, what)) continue;
    yield [what, value];
  }
  if (type.min !== undefined && type.min > -1e300) yield [`less than ${type.min}`, type.min - 1];
  if (type.max !== undefined && type.max < 1e300) yield [`more than ${type.max}`, type.max + 1];
  if (type.type === "int32" || type.type === "int64") yield ["a broken number as text", "1.5"];
  if (type.type === "enum") yield ["a number without a name", (type.values?.length ?? 0) + 7];
  if (type.type === "duration") {
    yield ["a duration without unit", "5"];
    yield ["a negative duration", "-1s"];
    if ((type.minMs ?? 0) > 0) yield ["no time at all", "0s"];
  }
  if (type.minLength !== undefined) yield ["empty", type.type === "list" ? [] : ""];
  if (type.type === "string" && type.format !== undefined)
    yield [`not a ${type.format}`, BAD_TEXT[type.format] ?? "\u0001 \n/"];
}

/** Text that is wrong for a form of text, where the usual bad text is not. */
const BAD_TEXT: Readonly<Record<string, string>> = { "RE2 pattern": "(", expression: "((" };

/** A map of anything at all takes an object with any key. */
function isTextMap(type: TypeDoc, what: string): boolean {
  return type.type === "map" && what === "an object" && type.of?.type === "bool";
}

/** A valid value that asks for something. */
function harmfulValue({ type, unsupported }: FieldDoc): JsonValue {
  const candidates = validValues(type);
  const harmful = candidates.find(
    (value) => !(unsupported?.harmless ?? []).includes(value) && !(Array.isArray(value) && value.length === 0),
  );
  return harmful ?? candidates[0] ?? {};
}

function validValues(type: TypeDoc): readonly JsonValue[] {
  switch (type.type) {
    case "bool":
      return [true, false];
    case "int32":
    case "int64":
    case "float":
      return [type.max ?? 1, type.min ?? 0];
    case "duration":
      return ["3600s"];
    case "enum":
      return type.values ?? [];
    case "list":
      return [[validValues(type.of ?? { type: "string" })[0] ?? "a"]];
    case "map":
      return [{ a: validValues(type.of ?? { type: "string" })[0] ?? "a" }];
    case "object":
      return [
        Object.fromEntries(
          (type.fields ?? [])
            .filter((field) => field.required)
            .map((field) => [field.name, validValues(field.type)[0] ?? "a"]),
        ),
      ];
    default:
      return ["a"];
  }
}
