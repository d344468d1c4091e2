import { RE2JS } from "re2js";
import type { HeaderMatch, Route, SourceSelector } from "../../../shared/wire/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { HeaderList } from "../stream/header-list.ts";
import type { Peer } from "../stream/record.ts";
import type { RequestHead } from "../stream/stream.ts";
import { WeightedChoice } from "./weighted-choice.ts";

/**
 * A service's routes as one caller sees them. What does not change from request to request (the caller's own name and
 * labels) is decided here; what remains is a list of conditions on the request, tried in order.
 */
export interface ServiceRoute {
  /** `<kind>/<namespace>/<name>` or "default". */
  readonly rule: string;
  readonly conditions: readonly Condition[];
  readonly clusters: WeightedChoice<Cluster>;
  readonly config: Route;
  /** Of a `uri` prefix condition, what a rewrite replaces. */
  readonly matchedPrefix: string | undefined;
}

export interface Condition {
  readonly name: string;
  /** For explanations: `exact "x"`. */
  readonly text: string;
  test(value: string): boolean;
}

/** Whether a rule for certain callers is meant for this one. */
export function isSource(selector: SourceSelector | null | undefined, caller: Peer): boolean {
  if (selector === null || selector === undefined) return true;
  if (selector.service !== "" && (selector.service !== caller.service || selector.namespace !== caller.namespace))
    return false;
  return Object.entries(selector.labels).every(
    ([key, value]) => Object.hasOwn(caller.labels, key) && caller.labels[key] === value,
  );
}

export function compileCondition(match: HeaderMatch): Condition {
  const { name } = match;
  if (match.regex !== null && match.regex !== undefined) {
    const pattern = RE2JS.compile(match.regex);
    return { name, text: `regex ${JSON.stringify(match.regex)}`, test: (value) => pattern.matches(value) };
  }
  if (match.prefix !== null && match.prefix !== undefined) {
    const { prefix } = match;
    return { name, text: `prefix ${JSON.stringify(prefix)}`, test: (value) => value.startsWith(prefix) };
  }
  const exact = match.exact ?? "";
  return { name, text: `exact ${JSON.stringify(exact)}`, test: (value) => value === exact };
}

/** The routes that apply to `caller`, up to and including the first that matches every request. */
export function compileRoutes(
  routes: readonly Route[],
  caller: Peer,
  clusterOf: (route: Route, index: number) => Cluster,
): ServiceRoute[] {
  const compiled: ServiceRoute[] = [];
  for (const route of routes) {
    if (!isSource(route.match?.source, caller)) continue;
    const headers = route.match?.headers ?? [];
    const prefix = headers.find((header) => header.name === "uri")?.prefix;
    compiled.push({
      rule: route.rule,
      conditions: headers.map(compileCondition),
      clusters: new WeightedChoice(
        route.destinations.map((destination, index) => ({
          value: clusterOf(route, index),
          weight: destination.weight,
        })),
      ),
      config: route,
      matchedPrefix: prefix ?? undefined,
    });
    if (headers.length === 0) break;
  }
  return compiled;
}

/** The first route whose conditions all hold. */
export function matchRoute<R extends { readonly conditions: readonly Condition[] }>(
  routes: readonly R[],
  head: RequestHead,
): R | undefined {
  for (const route of routes) if (satisfies(route.conditions, head)) return route;
  return undefined;
}

/** The first condition that fails is the reason a rule was passed over. */
export function failedCondition(conditions: readonly Condition[], head: RequestHead): Condition | undefined {
  return conditions.find((condition) => {
    const value = partOf(head, condition.name);
    return value === undefined || !condition.test(value);
  });
}

function satisfies(conditions: readonly Condition[], head: RequestHead): boolean {
  return conditions.length === 0 || failedCondition(conditions, head) === undefined;
}

function partOf(head: RequestHead, name: string): string | undefined {
  switch (name) {
    case "uri":
      return pathOf(head);
    case "scheme":
      return head.scheme;
    case "method":
      return head.method;
    case "authority":
      return head.authority;
    default:
      return joined(head.headers, name);
  }
}

/** The path without its query. */
export function pathOf(head: RequestHead): string {
  const query = head.path.indexOf("?");
  return query < 0 ? head.path : head.path.slice(0, query);
}

/** All values of a field as one (RFC 9110 5.3; cookies by RFC 6265 4.2.1). */
function joined(headers: HeaderList, key: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== key) continue;
    value = value === undefined ? headers.values[i] : `${value}${key === "cookie" ? "; " : ","}${headers.values[i]}`;
  }
  return value;
}
