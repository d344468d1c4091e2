import type { JsonObject, JsonValue } from "../../shared/model/index.ts";

/**
 * As much of JSON Schema 2020-12 as the published files use. A keyword that it does not know is an error: the test must
 * not pass because something was not looked at.
 */
const ANNOTATIONS = new Set(["$schema", "$defs", "title", "description", "deprecated"]);

/** Paths that do not fit; empty when the value is valid. */
export function faultsOf(root: JsonObject, value: JsonValue): readonly string[] {
  return check(root, root, value, "");
}

function check(root: JsonObject, schema: JsonObject, value: JsonValue, path: string): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) =>
    ANNOTATIONS.has(keyword) ? [] : checkKeyword(root, schema, keyword, rule, value, path),
  );
}

function checkKeyword(
  root: JsonObject,
  schema: JsonObject,
  keyword: string,
  rule: JsonValue,
  value: JsonValue,
  path: string,
): string[] {
  const fault = [`${path}: ${keyword}`];
  const isGood = (part: JsonValue) => check(root, part as JsonObject, value, path).length === 0;
  switch (keyword) {
    case "$ref":
      return check(root, resolve(root, String(rule)), value, path);
    case "type":
      return typeOf(value).includes(String(rule)) ? [] : fault;
    case "const":
      return value === rule ? [] : fault;
    case "enum":
      return (rule as JsonValue[]).some((each) => JSON.stringify(each) === JSON.stringify(value)) ? [] : fault;
    case "pattern":
      return typeof value !== "string" || new RegExp(String(rule), "u").test(value) ? [] : fault;
    case "minimum":
      return typeof value !== "number" || value >= Number(rule) ? [] : fault;
    case "maximum":
      return typeof value !== "number" || value <= Number(rule) ? [] : fault;
    case "minLength":
      return typeof value !== "string" || value.length >= Number(rule) ? [] : fault;
    case "minItems":
      return !Array.isArray(value) || value.length >= Number(rule) ? [] : fault;
    case "items":
      return Array.isArray(value)
        ? (value as JsonValue[]).flatMap((item, i) => check(root, rule as JsonObject, item, `${path}[${i}]`))
        : [];
    case "required":
      return isObject(value)
        ? (rule as string[]).filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}.${name}: required`)
        : [];
    case "properties":
      return isObject(value)
        ? Object.entries(rule as JsonObject).flatMap(([name, part]) =>
            Object.hasOwn(value, name) ? check(root, part as JsonObject, value[name] ?? null, `${path}.${name}`) : [],
          )
        : [];
    case "patternProperties":
      return isObject(value)
        ? Object.entries(rule as JsonObject).flatMap(([pattern, part]) =>
            Object.entries(value)
              .filter(([name]) => new RegExp(pattern, "u").test(name))
              .flatMap(([name, each]) => check(root, part as JsonObject, each, `${path}.${name}`)),
          )
        : [];
    case "additionalProperties":
      return isObject(value) ? additional(root, schema, rule, value, path) : [];
    case "anyOf":
      return (rule as JsonValue[]).some(isGood) ? [] : fault;
    case "allOf":
      return (rule as JsonObject[]).flatMap((part) => check(root, part, value, path));
    case "not":
      return isGood(rule) ? fault : [];
    default:
      throw new Error(`the keyword ${keyword} is not known here`);
  }
}

function additional(root: JsonObject, schema: JsonObject, rule: JsonValue, value: JsonObject, path: string): string[] {
  const known = Object.keys((schema["properties"] ?? {}) as JsonObject);
  const patterns = Object.keys((schema["patternProperties"] ?? {}) as JsonObject).map((each) => new RegExp(each, "u"));
  return Object.entries(value)
    .filter(([name]) => !known.includes(name) && !patterns.some((pattern) => pattern.test(name)))
    .flatMap(([name, each]) =>
      rule === false ? [`${path}.${name}: unknown`] : check(root, rule as JsonObject, each, `${path}.${name}`),
    );
}

function resolve(root: JsonObject, reference: string): JsonObject {
  const name = /^#\/\$defs\/(.+)$/.exec(reference)?.[1] ?? "";
  const found = (root["$defs"] as JsonObject | undefined)?.[name];
  if (!isObject(found ?? null)) throw new Error(`${reference} leads nowhere`);
  return found as JsonObject;
}

function typeOf(value: JsonValue): readonly string[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  if (typeof value === "number") return Number.isInteger(value) ? ["number", "integer"] : ["number"];
  return [typeof value];
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
