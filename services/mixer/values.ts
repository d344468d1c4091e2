import { formatDuration, formatIp, type Value, type ValueType } from "../../shared/policy/index.ts";

/** A value with its type: alone, a number could be a count, a time or a duration (both in milliseconds). */
export interface TypedValue {
  readonly type: ValueType;
  readonly value: Value;
}

/** A value as a label: maps as `k=v&k2=v2`, sorted. */
export function formatValue({ type, value }: TypedValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (type === "DURATION") return formatDuration(value);
    if (type === "TIMESTAMP") return new Date(value).toISOString();
    return String(value);
  }
  if (value instanceof Uint8Array) return formatIp(value);
  return Object.keys(value)
    .sort()
    .map((key) => `${key}=${value[key] ?? ""}`)
    .join("&");
}

/** A value for a JSON line: numbers and booleans stay, the rest is text. */
export function jsonValue(typed: TypedValue): string | number | boolean | Readonly<Record<string, string>> {
  const { type, value } = typed;
  if (typeof value === "boolean") return value;
  if (typeof value === "number" && (type === "INT64" || type === "DOUBLE")) return value;
  if (type === "STRING_MAP" && typeof value === "object" && !(value instanceof Uint8Array)) return value;
  return formatValue(typed);
}

/** The number that a metric sums: milliseconds for durations, numeric text as its number. Undefined: not a number. */
export function numericValue({ type, value }: TypedValue): number | undefined {
  if (typeof value === "number" && type !== "TIMESTAMP") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
