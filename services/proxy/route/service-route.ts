import type { Destination, Route, ServiceConfig } from "../../../shared/wire/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { compileRetry, type RetryPolicy } from "../filter/retry-policy.ts";
import { type Caller, whyNotFor } from "./caller.ts";
import { compileConditions } from "./condition.ts";
import { type Cors, compileCors } from "./cors.ts";
import { compileHashKey, type HashKey } from "./hash-key.ts";
import { compileHeaderEdits, type HeaderEdit, withoutAuthority } from "./header-edits.ts";
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
  /** What logs call it: as its resource does, else its rule. */
  readonly name: string;
  /** Among those of its rule, from 0. */
  readonly place: number;
  readonly config: Route;
  readonly targets: WeightedChoice<RouteTarget>;
  /** Instead of forwarding. */
  readonly answer: LocalAnswer | undefined;
  /** Of an answer of the route's own; those of a forwarded one are the target's. */
  readonly answerEdits: readonly HeaderEdit[] | undefined;
  readonly mirrors: readonly RouteMirror[] | undefined;
  readonly cors: Cors | undefined;
  readonly hashKey: HashKey | undefined;
  readonly retry: RetryPolicy | undefined;
}

/** One weighted destination. Its edits are its own, then the route's, as Envoy orders them. */
export interface RouteTarget {
  /** Of every port; see `Cluster.forPort`. */
  readonly cluster: Cluster;
  /** 0: the port that was called. */
  readonly port: number;
  readonly rewrite: RewriteRequest | undefined;
  readonly requestEdits: readonly HeaderEdit[] | undefined;
  readonly responseEdits: readonly HeaderEdit[] | undefined;
}

export interface RouteMirror {
  readonly cluster: Cluster;
  /** 0: the port that the request itself goes to. */
  readonly port: number;
  /** Of the route's requests; fractions count. */
  readonly percent: number;
}

export type ClusterOf = (destination: Destination | null | undefined) => Cluster;

/** The port of a destination, given the one that the route says; 0: the port that was called. */
export type PortOf = (destination: Destination | null | undefined, port: number) => number;

/** The routes of a service that hold for callers in a namespace: those of the first view that names it, if any does. */
export function routesFor(
  { views, routes }: Pick<ServiceConfig, "views" | "routes">,
  namespace: string,
): readonly Route[] {
  return views.find(({ namespaces }) => namespaces.includes(namespace))?.routes ?? routes;
}

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
  for (const { config, place } of placed(routes)) {
    if (whyNotFor(config.match, caller, gateways) !== undefined) continue;
    const route = compileRoute(config, clusterOf, place);
    compiled.push(route);
    if (route.conditions.length === 0) break;
  }
  return compiled;
}

/** Each route with its place among those of its rule. */
export function* placed(routes: readonly Route[]): Iterable<{ readonly config: Route; readonly place: number }> {
  const places = new Map<string, number>();
  for (const config of routes) {
    const place = places.get(config.rule) ?? 0;
    places.set(config.rule, place + 1);
    yield { config, place };
  }
}

/** Throws on what no request could be routed by. */
export function compileRoute(
  config: Route,
  clusterOf: ClusterOf,
  place: number,
  portOf: PortOf = (_, port) => port,
): ServiceRoute {
  const prefix = matchedPrefix(config);
  const appended = { add: config.appendHeaders };
  const { operations, authority } = withoutAuthority(config.requestHeaders);
  return {
    rule: config.rule,
    name: config.name || config.rule,
    place,
    config,
    conditions: compileConditions(config.match),
    targets: new WeightedChoice(
      config.destinations.map(({ destination, weight, port, requestHeaders, responseHeaders }) => {
        const own = withoutAuthority(requestHeaders);
        const value = {
          cluster: clusterOf(destination),
          port: portOf(destination, port),
          requestEdits: compileHeaderEdits(own.operations, operations, appended),
          responseEdits: compileHeaderEdits(responseHeaders, config.responseHeaders),
          rewrite: compileRewrite(config.rewrite, prefix, own.authority || config.rewrite?.authority || authority),
        };
        return { value, weight };
      }),
    ),
    answer: compileLocalAnswer(config, prefix),
    answerEdits: compileHeaderEdits(config.responseHeaders),
    mirrors:
      config.mirrors.length === 0
        ? undefined
        : config.mirrors.map(({ destination, percent, port }) => ({
            cluster: clusterOf(destination),
            percent,
            port: portOf(destination, port),
          })),
    cors: compileCors(config.cors),
    hashKey: compileHashKey(config.hashPolicies),
    retry: compileRetry(config.retry),
  };
}

/** What a rewrite of the uri replaces: the longest prefix that the path must have, of several conditions on it. */
function matchedPrefix(route: Route): string | undefined {
  const uris = route.match?.headers.filter(({ name, isField, invert }) => name === "uri" && !isField && !invert) ?? [];
  if (uris.some(({ exact }) => typeof exact === "string")) return undefined;
  const prefixes = uris.flatMap(({ prefix }) => prefix ?? []);
  return prefixes.sort((a, b) => b.length - a.length)[0];
}
