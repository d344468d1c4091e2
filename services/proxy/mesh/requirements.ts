import type { FollowedTable } from "../../../shared/bus/index.ts";
import type { Requirement } from "../../../shared/wire/index.ts";

/**
 * The first of the positions that a configuration requires and that are not held here; undefined when all are. A
 * configuration is written for every caller, so it may also require what only other callers are routed to: that is
 * neither followed nor waited for. `used`: the keys of the services that matter here.
 */
export function firstUnheld(
  requires: readonly Requirement[],
  tables: { readonly services: FollowedTable; readonly endpoints: FollowedTable },
  used: ReadonlySet<string>,
): string | undefined {
  for (const required of requires) {
    const isService = required.table === "service";
    if (!used.has(isService ? required.key : serviceOfShard(required.key))) continue;
    const follow = (isService ? tables.services : tables.endpoints).get(required.key);
    const isHeld =
      follow !== undefined &&
      (follow.epoch > required.epoch || (follow.epoch === required.epoch && follow.sequence >= required.sequence));
    if (!isHeld) return `${required.table} ${required.key}`;
  }
  return undefined;
}

/** A shard's key is its service's and a number. */
function serviceOfShard(key: string): string {
  return key.slice(0, key.lastIndexOf("."));
}
