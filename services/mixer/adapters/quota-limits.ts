import type { QuotaOverrideParams } from "../../../shared/policy/index.ts";
import { formatValue, type TypedValue } from "../values.ts";

function equalsDimension(typed: TypedValue | undefined, wanted: string): boolean {
  if (typed === undefined) return wanted === "";
  if (typed.type === "BOOL") return String(typed.value) === wanted.toLowerCase();
  if (typeof typed.value === "number" && (typed.type === "INT64" || typed.type === "DOUBLE")) {
    return wanted.trim() !== "" && Number(wanted) === typed.value;
  }
  if (typed.type === "TIMESTAMP") return Date.parse(wanted) === typed.value;
  return formatValue(typed) === wanted;
}

/** Whether each dimension that the override names has its value; dimensions that it does not name do not matter. */
export function overrideMatches(override: QuotaOverrideParams, dimensions: ReadonlyMap<string, TypedValue>): boolean {
  return Object.entries(override.dimensions).every(([name, wanted]) => equalsDimension(dimensions.get(name), wanted));
}

/** The counter of one instance and one combination of dimension values. */
export function dimensionKey(instance: string, dimensions: ReadonlyMap<string, TypedValue>): string {
  const parts = [...dimensions.keys()].sort().map((name) => {
    const typed = dimensions.get(name);
    return `;${encodeURIComponent(name)}=${typed === undefined ? "" : encodeURIComponent(formatValue(typed))}`;
  });
  return instance + parts.join("");
}
