import { RE2JS } from "re2js";
import type { Rewrite } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import { pathOf, queryOf } from "./request-parts.ts";

/** Tells the path that the caller asked for, where it is not the one that is forwarded (Envoy). */
export const ORIGINAL_PATH = "x-envoy-original-path";

/** Changes a request's path or host before it is forwarded. */
export type RewriteRequest = (head: RequestHead) => void;

/**
 * Undefined when nothing is to be changed. `matchedPrefix`: what `uri` replaces, the whole path when undefined.
 * `authority`: the rewrite's own unless given.
 */
export function compileRewrite(
  rewrite: Rewrite | null | undefined,
  matchedPrefix: string | undefined,
  authority = rewrite?.authority ?? "",
): RewriteRequest | undefined {
  const path = rewrite === null || rewrite === undefined ? undefined : pathRewrite(rewrite, matchedPrefix);
  if (authority === "" && path === undefined) return undefined;
  return (head) => {
    if (authority !== "") head.authority = authority;
    if (path === undefined) return;
    const original = head.path;
    head.path = path(head);
    if (head.path !== original) head.headers.set(ORIGINAL_PATH, ORIGINAL_PATH, original);
  };
}

function pathRewrite(rewrite: Rewrite, matchedPrefix: string | undefined): ((head: RequestHead) => string) | undefined {
  if (rewrite.regex !== "") return regexRewrite(rewrite.regex, rewrite.substitution);
  const { uri } = rewrite;
  if (uri === "") return undefined;
  return matchedPrefix === undefined
    ? (head) => uri + queryOf(head)
    : (head) => replacePrefix(head.path, matchedPrefix, uri);
}

/** `/v1` replaced by `/` makes `/v1/x` to `/x`, not `//x`. */
export function replacePrefix(path: string, prefix: string, replacement: string): string {
  const rest = path.slice(prefix.length);
  return replacement.endsWith("/") && rest.startsWith("/") ? replacement + rest.slice(1) : replacement + rest;
}

function regexRewrite(regex: string, substitution: string): (head: RequestHead) => string {
  const pattern = RE2JS.compile(regex);
  const parts = partsOf(substitution, pattern.groupCount());
  const replace = (...groups: readonly unknown[]): string =>
    parts.map((part) => (typeof part === "string" ? part : String(groups[part] ?? ""))).join("");
  return (head) => {
    const path = pattern.matcher(pathOf(head)).replaceAll(replace);
    // A target must begin with a slash, whatever the pattern left of it.
    return (path.startsWith("/") ? path : `/${path}`) + queryOf(head);
  };
}

/** Text and numbers of groups: `\1` is the first group, `\0` all that matched, `\\` a backslash. */
function partsOf(substitution: string, groups: number): (string | number)[] {
  if (!/^[\x21-\x7e]*$/.test(substitution)) throw new Error("the substitution has characters that no path may carry");
  return substitution.split(/(\\.)/).map((part) => {
    if (!part.startsWith("\\")) return part;
    if (part === "\\\\") return "\\";
    const group = Number(part.slice(1));
    if (part.length < 2 || !(group <= groups)) throw new Error(`the pattern has no group ${part}`);
    return group;
  });
}
