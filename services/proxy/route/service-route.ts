import type { Destination, Route } from "../../../shared/wire/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { compileRetry, type RetryPolicy } from "../filter/retry-policy.ts";
import { type Caller, whyNotFor } from "./caller.ts";
import { compileConditions } from "./condition.ts";
import { type Cors, compileCors } from "./cors.ts";
import { compileHashKey, type HashKey } from "./hash-key.ts";
import { compileHeaderEdits, type HeaderEdit } from "./header-edits.ts";
import { compileLocalAnswer, type LocalAnswer } from "./local-answer.ts";
import type { Matchable } from "./matching.ts";
import { compileRewrite, type RewriteRequest } from "./rewrite.ts";
import { WeightedChoice } from "./weighted-choice.ts";

/**
 * A service's route as one caller sees it. What does not change from request to request is decided here, when the
 * snapshot is made: whether the caller is meant at all, and what the rule asks for. What it does not ask for is
 * undefined, and costs the request one comparison.
 */
export interface ServiceRoute extends Matchable {
  /** `<kind>/<namespace>/<name>` or "default". */
  readonly rule: string;
  readonly config: Route;
  readonly targets: WeightedChoice<RouteTarget>;
  /** Instead of forwarding. */
  readonly answer: LocalAnswer | undefined;
  /** Of an answer of the route's own; those of a forwarded one are the target's. */
  readonly answerEdits: readonly HeaderEdit[] | undefined;
  readonly rewrite: RewriteRequest | undefined;
  readonly mirrors: readonly RouteMirror[] | undefined;
  readonly cors: Cors | undefined;
  readonly hashKey: HashKey | undefined;
  readonly retry: RetryPolicy | undefined;
}

/** One weighted destination. Its edits are its own, then the route's, as Envoy orders them. */
export interface RouteTarget {
  readonly cluster: Cluster;
  /** 0: the port that was called. */
  readonly port: number;
  readonly requestEdits: readonly HeaderEdit[] | undefined;
  readonly responseEdits: readonly HeaderEdit[] | undefined;
}

export interface RouteMirror {
  readonly cluster: Cluster;
  /** Of the route's requests; fractions count. */
  readonly percent: number;
}

export type ClusterOf = (destination: Destination | null | undefined) => Cluster;

/** Everywhere that a route may send to, copies included. */
export function destinationsOf(route: Route): Destination[] {
  return [...route.destinations, ...route.mirrors].flatMap(({ destination }) => destination ?? []);
}

/**
 * The routes that apply to `caller`, up to and including the first that matches every request. `gateways`: the names
 * that the caller answers to, the mesh's alone unless given. Throws on what no request could be routed by.
 */
export function compileRoutes(
  routes: readonly Route[],
  caller: Caller,
  clusterOf: ClusterOf,
  gateways?: readonly string[],
): ServiceRoute[] {
  const compiled: ServiceRoute[] = [];
  for (const config of routes) {
    if (whyNotFor(config.match, caller, gateways) !== undefined) continue;
    const route = compileRoute(config, clusterOf);
    compiled.push(route);
    if (route.conditions.length === 0) break;
  }
  return compiled;
}

function compileRoute(config: Route, clusterOf: ClusterOf): ServiceRoute {
  const prefix = matchedPrefix(config);
  const appended = { add: config.appendHeaders };
  return {
    rule: config.rule,
    config,
    conditions: compileConditions(config.match),
    targets: new WeightedChoice(
      config.destinations.map(({ destination, weight, port, requestHeaders, responseHeaders }) => ({
        value: {
          cluster: clusterOf(destination),
          port,
          requestEdits: compileHeaderEdits(requestHeaders, config.requestHeaders, appended),
          responseEdits: compileHeaderEdits(responseHeaders, config.responseHeaders),
        },
        weight,
      })),
    ),
    answer: compileLocalAnswer(config, prefix),
    answerEdits: compileHeaderEdits(config.responseHeaders),
    rewrite: compileRewrite(config.rewrite, prefix),
    mirrors:
      config.mirrors.length === 0
        ? undefined
        : config.mirrors.map(({ destination, percent }) => ({ cluster: clusterOf(destination), percent })),
    cors: compileCors(config.cors),
    hashKey: compileHashKey(config.hashPolicies),
    retry: compileRetry(config.retry),
  };
}

/** What a rewrite of the uri replaces. */
function matchedPrefix(route: Route): string | undefined {
  const uri = route.match?.headers.find((header) => header.name === "uri" && !header.invert);
  return uri?.prefix ?? undefined;
}
