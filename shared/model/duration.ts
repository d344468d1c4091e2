const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

/** The milliseconds of a proto3 JSON duration such as "7s" or "15.500s", with fractions; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text);
  if (parts === null) return undefined;
  const ms = Number(parts[2]) * 1000 + Number((parts[3] ?? "").padEnd(9, "0")) / 1e6;
  return parts[1] === "-" ? -ms : ms;
}

/** Milliseconds as a proto3 JSON duration: 7000 is "7s", 15500 is "15.500s". */
export function formatDuration(ms: number): string {
  if (Number.isInteger(ms / 1000)) return `${ms / 1000}s`;
  return `${(ms / 1000).toFixed(Number.isInteger(ms) ? 3 : 9)}s`;
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, ns: 0.000001 };
const MAX_TEXT = 40;

/** The milliseconds of a duration in Go's units, such as "5m", "1h30m" or "0.5s", as Istio reads them; undefined for other text. */
export function parseAnyDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > MAX_TEXT || !/^(?:\d{1,12}(?:\.\d{1,9})?(?:h|ms|m|us|ns|s))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|ns|s)/g)) {
    ms += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  // Of "0.1s" as of "100ms": whole nanoseconds, without the dust of floating point.
  return Math.round(ms * 1e6) / 1e6;
}

/** What somebody who wrote "100ms", "1h30m" or 5 most likely meant, as a duration. */
export function suggestDuration(value: unknown): string | undefined {
  if (typeof value === "number" && value > 0) return formatDuration(value * 1000);
  if (typeof value !== "string") return undefined;
  if (/^\d+(?:\.\d+)?$/.test(value)) return formatDuration(Number(value) * 1000);
  const ms = parseAnyDuration(value);
  return ms === undefined ? undefined : formatDuration(ms);
}
