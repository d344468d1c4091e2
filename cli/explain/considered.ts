import { MESH } from "../../services/proxy/route/caller.ts";
import { compileConditions } from "../../services/proxy/route/condition.ts";
import type { Verdict } from "../../services/proxy/route/matching.ts";
import type { RouteMatch } from "../../shared/wire/index.ts";
import type { ConsideredExplained } from "./explanation.ts";

/** A rule as far as people are told of it. */
export interface ToldRule {
  readonly name?: string | undefined;
  readonly match?: RouteMatch | null | undefined;
}

/** Verdicts on hosts, each told as `host <pattern>`. */
export function consideredHosts(verdicts: readonly Verdict[]): ConsideredExplained[] {
  return verdicts.map(({ rule, ...verdict }) => ({ step: "host", rule: `host ${rule}`, ...verdict }));
}

/** Verdicts on rules, beside each the rule that it is about: several routes of one resource have one name. */
export function consideredRules(
  step: "gateway" | "route",
  verdicts: readonly Verdict[],
  rules: readonly ToldRule[],
): ConsideredExplained[] {
  return verdicts.map(({ rule, ...verdict }, place) => {
    const { name, match } = rules[place] ?? {};
    return { step, rule, ...(name && { route: name }), when: conditionsOf(match), ...verdict };
  });
}

/** What a rule asks of caller and request, as it says it; empty: nothing. */
function conditionsOf(match: RouteMatch | null | undefined): string[] {
  if (match === null || match === undefined) return [];
  const { service = "", namespace = "", labels = {} } = match.source ?? {};
  const gateways = match.gateways.filter((name) => name !== MESH);
  return [
    ...(gateways.length === 0 ? [] : [`gateways ${match.gateways.join(", ")}`]),
    ...(service === "" ? [] : [`source service ${service}`]),
    ...(namespace === "" ? [] : [`source namespace ${namespace}`]),
    ...Object.entries(labels).map(([name, value]) => `source label ${name}=${value}`),
    ...compileConditions(match).map(({ text }) => text),
  ];
}
