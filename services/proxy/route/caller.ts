import type { RouteMatch, SourceSelector } from "../../../shared/wire/index.ts";
import type { Peer } from "../stream/record.ts";

/** What a rule may want to know of whoever routes; it does not change from request to request. */
export type Caller = Pick<Peer, "namespace" | "service" | "labels">;

/** The name that every proxy of the mesh answers to beside its gateway's. */
export const MESH = "mesh";
const SIDECAR: readonly string[] = [MESH];

/** Whether a rule for certain callers is meant for this one. */
export function isSource(selector: SourceSelector | null | undefined, caller: Caller): boolean {
  return wrongSource(selector, caller) === undefined;
}

/** Why a rule is not for this caller, whatever the request; undefined when it is. `gateways`: names it answers to. */
export function whyNotFor(
  match: RouteMatch | null | undefined,
  caller: Caller,
  gateways: readonly string[] = SIDECAR,
): string | undefined {
  const wanted = match?.gateways ?? [];
  if (!(wanted.length === 0 ? gateways.includes(MESH) : wanted.some((name) => gateways.includes(name)))) {
    return `gateways ${wanted.length === 0 ? MESH : wanted.join(", ")}: this is ${gateways.join(", ")}`;
  }
  return wrongSource(match?.source, caller);
}

function wrongSource(selector: SourceSelector | null | undefined, caller: Caller): string | undefined {
  if (selector === null || selector === undefined) return undefined;
  if (selector.service !== "" && selector.service !== caller.service) {
    return `source service ${selector.service}: the caller is ${caller.service || "of no service"}`;
  }
  if (selector.namespace !== "" && selector.namespace !== caller.namespace) {
    return `source namespace ${selector.namespace}: the caller is in ${caller.namespace || "none"}`;
  }
  for (const [key, value] of Object.entries(selector.labels)) {
    const own = Object.hasOwn(caller.labels, key) ? caller.labels[key] : undefined;
    if (own !== value) return `source label ${key}=${value}: the caller has ${own === undefined ? "none" : own}`;
  }
  return undefined;
}
