import type { RouteMatch } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import { type Caller, whyNotFor } from "./caller.ts";
import { type Condition, compileConditions } from "./condition.ts";

/**
 * Which rule a request gets, and why not another. There is one judgement, `failedCondition`: the data path asks it for
 * the first rule that it passes, an explanation asks it for every rule and writes down the answers. Both take the
 * rules through the same compilation, so what is explained is what happens.
 */

/** A rule that is tried; its caller has been judged already. */
export interface Matchable {
  readonly conditions: readonly Condition[];
}

/** A rule as it comes over the bus. */
export interface MatchRule {
  readonly rule: string;
  readonly match?: RouteMatch | null;
}

export type Verdict =
  | { readonly rule: string; readonly outcome: "chosen" }
  /** `reason`: the condition that failed, and what the request had. */
  | { readonly rule: string; readonly outcome: "passed over"; readonly reason: string }
  /** An earlier rule was chosen. */
  | { readonly rule: string; readonly outcome: "not reached"; readonly reason: string };

/** The first condition that does not hold; undefined when all do. */
export function failedCondition(
  conditions: readonly Condition[],
  head: RequestHead,
  port: number,
): Condition | undefined {
  for (let i = 0; i < conditions.length; i++) {
    const condition = conditions[i] as Condition;
    if (!condition.holds(head, port)) return condition;
  }
  return undefined;
}

/** The first rule whose conditions all hold. */
export function matchRoute<R extends Matchable>(routes: readonly R[], head: RequestHead, port: number): R | undefined {
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as R;
    if (failedCondition(route.conditions, head, port) === undefined) return route;
  }
  return undefined;
}

/** What becomes of each rule for this caller and request, in their order. */
export function explainRoutes(
  rules: readonly MatchRule[],
  request: { readonly head: RequestHead; readonly port: number },
  caller: Caller,
  gateways?: readonly string[],
): Verdict[] {
  const { head, port } = request;
  let chosen: string | undefined;
  return rules.map(({ rule, match }): Verdict => {
    if (chosen !== undefined) return { rule, outcome: "not reached", reason: `${chosen} comes first` };
    const notFor = whyNotFor(match, caller, gateways);
    if (notFor !== undefined) return { rule, outcome: "passed over", reason: notFor };
    const failed = failedCondition(compileConditions(match), head, port);
    if (failed !== undefined) {
      const value = failed.read(head, port);
      const found = value === undefined ? "the request has none" : `the request has ${JSON.stringify(value)}`;
      return { rule, outcome: "passed over", reason: `${failed.text}: ${found}` };
    }
    chosen = rule;
    return { rule, outcome: "chosen" };
  });
}
