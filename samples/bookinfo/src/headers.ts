import type { IncomingHttpHeaders } from "node:http";

/** What an application must copy from a request to the calls it makes, for traces to hang together. */
export const TRACE_HEADERS = [
  "x-request-id",
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-ot-span-context",
] as const;

/** The value of the cookie, as sent (still percent-encoded). */
export function cookieValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  for (const pair of (headers.cookie ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** The headers to pass on: those of a trace, and of the cookies the user's name only. */
export function forwardedHeaders(headers: IncomingHttpHeaders, more: readonly string[] = []): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const user = cookieValue(headers, "user");
  if (user !== undefined && user !== "") forwarded["cookie"] = `user=${user}`;
  for (const name of [...TRACE_HEADERS, ...more]) {
    const value = headers[name];
    if (typeof value === "string") forwarded[name] = value;
  }
  return forwarded;
}
