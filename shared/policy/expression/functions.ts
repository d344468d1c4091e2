import { RE2JS } from "re2js";
import { LruMap } from "../../base/index.ts";
import { checkRegex, type ValueType } from "../../model/index.ts";
import { parseIp } from "./ip.ts";
import { dnsName, email, uri } from "./names.ts";
import { EvaluationError, type Value, type ValueMap } from "./types.ts";

/**
 * The signatures of everything that can be called. "T" stands for one type, the same wherever it occurs. Operators are
 * compiled by hand (they look at operands lazily); functions are called with values.
 */
export interface Signature {
  /** Of a method: the type it is called on. */
  readonly target?: ValueType;
  readonly args: readonly (ValueType | "T")[];
  readonly result: ValueType | "T";
}

export const OPERATORS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ["EQ", { args: ["T", "T"], result: "BOOL" }],
  ["NEQ", { args: ["T", "T"], result: "BOOL" }],
  ["OR", { args: ["T", "T"], result: "T" }],
  ["LOR", { args: ["BOOL", "BOOL"], result: "BOOL" }],
  ["LAND", { args: ["BOOL", "BOOL"], result: "BOOL" }],
  ["INDEX", { args: ["STRING_MAP", "STRING"], result: "STRING" }],
]);

/** A function of values; `target` comes first when it is a method. */
export interface ExpressionFunction extends Signature {
  readonly result: ValueType;
  /** Throws EvaluationError. */
  call(values: readonly Value[]): Value;
}

const EMPTY_MAP: ValueMap = Object.freeze(Object.create(null) as ValueMap);
/** A pattern may come out of a request. */
const MAX_PATTERNS = 256;
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([-+])(\d\d):(\d\d))$/;

/** The functions, with a cache of patterns of their own. */
export function createFunctions(): ReadonlyMap<string, ExpressionFunction> {
  const patterns = new LruMap<string, RE2JS>(MAX_PATTERNS);
  const compiled = (pattern: string): RE2JS => {
    let regex = patterns.get(pattern);
    if (regex === undefined) {
      regex = compilePattern(pattern);
      patterns.set(pattern, regex);
    }
    return regex;
  };
  return new Map<string, ExpressionFunction>([
    [
      "match",
      { args: ["STRING", "STRING"], result: "BOOL", call: strings((text, pattern) => matchStars(text, pattern)) },
    ],
    ["ip", { args: ["STRING"], result: "IP_ADDRESS", call: strings(convertIp) }],
    ["timestamp", { args: ["STRING"], result: "TIMESTAMP", call: strings(convertTimestamp) }],
    [
      "matches",
      {
        target: "STRING",
        args: ["STRING"],
        result: "BOOL",
        call: strings((pattern, text) => compiled(pattern).test(text)),
      },
    ],
    [
      "startsWith",
      { target: "STRING", args: ["STRING"], result: "BOOL", call: strings((text, start) => text.startsWith(start)) },
    ],
    [
      "endsWith",
      { target: "STRING", args: ["STRING"], result: "BOOL", call: strings((text, end) => text.endsWith(end)) },
    ],
    ["emptyStringMap", { args: [], result: "STRING_MAP", call: () => EMPTY_MAP }],
    ["dnsName", { args: ["STRING"], result: "DNS_NAME", call: strings(dnsName) }],
    ["email", { args: ["STRING"], result: "EMAIL_ADDRESS", call: strings(email) }],
    ["uri", { args: ["STRING"], result: "URI", call: strings(uri) }],
  ]);
}

/** A star at the end matches any rest, else one at the start any beginning; without, only the same text matches. */
function matchStars(text: string, pattern: string): boolean {
  if (pattern.endsWith("*")) return text.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith("*")) return text.endsWith(pattern.slice(1));
  return text === pattern;
}

/** A pattern in RE2 syntax, searched anywhere in the text in linear time. Throws EvaluationError. */
export function compilePattern(pattern: string): RE2JS {
  const fault = checkRegex(pattern);
  if (fault !== undefined) throw new EvaluationError(`bad pattern: ${fault.reason}`);
  return RE2JS.compile(pattern);
}

function strings(call: (a: string, b: string) => Value): (values: readonly Value[]) => Value {
  return ([a, b]) => call(a as string, b as string);
}

function convertIp(text: string): Uint8Array {
  const address = parseIp(text);
  if (address === undefined) throw new EvaluationError(`could not convert ${text} to IP_ADDRESS`);
  return address;
}

function convertTimestamp(text: string): number {
  const timeMs = parseTimestampMs(text);
  if (timeMs !== undefined) return timeMs;
  throw new EvaluationError(`could not convert '${text}' to TIMESTAMP. expected format: '2006-01-02T15:04:05Z07:00'`);
}

/** RFC 3339 to milliseconds since the Unix epoch; undefined when the text is none. */
function parseTimestampMs(text: string): number | undefined {
  const parts = RFC3339.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) return undefined;
  const offsetMinutes = Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0);
  const offsetMs = (parts[8] === "-" ? -offsetMinutes : offsetMinutes) * 60_000;
  return date.getTime() - offsetMs + Number(`0${parts[7] ?? ""}`) * 1000;
}
