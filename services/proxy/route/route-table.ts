import type { RequestHead } from "../stream/stream.ts";
import { failedCondition, type Matchable, matchRoute } from "./matching.ts";

/** Fewer rules than these are tried one by one: that is as fast, and it is the usual case. */
const INDEX_FROM = 16;

/**
 * The rules of one service or gateway, in their order. A long list is indexed by what the path must begin with, so that
 * a request meets only the rules that its path leaves possible: a thousand rules by path cost it hardly more than ten.
 */
export class RouteTable<R extends Matchable> {
  readonly routes: readonly R[];
  readonly #index: PathIndex | undefined;

  constructor(routes: readonly R[]) {
    this.routes = routes;
    this.#index = routes.length < INDEX_FROM ? undefined : new PathIndex(routes);
  }

  /** The first rule whose conditions all hold. */
  match(head: RequestHead, port: number): R | undefined {
    const index = this.#index;
    return index === undefined ? matchRoute(this.routes, head, port) : index.first(this.routes, head, port);
  }
}

/** Places in the list by the beginning of the path that the rule's condition on the uri asks for, at least. */
class PathIndex {
  readonly #byPrefix = new Map<string, number[]>();
  /** Of the prefixes. */
  readonly #lengths: readonly number[];
  /** Those that say nothing of how the path begins. */
  readonly #others: number[] = [];

  constructor(routes: readonly Matchable[]) {
    for (const [place, { conditions }] of routes.entries()) {
      const prefix = conditions.find((condition) => condition.pathPrefix !== undefined)?.pathPrefix;
      const places = prefix === undefined ? this.#others : (this.#byPrefix.get(prefix) ?? []);
      places.push(place);
      if (prefix !== undefined) this.#byPrefix.set(prefix, places);
    }
    this.#lengths = [...new Set([...this.#byPrefix.keys()].map((prefix) => prefix.length))].sort((a, b) => a - b);
  }

  first<R extends Matchable>(routes: readonly R[], head: RequestHead, port: number): R | undefined {
    const { path } = head;
    let best = routes.length;
    for (const length of this.#lengths) {
      if (length > path.length) break;
      const places = this.#byPrefix.get(path.slice(0, length));
      if (places !== undefined) best = firstOf(places, best, routes, head, port);
    }
    return routes[firstOf(this.#others, best, routes, head, port)];
  }
}

/** The first of the places before `limit` whose rule fits, or `limit`. */
function firstOf(
  places: readonly number[],
  limit: number,
  routes: readonly Matchable[],
  head: RequestHead,
  port: number,
): number {
  for (const place of places) {
    if (place >= limit) break;
    const { conditions } = routes[place] as Matchable;
    if (failedCondition(conditions, head, port) === undefined) return place;
  }
  return limit;
}
