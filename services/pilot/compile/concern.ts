import type { ParsedResource } from "../../../shared/model/index.ts";
import type { Affected } from "./affected.ts";

/**
 * One matter that the compiler deals with: it keeps the resources of its kinds, indexed so that each change names what
 * it affects without a look at anything else. Several concerns may look at one kind.
 */
export interface Concern {
  /** In lower case, as in rule names. */
  readonly kinds: readonly string[];
  /** A new or changed resource; `rule` is `<kind>/<namespace>/<name>`. */
  put(rule: string, revision: number, resource: ParsedResource): Affected;
  /** A resource is gone; `revision` is that of its deletion. */
  remove(rule: string, revision: number): Affected;
  /** Where a resource shows now. */
  touchedBy(rule: string): Affected;
}

/** What is odd about a resource beside others, but may be meant. */
export interface Oddity {
  readonly reason: string;
  readonly remedy: string;
}

/** The kind in lower case that a rule name begins with. */
export function kindOfRule(rule: string): string {
  return rule.slice(0, rule.indexOf("/"));
}
