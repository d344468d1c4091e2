import type { Labels } from "../../../shared/model/index.ts";

/** Labels in a fixed order, so that equal labels give equal bytes. */
export function sortedLabels(labels: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One text per set of labels, whatever their order. */
export function labelsKey(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}
