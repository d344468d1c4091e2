import { formatKey, keyOf, type Resource } from "../../../shared/model/index.ts";

/** What decides between resources that conflict. */
export interface Aged {
  /** <kind>/<namespace>/<name>. */
  readonly rule: string;
  /** When it was first accepted, RFC 3339; "": before all others. */
  readonly created: string;
}

export function agedOf(resource: Resource): Aged {
  return { rule: formatKey(keyOf(resource)), created: resource.metadata.creationTimestamp ?? "" };
}

/** The older first; of one age, by namespace and name. */
export function compareAge(a: Aged, b: Aged): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  const [nameA, nameB] = [placeOf(a.rule), placeOf(b.rule)];
  if (nameA !== nameB) return nameA < nameB ? -1 : 1;
  return a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0;
}

function placeOf(rule: string): string {
  return rule.slice(rule.indexOf("/") + 1);
}
