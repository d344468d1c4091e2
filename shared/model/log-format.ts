import { closest } from "./closest.ts";

/*
 * Formats of access logs, as Envoy has them: text with command operators, such as `%RESPONSE_CODE%`, `%REQ(:METHOD)%`,
 * `%REQ(X-FIRST?X-SECOND):20%` (the second header where there is no first; at most 20 characters). `%%` stands for a
 * percent sign.
 */

/** Operators about one request. Those of Envoy that are not here tell of what the proxy does not have. */
export const LOG_OPERATORS = [
  "START_TIME",
  "PROTOCOL",
  "RESPONSE_CODE",
  "RESPONSE_CODE_DETAILS",
  "RESPONSE_FLAGS",
  "CONNECTION_TERMINATION_DETAILS",
  "BYTES_RECEIVED",
  "BYTES_SENT",
  "DURATION",
  "ROUTE_NAME",
  "REQUESTED_SERVER_NAME",
  "UPSTREAM_HOST",
  "UPSTREAM_CLUSTER",
  "UPSTREAM_LOCAL_ADDRESS",
  "UPSTREAM_PEER_URI_SAN",
  "UPSTREAM_REQUEST_ATTEMPT_COUNT",
  "UPSTREAM_TRANSPORT_FAILURE_REASON",
  "DOWNSTREAM_LOCAL_ADDRESS",
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_PEER_URI_SAN",
  "DOWNSTREAM_REMOTE_ADDRESS",
  "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
] as const;

export type LogOperator = (typeof LOG_OPERATORS)[number];

/** `REQ` and `RESP`: the first of these headers that there is, in lower case. */
export interface LogHeader {
  readonly of: "REQ" | "RESP";
  readonly names: readonly string[];
}

export interface LogCommand {
  readonly what: LogOperator | LogHeader;
  /** Characters at most. */
  readonly maxLength: number;
}

/** Text stands for itself. */
export type LogPart = string | LogCommand;

/** What a JSON line is made of. */
export type LogTree = readonly LogPart[] | { readonly [name: string]: LogTree };

const MAX_FORMAT_CHARS = 16_384;
const MAX_DEPTH = 8;
const OPERATOR = /^%([A-Z_]+)(?:\(([^()%]*)\))?(?::(\d{1,5}))?%/;
const HEADER = /^:?[A-Za-z0-9!#$&'*+.^_`|~-]+$/;

/** Throws an Error that says what is wrong with the text, and where. */
export function parseLogFormat(text: string): readonly LogPart[] {
  if (text.length > MAX_FORMAT_CHARS) throw new Error(`is ${text.length} characters long; at most ${MAX_FORMAT_CHARS}`);
  const parts: LogPart[] = [];
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf("%", at);
    if (percent < 0) {
      parts.push(text.slice(at));
      break;
    }
    if (percent > at) parts.push(text.slice(at, percent));
    if (text[percent + 1] === "%") {
      parts.push("%");
      at = percent + 2;
      continue;
    }
    const match = OPERATOR.exec(text.slice(percent));
    if (match === null) {
      throw new Error(
        `has a % at character ${percent + 1} that begins no operator; write %NAME%, %REQ(header)% or %% for a percent sign`,
      );
    }
    parts.push(commandOf(match));
    at = percent + match[0].length;
  }
  return parts;
}

/** A JSON object whose values are formats, or objects of them. Throws an Error. */
export function parseLogTree(text: string): LogTree {
  if (text.length > MAX_FORMAT_CHARS) throw new Error(`is ${text.length} characters long; at most ${MAX_FORMAT_CHARS}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('is no JSON; with encoding JSON write an object, such as {"code": "%RESPONSE_CODE%"}');
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("is JSON, but no object");
  return treeOf(value, "", 0);
}

function treeOf(value: unknown, path: string, depth: number): LogTree {
  if (depth > MAX_DEPTH) throw new Error(`is deeper than ${MAX_DEPTH} objects`);
  if (typeof value === "string") {
    try {
      return parseLogFormat(value);
    } catch (error) {
      throw new Error(`at ${path}: ${(error as Error).message}`);
    }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`at ${path}: is neither a text nor an object`);
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      treeOf(each, path === "" ? name : `${path}.${name}`, depth + 1),
    ]),
  );
}

function commandOf([all, name = "", argument, length]: RegExpExecArray): LogCommand {
  const maxLength = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  if (name === "REQ" || name === "RESP") {
    const names = (argument ?? "").split("?").map((each) => each.toLowerCase());
    if (names.length > 2 || !names.every((each) => HEADER.test(each))) {
      throw new Error(`has ${all}; write %${name}(header)% or %${name}(header?another)%`);
    }
    return { what: { of: name, names }, maxLength };
  }
  const operator = LOG_OPERATORS.find((each) => each === name);
  if (operator === undefined) {
    const near = closest(name, [...LOG_OPERATORS, "REQ", "RESP"]);
    throw new Error(
      near === undefined
        ? `has %${name}%, which is not supported; use REQ(header), RESP(header) or one of ${LOG_OPERATORS.join(", ")}`
        : `has %${name}%, which is not supported; did you mean %${near}%?`,
    );
  }
  if (argument !== undefined) throw new Error(`has ${all}; ${name} takes no argument here`);
  return { what: operator, maxLength };
}
