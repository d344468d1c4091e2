import { RE2JS, RE2JSSyntaxException } from "re2js";

/**
 * Users' regular expressions run on every request, so they are RE2: linear time whatever the pattern. What RE2 refuses
 * is refused at apply, with the place in the pattern. The engine names the offending fragment but not where it stands;
 * since it reads from left to right, the fragment is the one that ends the shortest prefix failing in the same way, and
 * every longer prefix fails likewise: a binary search finds it.
 */

/** A longer pattern is refused. */
export const MAX_REGEX_LENGTH = 1000;
/**
 * Instructions of the compiled pattern. A short text may become a long program: a few counted repetitions of each other
 * cost minutes on a header that a stranger sends. Only those come near to this limit.
 */
export const MAX_REGEX_PROGRAM = 4096;

export interface RegexFault {
  readonly reason: string;
  readonly remedy: string;
  /** Offset of the offending construct, from 0. */
  readonly position: number;
}

/** What keeps `pattern` from being a regular expression, or undefined when it is one. */
export function checkRegex(pattern: string): RegexFault | undefined {
  if (pattern.length > MAX_REGEX_LENGTH) {
    return {
      reason: `longer than ${MAX_REGEX_LENGTH} characters`,
      remedy: "shorten the pattern, or split the rule in two",
      position: MAX_REGEX_LENGTH,
    };
  }
  const fault = compiled(pattern);
  if (fault instanceof RE2JS) return sizeFault(fault);
  const whole = fault.fragment === "" || fault.error.endsWith(")");
  return {
    reason: `${fault.error}${whole ? "" : `: ${fault.fragment}`}`,
    remedy: remedyFor(fault),
    position: positionOf(pattern, fault),
  };
}

/** What it costs to match is what the pattern has become times what is matched. */
function sizeFault(regex: RE2JS): RegexFault | undefined {
  const size = regex.programSize();
  if (size <= MAX_REGEX_PROGRAM) return undefined;
  return {
    reason: `becomes a program of ${size} instructions, more than ${MAX_REGEX_PROGRAM}`,
    remedy: "repeat less: each counted repetition such as {1,1000} is written out",
    position: Math.max(0, regex.pattern().search(/\{\d/)),
  };
}

interface CompileFault {
  readonly error: string;
  readonly fragment: string;
}

function compiled(pattern: string): RE2JS | CompileFault {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return { error: error.error, fragment: error.input ?? "" };
    return { error: "not a regular expression", fragment: "" };
  }
}

function positionOf(pattern: string, { error, fragment }: CompileFault): number {
  if (error.startsWith("missing closing )")) return lastOpenGroup(pattern);
  if (error.startsWith("trailing backslash")) return pattern.length - 1;
  const needle = error.startsWith("unexpected )") ? ")" : fragment;
  if (needle === "") return 0;
  const places: number[] = [];
  for (let at = pattern.indexOf(needle); at >= 0; at = pattern.indexOf(needle, at + 1)) places.push(at);
  const fails = (at: number): boolean => {
    const fault = compiled(pattern.slice(0, at + needle.length));
    return !(fault instanceof RE2JS) && fault.error === error && (needle === ")" || fault.fragment === fragment);
  };
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fails(places[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return places[low] ?? 0;
}

/** Where the innermost group that is never closed opens. */
function lastOpenGroup(pattern: string): number {
  const open: number[] = [];
  let inClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === "\\") at++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") open.push(at);
    else if (char === ")") open.pop();
  }
  return open.at(-1) ?? 0;
}

function remedyFor({ error, fragment }: CompileFault): string {
  if (error.startsWith("missing argument")) {
    return `put what is to be repeated before ${fragment} (a dot stands for any character: .${fragment}), or write \\ before it to mean the character itself`;
  }
  if (error.startsWith("invalid nested repetition"))
    return "repeat a group instead: (?:...) around the inner repetition";
  if (error.startsWith("missing closing )")) return "close the group, or write \\( to mean the character itself";
  if (error.startsWith("unexpected )")) return "remove it, or write \\) to mean the character itself";
  if (error.startsWith("missing closing ]"))
    return "close the character class, or write \\[ to mean the character itself";
  if (error.includes("Perl syntax"))
    return "the syntax is RE2's: it has no lookahead or lookbehind; match with two headers or two rules instead";
  if (error.startsWith("invalid escape") && /\d/.test(fragment))
    return "the syntax is RE2's: it has no back references";
  if (error.startsWith("invalid repeat count"))
    return "a repetition is {n}, {n,} or {n,m} with n <= m, at most 1000 in all";
  return "the syntax is RE2's, see https://github.com/google/re2/wiki/Syntax";
}
