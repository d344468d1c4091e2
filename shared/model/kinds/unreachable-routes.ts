import { type At, isObject } from "../reader.ts";
import { type JsonObject, type JsonValue, stableJson } from "../resource.ts";

/**
 * Routes of a VirtualService that no request can reach: the first that fits wins, so what stands after a route for all
 * requests, or asks for no less than an earlier one, is for nothing. Warnings only: the rest of the resource does what it
 * says. A condition covers another when each of its parts is among the other's, or is a prefix of the path that the
 * other's begins with; what regular expressions have in common is not looked at.
 */
export function warnOfUnreachable(at: At): void {
  const routes = at.given("http");
  if (!Array.isArray(routes)) return;
  const earlier: Earlier[] = [];
  for (const [index, route] of (routes as readonly JsonValue[]).slice(0, MAX_ROUTES).entries()) {
    const conditions = conditionsOf(route);
    const taken = conditions.map((condition) => earlier.find((each) => covers(each.condition, condition)));
    const [first] = taken;
    const path = `${at.path}.http[${index}]`;
    if (first !== undefined && !taken.includes(undefined)) {
      const what = isEverything(first.condition) ? "takes every request" : "takes all that it asks for";
      at.reader.warn(
        path,
        nameOf(route),
        `is never reached: http[${first.route}] ${what}`,
        "move it before that, or remove it",
      );
    } else {
      for (const [place, by] of taken.entries()) {
        if (by !== undefined)
          at.reader.warn(
            `${path}.match[${place}]`,
            null,
            `is never reached: http[${by.route}] takes all that it asks for`,
            "remove it",
          );
      }
    }
    for (const condition of conditions) earlier.push({ route: index, condition });
  }
}

/** Each is compared with those before it. */
const MAX_ROUTES = 200;

interface Earlier {
  readonly route: number;
  readonly condition: JsonObject;
}

/** A route without conditions has one that asks for nothing. */
function conditionsOf(route: JsonValue): readonly JsonObject[] {
  const matches = isObject(route) ? route["match"] : undefined;
  const conditions = Array.isArray(matches) ? (matches as readonly JsonValue[]).filter(isObject) : [];
  return conditions.length === 0 ? [{}] : conditions;
}

function partsOf({ name: _, ...parts }: JsonObject): readonly (readonly [string, JsonValue])[] {
  return Object.entries(parts);
}

function isEverything(condition: JsonObject): boolean {
  return partsOf(condition).every(([name, value]) => name === "uri" && isObject(value) && isAnyPath(value));
}

function isAnyPath(uri: JsonObject): boolean {
  return uri["prefix"] === "" || uri["prefix"] === "/";
}

/** Whether every request that fits b fits a. */
function covers(a: JsonObject, b: JsonObject): boolean {
  return partsOf(a).every(([name, value]) => {
    const other = b[name];
    if (name === "uri" && isObject(value)) return isAnyPath(value) || coversPath(value, other, a, b);
    // Compared with the path.
    if (name === "ignoreUriCase") return true;
    if (other === undefined) return false;
    const isMap = MAPS.has(name) && isObject(value) && isObject(other);
    return isMap
      ? Object.entries(value).every(([key, each]) => other[key] !== undefined && isSame(each, other[key]))
      : isSame(value, other);
  });
}

const MAPS = new Set(["headers", "withoutHeaders", "queryParams", "sourceLabels"]);

function coversPath(uri: JsonObject, other: JsonValue | undefined, a: JsonObject, b: JsonObject): boolean {
  if (other === undefined || !isObject(other)) return false;
  const ignoresCase = a["ignoreUriCase"] === true;
  if (!ignoresCase && b["ignoreUriCase"] === true) return false;
  const form = (text: JsonValue | undefined) =>
    typeof text === "string" ? (ignoresCase ? text.toLowerCase() : text) : undefined;
  const begins = form(other["prefix"]) ?? form(other["exact"]);
  const prefix = form(uri["prefix"]);
  if (prefix !== undefined) return begins?.startsWith(prefix) === true;
  const exact = form(uri["exact"]);
  return exact === undefined ? isSame(uri, other) : exact === form(other["exact"]);
}

function isSame(a: JsonValue, b: JsonValue): boolean {
  return stableJson(a) === stableJson(b);
}

function nameOf(route: JsonValue): JsonValue {
  const name = isObject(route) ? route["name"] : undefined;
  return typeof name === "string" ? name : null;
}
