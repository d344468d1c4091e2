/**
 * Durations as Go writes them: decimal numbers with units, `1h5m0.5s`. In memory they are milliseconds with fractions,
 * which is exact to the nanosecond for anything under a month.
 */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const WHOLE = /^([-+]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** Milliseconds; undefined when the text is not a duration. "0" needs no unit. */
export function parseDurationMs(text: string): number | undefined {
  if (/^[-+]?0$/.test(text)) return 0;
  const whole = WHOLE.exec(text);
  if (whole === null) return undefined;
  let total = 0;
  for (const part of (whole[2] ?? "").matchAll(PART)) total += Number(part[1]) * (UNIT_MS[part[2] ?? ""] ?? Number.NaN);
  return whole[1] === "-" ? -total : total;
}

/** The duration in Go's notation: `6.848ms`, `1m0.5s`, `0s`. */
export function formatDuration(durationMs: number): string {
  const nanos = Math.round(Math.abs(durationMs) * 1e6);
  if (nanos === 0) return "0s";
  const sign = durationMs < 0 ? "-" : "";
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${nanos / 1e3}µs`;
  if (nanos < 1e9) return `${sign}${nanos / 1e6}ms`;
  const hours = Math.floor(nanos / 3.6e12);
  const minutes = Math.floor((nanos % 3.6e12) / 6e10);
  const seconds = `${(nanos % 6e10) / 1e9}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}
