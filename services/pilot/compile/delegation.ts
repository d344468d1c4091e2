import type { HttpRouteSpec } from "../../../shared/model/index.ts";
import { changesAnything } from "./http-route.ts";
import { conjunction, EVERY_REQUEST, type MatchBlock, toMatchBlock } from "./route-match.ts";
import type { VirtualService } from "./virtual-service.ts";
import { isVisible } from "./visibility.ts";

/** One route with the requests that it is for, after delegation. */
export interface ExpandedRoute {
  readonly spec: HttpRouteSpec;
  readonly blocks: readonly MatchBlock[];
  /** Whose text it is, when it was delegated. */
  readonly delegate: VirtualService | undefined;
}

/** A delegate whose text is not known any more, only its compiled routes. */
export interface FrozenDelegate {
  readonly frozen: VirtualService;
}

export interface Expansion {
  readonly routes: readonly (ExpandedRoute | FrozenDelegate)[];
  /** What has no effect, and why. */
  readonly notes: readonly string[];
}

/**
 * The routes of a VirtualService with those of its delegates in place. A delegated route is for the requests that the delegating
 * route and itself are for; what it does not say itself the delegating route says. One that no request could fulfil is
 * left out, and so is one whose delegate is not there: both are told.
 */
export function expand(root: VirtualService, find: (rule: string) => VirtualService | undefined): Expansion {
  const routes: (ExpandedRoute | FrozenDelegate)[] = [];
  const notes: string[] = [];
  for (const [i, spec] of root.spec.http.entries()) {
    const outer = blocksOf(spec);
    if (spec.delegate === undefined) {
      routes.push({ spec, blocks: outer, delegate: undefined });
      continue;
    }
    const rule = delegateRule(spec.delegate);
    const delegate = find(rule);
    const fault = whyNot(root, delegate);
    if (delegate === undefined || fault !== undefined) {
      notes.push(`http[${i}] has no effect: ${rule} ${fault}`);
    } else if (delegate.frozen !== undefined) {
      routes.push({ frozen: delegate });
    } else {
      for (const [j, inner] of delegate.spec.http.entries()) {
        const { blocks, conflicts } = conjoined(outer, blocksOf(inner));
        for (const conflict of conflicts)
          notes.push(
            `http[${j}] of ${rule} ${blocks.length === 0 ? "has no effect" : "holds in part"} below http[${i}]: ${conflict}`,
          );
        if (blocks.length > 0) routes.push({ spec: filledIn(inner, spec), blocks, delegate });
      }
    }
  }
  return { routes, notes };
}

export function delegateRule({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `virtualservice/${namespace}/${name}`;
}

function whyNot(root: VirtualService, delegate: VirtualService | undefined): string | undefined {
  if (delegate === undefined) return "does not exist";
  if (delegate.spec.hosts.length > 0) return "has hosts, so nothing can be delegated to it";
  return isVisible(delegate.exportTo, root.namespace) ? undefined : `is not exported to ${root.namespace}`;
}

function blocksOf({ matches }: HttpRouteSpec): readonly MatchBlock[] {
  return matches.length === 0 ? [EVERY_REQUEST] : matches.map(toMatchBlock);
}

function conjoined(
  outer: readonly MatchBlock[],
  inner: readonly MatchBlock[],
): { blocks: MatchBlock[]; conflicts: Set<string> } {
  const blocks: MatchBlock[] = [];
  const conflicts = new Set<string>();
  for (const a of outer) {
    for (const b of inner) {
      const joint = conjunction(a, b);
      if ("block" in joint) blocks.push(joint.block);
      else conflicts.add(joint.conflict);
    }
  }
  return { blocks, conflicts };
}

/** What the delegate's route leaves open, from the delegating one. */
function filledIn(inner: HttpRouteSpec, outer: HttpRouteSpec): HttpRouteSpec {
  const hasHeaders = changesAnything(inner.headers.request) || changesAnything(inner.headers.response);
  return {
    ...inner,
    name: [outer.name, inner.name].filter((part) => part !== "").join("-"),
    rewrite: inner.rewrite ?? outer.rewrite,
    timeoutMs: inner.timeoutMs ?? outer.timeoutMs,
    retries: inner.retries ?? outer.retries,
    fault: inner.fault ?? outer.fault,
    mirrors: inner.mirrors.length > 0 ? inner.mirrors : outer.mirrors,
    cors: inner.cors ?? outer.cors,
    headers: hasHeaders ? inner.headers : outer.headers,
  };
}
