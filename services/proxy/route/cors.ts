import type { CorsPolicy } from "../../../shared/wire/index.ts";
import { compileValue } from "./condition.ts";
import type { HeaderEdit } from "./header-edits.ts";

/** Which origins a route's answers may be read from, and what browsers are told. */
export interface Cors {
  allows(origin: string): boolean;
  /** Of every answer to an allowed origin, beside the origin itself. */
  readonly answer: readonly HeaderEdit[];
  /** Whether a preflight from another origin goes no further. */
  readonly keepsOthers: boolean;
  /** Of the answer to a preflight. */
  readonly preflight: Readonly<Record<string, string>>;
}

/** Of every answer: caches must not hand one origin's answer to another. */
export const VARY_BY_ORIGIN: HeaderEdit = { op: "add", name: "vary", key: "vary", value: "Origin" };

export function compileCors(policy: CorsPolicy | null | undefined): Cors | undefined {
  if (policy === null || policy === undefined) return undefined;
  const any = policy.allowOrigin.includes("*") || policy.allowOrigins.some(({ exact }) => exact === "*");
  const exact = new Set(policy.allowOrigin);
  const tests = policy.allowOrigins.map((match) => compileValue(match).test);
  const answer = [VARY_BY_ORIGIN];
  if (policy.allowCredentials) answer.push(setField("access-control-allow-credentials", "true"));
  if (policy.exposeHeaders.length > 0) {
    answer.push(setField("access-control-expose-headers", policy.exposeHeaders.join(",")));
  }
  return {
    allows: (origin) => any || exact.has(origin) || tests.some((test) => test(origin)),
    answer,
    keepsOthers: policy.ignoreUnmatchedPreflights,
    preflight: {
      ...(policy.allowMethods.length > 0 && { "access-control-allow-methods": policy.allowMethods.join(",") }),
      ...(policy.allowHeaders.length > 0 && { "access-control-allow-headers": policy.allowHeaders.join(",") }),
      ...(policy.maxAgeMs > 0 && { "access-control-max-age": String(Math.floor(policy.maxAgeMs / 1000)) }),
    },
  };
}

export function setField(key: string, value: string): HeaderEdit {
  return { op: "set", name: key, key, value };
}
