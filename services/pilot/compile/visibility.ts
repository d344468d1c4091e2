import type { ExportTo } from "../../../shared/model/index.ts";

/**
 * Who sees a resource. Callers of no namespace in particular (undefined) stand for all those that no rule names: they see only
 * what everybody does.
 */
export function isVisible(exportTo: ExportTo, callerNamespace: string | undefined): boolean {
  return exportTo.includes("*") || (callerNamespace !== undefined && exportTo.includes(callerNamespace));
}

/** The narrower, the lower: only its own namespace, others by name, everybody. */
export function exportRank(exportTo: ExportTo, ownNamespace: string): number {
  if (exportTo.includes("*")) return 2;
  return exportTo.every((namespace) => namespace === ownNamespace) ? 0 : 1;
}

/** What a resource that says nothing is visible to: what the mesh says, everybody unless it does. */
export function exportedTo(given: ExportTo, meshDefault: ExportTo | undefined, ownNamespace: string): ExportTo {
  const chosen = given.length > 0 ? given : (meshDefault ?? ["*"]);
  return chosen.map((name) => (name === "." ? ownNamespace : name));
}

/** Namespaces whose callers may be treated apart, of one service: more would neither fit into a message nor be compiled in time. */
export const MAX_NAMESPACES_APART = 1_000;

/** As many as are treated apart, the first by name; callers of others are served as those that no rule speaks of. */
export function treatedApart(namespaces: Iterable<string>): string[] {
  return [...namespaces].sort().slice(0, MAX_NAMESPACES_APART);
}
