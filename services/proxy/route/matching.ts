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

export interface MatchedRequest {
  readonly head: RequestHead;
  readonly port: number;
}

/** What becomes of each rule for this caller and request, in their order. */
export function explainRoutes(
  rules: readonly MatchRule[],
  request: MatchedRequest,
  caller: Caller,
  gateways?: readonly string[],
): Verdict[] {
  return verdictsOf(rules, ({ match }) => {
    return whyNotFor(match, caller, gateways) ?? whyNotMatched(compileConditions(match), request);
  });
}

/** The same of rules that are compiled, and for this caller. */
export function explainMatchables(
  routes: readonly (Matchable & { readonly rule: string })[],
  request: MatchedRequest,
): Verdict[] {
  return verdictsOf(routes, ({ conditions }) => whyNotMatched(conditions, request));
}

/** The first rule without a reason against it is chosen. */
function verdictsOf<R extends { readonly rule: string }>(
  rules: readonly R[],
  whyNot: (rule: R) => string | undefined,
): Verdict[] {
  let chosen: string | undefined;
  return rules.map((each): Verdict => {
    const { rule } = each;
    if (chosen !== undefined) return { rule, outcome: "not reached", reason: `${chosen} comes first` };
    const reason = whyNot(each);
    if (reason !== undefined) return { rule, outcome: "passed over", reason };
    chosen = rule;
    return { rule, outcome: "chosen" };
  });
}

function whyNotMatched(conditions: readonly Condition[], { head, port }: MatchedRequest): string | undefined {
  const failed = failedCondition(conditions, head, port);
  if (failed === undefined) return undefined;
  const value = failed.read(head, port);
  return `${failed.text}: ${value === undefined ? "the request has none" : `the request has ${JSON.stringify(value)}`}`;
}
