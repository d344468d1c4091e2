import type { At } from "../reader.ts";
import { isObject } from "../reader.ts";
import type { JsonValue } from "../resource.ts";
import { stableJson } from "../resource.ts";

/**
 * Routes of a VirtualService that no request can reach: the first that fits wins, so what stands after a route for all
 * requests, or says what an earlier one has said, is for nothing. Warnings only: the rest of the resource does what it says.
 */
export function warnOfUnreachable(at: At): void {
  const routes = at.given("http");
  if (!Array.isArray(routes)) return;
  const seen = new Map<string, number>();
  let catchAll: number | undefined;
  for (const [index, route] of (routes as readonly JsonValue[]).entries()) {
    const path = `${at.path}.http[${index}]`;
    if (catchAll !== undefined) {
      at.reader.warn(
        path,
        nameOf(route),
        `is never reached: http[${catchAll}] takes every request`,
        "move it before that",
      );
      continue;
    }
    const matches = matchesOf(route);
    if (matches.length === 0) {
      catchAll = index;
      continue;
    }
    const taken = matches.map((match) => takenBy(match, seen));
    for (const [place, by] of taken.entries()) {
      if (by !== undefined && taken.includes(undefined))
        at.reader.warn(
          `${path}.match[${place}]`,
          null,
          `is never reached: http[${by}] has the same condition`,
          "remove it",
        );
    }
    if (!taken.includes(undefined))
      at.reader.warn(
        path,
        nameOf(route),
        `is never reached: http[${taken[0]}] has the same conditions`,
        "remove it, or change one",
      );
    for (const match of matches) if (!seen.has(keyOf(match))) seen.set(keyOf(match), index);
    if (matches.some(isEverything)) catchAll = index;
  }
}

function takenBy(match: JsonValue, seen: ReadonlyMap<string, number>): number | undefined {
  return seen.get(keyOf(match));
}

/** Two conditions that differ in their names only are the same. */
function keyOf(match: JsonValue): string {
  if (!isObject(match)) return stableJson(match);
  const { name: _, ...rest } = match;
  return stableJson(rest);
}

function isEverything(match: JsonValue): boolean {
  const parts = isObject(match) ? Object.entries(match).filter(([name]) => name !== "name") : [];
  return parts.every(
    ([name, value]) => name === "uri" && isObject(value) && ["", "/"].includes(String(value["prefix"])),
  );
}

function matchesOf(route: JsonValue): readonly JsonValue[] {
  const matches = isObject(route) ? route["match"] : undefined;
  return Array.isArray(matches) ? matches : [];
}

function nameOf(route: JsonValue): JsonValue {
  const name = isObject(route) ? route["name"] : undefined;
  return typeof name === "string" ? name : null;
}
