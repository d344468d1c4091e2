import type { HeaderList } from "../stream/header-list.ts";

/** What an application asks for one request of its own, instead of what the route says. */
export interface RouteOverrides {
  /** 0: none. */
  readonly timeoutMs: number | undefined;
  readonly maxRetries: number | undefined;
  /** Names of retry conditions. */
  readonly retryOn: readonly string[] | undefined;
}

/** What a header may raise a limit to. */
export const MAX_HEADER_TIMEOUT_MS = 3_600_000;
export const MAX_HEADER_RETRIES = 10;

/** Reads Envoy's headers and removes them: they are for this proxy. A value that is no number says nothing. */
export function takeOverrides(headers: HeaderList): RouteOverrides | undefined {
  const timeoutMs = takeNumber(headers, "x-envoy-upstream-rq-timeout-ms", MAX_HEADER_TIMEOUT_MS);
  const maxRetries = takeNumber(headers, "x-envoy-max-retries", MAX_HEADER_RETRIES);
  const retryOn = take(headers, "x-envoy-retry-on")
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (timeoutMs === undefined && maxRetries === undefined && retryOn === undefined) return undefined;
  return { timeoutMs, maxRetries, retryOn };
}

function takeNumber(headers: HeaderList, key: string, max: number): number | undefined {
  const value = take(headers, key);
  return value !== undefined && /^\d{1,9}$/.test(value) ? Math.min(Number(value), max) : undefined;
}

function take(headers: HeaderList, key: string): string | undefined {
  const value = headers.get(key);
  if (value !== undefined) headers.remove(key);
  return value;
}
