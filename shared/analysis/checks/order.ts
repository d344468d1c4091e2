import { formatKey, type StringMatch } from "../../model/index.ts";
import {
  AMBIGUOUS_PRECEDENCE,
  DELEGATE_OUTSIDE,
  INEFFECTIVE_MATCH,
  NO_CATCH_ALL,
  UNREACHABLE_ROUTE,
  UNREACHABLE_RULE,
} from "../codes/routing.ts";
import { type Conditions, conditionsOfRoute, conditionsOfRule, covers, isCatchAll } from "../conditions.ts";
import { canonical } from "../host-book.ts";
import type { Item, MeshIndex } from "../mesh-index.ts";
import type { Report } from "../message.ts";

/** Each is compared with no more than so many before it, which bounds the work for one host. */
const MAX_COMPARED = 500;

/** Routes and rules that others come before. */
export function checkOrder(index: MeshIndex, report: Report): void {
  for (const item of index.all("VirtualService")) {
    checkRoutes(report, item);
    checkDelegateRoutes(index, report, item);
  }
  const byDestination = new Map<string, Item<"RouteRule">[]>();
  for (const item of index.all("RouteRule")) {
    const host = canonical(item.spec.destination);
    const rules = byDestination.get(host);
    if (rules === undefined) byDestination.set(host, [item]);
    else rules.push(item);
  }
  for (const rules of byDestination.values()) checkRules(report, rules);
}

interface Earlier {
  readonly where: string;
  readonly conditions: Conditions;
}

function checkRoutes(report: Report, { key, spec }: Item<"VirtualService">): void {
  const earlier: Earlier[] = [];
  for (const [i, route] of spec.http.entries()) {
    const alternatives = conditionsOfRoute(route);
    const own: Earlier[] = [];
    const covered: { readonly j: number; readonly by: Earlier }[] = [];
    for (const [j, conditions] of alternatives.entries()) {
      const by = [...earlier, ...own].find((each) => covers(each.conditions, conditions));
      if (by !== undefined) covered.push({ j, by });
      const where = route.matches.length === 0 ? `spec.http[${i}]` : `spec.http[${i}].match[${j}]`;
      if (earlier.length + own.length < MAX_COMPARED) own.push({ where, conditions });
    }
    const isByOthers = covered.every(({ by }) => !own.includes(by));
    if (covered.length === alternatives.length && isByOthers) {
      const by = [...new Set(covered.map(({ by: { where } }) => where))].join(", ");
      report.add(UNREACHABLE_ROUTE, key, `spec.http[${i}]`, `${by} comes first and takes every request that fits`);
    } else {
      for (const { j, by } of covered)
        report.add(
          INEFFECTIVE_MATCH,
          key,
          `spec.http[${i}].match[${j}]`,
          `${by.where} comes first and takes every request that fits`,
        );
    }
    // What a delegate does not take goes on to the next route.
    if (route.delegate === undefined) earlier.push(...own);
  }
  const last = spec.http.at(-1);
  const isOpen = earlier.every(({ conditions }) => !isCatchAll(conditions));
  if (spec.hosts.length === 0 || last === undefined || !isOpen || last.delegate !== undefined) return;
  report.add(NO_CATCH_ALL, key, "spec.http", "a request that fits none of the routes gets 404");
}

function checkDelegateRoutes(index: MeshIndex, report: Report, { key, spec }: Item<"VirtualService">): void {
  for (const { delegate, matches } of spec.http) {
    if (delegate === undefined || matches.length === 0) continue;
    const target = index.get("VirtualService", delegate.namespace, delegate.name);
    for (const [i, route] of target?.spec.http.entries() ?? []) {
      for (const [j, { uri }] of route.matches.entries()) {
        if (!matches.every((parent) => isDisjoint(parent.uri, uri))) continue;
        const message = `no path fits both this and the route of ${key.namespace}/${key.name} that delegates`;
        if (target !== undefined) report.add(DELEGATE_OUTSIDE, target.key, `spec.http[${i}].match[${j}].uri`, message);
      }
    }
  }
}

/** Whether no text can fit both; false where that cannot be told. */
function isDisjoint(a: StringMatch | undefined, b: StringMatch | undefined): boolean {
  if (a === undefined || b === undefined || "regex" in a || "regex" in b) return false;
  if ("exact" in a) return "exact" in b ? a.exact !== b.exact : !a.exact.startsWith(b.prefix);
  if ("exact" in b) return !b.exact.startsWith(a.prefix);
  return !a.prefix.startsWith(b.prefix) && !b.prefix.startsWith(a.prefix);
}

function checkRules(report: Report, rules: readonly Item<"RouteRule">[]): void {
  const nameOf = (item: Item<"RouteRule">): string => formatKey(item.key);
  const ordered = [...rules].sort((a, b) => b.spec.precedence - a.spec.precedence || (nameOf(a) < nameOf(b) ? -1 : 1));
  const earlier: { readonly item: Item<"RouteRule">; readonly conditions: Conditions }[] = [];
  for (const item of ordered) {
    // Conditions on connections are not compared.
    if (item.spec.match?.tcp !== undefined) continue;
    const conditions = conditionsOfRule(item.spec.match);
    const by = earlier.find((each) => covers(each.conditions, conditions));
    const { precedence } = item.spec;
    if (by !== undefined && by.item.spec.precedence > precedence) {
      const message = `RouteRule ${by.item.key.namespace}/${by.item.key.name} with precedence ${by.item.spec.precedence} takes every request that fits`;
      report.add(UNREACHABLE_RULE, item.key, "spec", message);
    } else {
      const same = earlier.find(
        (each) => each.item.spec.precedence === precedence && (each === by || covers(conditions, each.conditions)),
      );
      if (same !== undefined) {
        const { namespace, name } = same.item.key;
        const which =
          same === by
            ? "which comes first by its name and takes every request that fits"
            : "which comes first only by its name";
        report.add(
          AMBIGUOUS_PRECEDENCE,
          item.key,
          "spec.precedence",
          `the same as that of RouteRule ${namespace}/${name}, ${which}`,
        );
      }
    }
    if (earlier.length < MAX_COMPARED) earlier.push({ item, conditions });
  }
}
