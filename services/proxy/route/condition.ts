import { RE2JS } from "re2js";
import type { HeaderMatch, RouteMatch } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import { fieldValue, pathOf, queryParameter } from "./request-parts.ts";

/**
 * One condition of a rule on a request. It is asked for every request, so it is compiled once into as little work as
 * it takes: comparing a path, a method or one field allocates nothing. What it says when it fails is only put
 * together when somebody asks for an explanation.
 */
export interface Condition {
  /** As the rule says it: `header x-user exact "jason"`. */
  readonly text: string;
  /** Of a request to a port of the service. */
  holds(head: RequestHead, port: number): boolean;
  /** What the path begins with wherever the condition holds; undefined: it may begin with anything. */
  readonly pathPrefix?: string;
  /** What it looks at; undefined when the request has none. */
  read(head: RequestHead, port: number): string | undefined;
}

type Reader = (head: RequestHead) => string | undefined;
type Test = (value: string) => boolean;

/** The conditions of a rule: port, parts and fields of the request, query parameters. Throws on a bad pattern. */
export function compileConditions(match: RouteMatch | null | undefined): Condition[] {
  if (match === null || match === undefined) return [];
  const conditions: Condition[] = [];
  if (match.port !== 0) conditions.push(portCondition(match.port));
  for (const header of match.headers) conditions.push(headerCondition(header));
  for (const parameter of match.queryParameters) {
    const { name } = parameter;
    conditions.push(condition(`query parameter ${name}`, parameter, (head) => queryParameter(head.path, name)));
  }
  return conditions;
}

function portCondition(wanted: number): Condition {
  return { text: `port ${wanted}`, holds: (_, port) => port === wanted, read: (_, port) => String(port) };
}

function headerCondition(match: HeaderMatch): Condition {
  switch (match.isField ? "" : match.name) {
    case "uri":
      return uriCondition(match);
    case "scheme":
      return condition("scheme", match, (head) => head.scheme);
    case "method":
      return condition("method", match, (head) => head.method);
    case "authority":
      return condition("authority", match, (head) => head.authority);
    default: {
      const key = match.name.toLowerCase();
      return condition(`header ${key}`, match, (head) => fieldValue(head.headers, key));
    }
  }
}

/** Compares in place where it can, since the path without its query would have to be made for each comparison. */
function uriCondition(match: HeaderMatch): Condition {
  const plain = condition("uri", match, pathOf);
  if (match.ignoreCase || match.invert) return plain;
  if (isSet(match.exact)) {
    const { exact } = match;
    const withoutQuery = !exact.includes("?");
    const holds = ({ path }: RequestHead): boolean =>
      withoutQuery &&
      (path.length === exact.length
        ? path === exact
        : path.charCodeAt(exact.length) === QUESTION_MARK && path.startsWith(exact));
    return { ...plain, holds, pathPrefix: exact };
  }
  if (isSet(match.prefix) && !match.prefix.includes("?")) {
    const { prefix } = match;
    return { ...plain, holds: ({ path }) => path.startsWith(prefix), pathPrefix: prefix };
  }
  if (isSet(match.regex)) {
    const pathPrefix = literalPrefix(match.regex);
    return pathPrefix === "" ? plain : { ...plain, pathPrefix };
  }
  return plain;
}

const QUESTION_MARK = 0x3f;

/** The plain text that a pattern begins with: up to the first character of meaning, less what it might repeat. */
function literalPrefix(pattern: string): string {
  if (pattern.includes("|")) return "";
  const [, text = "", next = ""] = /^\^?([\w/~%&=:;,@!' -]*)(.?)/.exec(pattern) ?? [];
  return next !== "" && "*?+{".includes(next) ? text.slice(0, -1) : text;
}

function condition(subject: string, match: HeaderMatch, read: Reader): Condition {
  const { invert, present } = match;
  const not = invert ? "not " : "";
  if (isSet(present) || saysNothing(match)) {
    const wanted = (present ?? true) !== invert;
    return {
      text: `${subject} ${wanted ? "present" : "absent"}`,
      holds: (head) => (read(head) !== undefined) === wanted,
      read,
    };
  }
  const { text, test } = compileValue(match);
  return {
    text: `${subject} ${not}${text}`,
    holds: (head) => {
      const value = read(head);
      return (value !== undefined && test(value)) !== invert;
    },
    read,
  };
}

function saysNothing(match: HeaderMatch): boolean {
  return !isSet(match.exact) && !isSet(match.prefix) && !isSet(match.regex);
}

/** The test of one value: exact, prefix or regex (of the whole value). */
export function compileValue(match: {
  readonly exact?: string | null | undefined;
  readonly prefix?: string | null | undefined;
  readonly regex?: string | null | undefined;
  readonly ignoreCase?: boolean;
}): { readonly text: string; readonly test: Test } {
  const ignoreCase = match.ignoreCase === true;
  const anyCase = ignoreCase ? " in any case" : "";
  if (isSet(match.regex)) {
    const pattern = RE2JS.compile(match.regex, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    return { text: `regex ${JSON.stringify(match.regex)}${anyCase}`, test: (value) => pattern.testExact(value) };
  }
  const fold = ignoreCase ? (text: string) => text.toLowerCase() : undefined;
  if (isSet(match.prefix)) {
    const prefix = fold?.(match.prefix) ?? match.prefix;
    return {
      text: `prefix ${JSON.stringify(match.prefix)}${anyCase}`,
      test: fold === undefined ? (value) => value.startsWith(prefix) : (value) => fold(value).startsWith(prefix),
    };
  }
  const exact = fold?.(match.exact ?? "") ?? match.exact ?? "";
  return {
    text: `exact ${JSON.stringify(match.exact ?? "")}${anyCase}`,
    test: fold === undefined ? (value) => value === exact : (value) => fold(value) === exact,
  };
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
