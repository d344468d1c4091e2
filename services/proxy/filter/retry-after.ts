import type { HeaderList } from "../stream/header-list.ts";

/** How long a server asks to be left alone (RFC 9110 10.2.3), in seconds or until a date; 0 when it does not say. */
export function retryAfterMs(headers: HeaderList, nowMs: number): number {
  const value = headers.get("retry-after");
  if (value === undefined) return 0;
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs);
}
