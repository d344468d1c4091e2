import { RE2JS } from "re2js";
import type { HttpMatchSpec, HttpRouteSpec, Labels, MatchSpec, StringMatch } from "../model/index.ts";

/**
 * The conditions of a route in either dialect in one form, and whether one set of them covers another: whether every
 * request that fits the narrower one fits the wider one too. Where that cannot be told (one pattern against another)
 * the answer is no, so that nothing is called unreachable that is not.
 */
export interface Conditions {
  /** `uri`, `scheme`, `method`, `authority`, `header <name>`, `query <name>` -> what it must be. */
  readonly texts: ReadonlyMap<string, TextCondition>;
  /** Conditions that must not hold, as text. */
  readonly without: ReadonlySet<string>;
  /** 0: any. */
  readonly port: number;
  readonly sourceLabels: Labels;
  /** "": any. */
  readonly sourceNamespace: string;
  readonly sourceService: string;
  /** Undefined: of the whole route. */
  readonly gateways: ReadonlySet<string> | undefined;
}

export interface TextCondition {
  /** Undefined: present with any value. */
  readonly match: StringMatch | undefined;
  readonly ignoreCase: boolean;
}

const ANYTHING: Conditions = {
  texts: new Map(),
  without: new Set(),
  port: 0,
  sourceLabels: {},
  sourceNamespace: "",
  sourceService: "",
  gateways: undefined,
};

/** Any of which must hold; one that asks nothing when the route has no matches. */
export function conditionsOfRoute(route: HttpRouteSpec): readonly Conditions[] {
  return route.matches.length === 0 ? [ANYTHING] : route.matches.map(conditionsOfMatch);
}

export function conditionsOfMatch(match: HttpMatchSpec): Conditions {
  const texts = new Map<string, TextCondition>();
  const put = (name: string, value: StringMatch | undefined, ignoreCase = false): void => {
    if (value !== undefined) texts.set(name, { match: value, ignoreCase });
  };
  put("uri", match.uri, match.ignoreUriCase);
  put("scheme", match.scheme);
  put("method", match.method);
  put("authority", match.authority);
  for (const { name, match: value } of match.headers) texts.set(`header ${name}`, { match: value, ignoreCase: false });
  for (const { name, match: value } of match.queryParams)
    texts.set(`query ${name}`, { match: value, ignoreCase: false });
  return {
    texts,
    without: new Set(match.withoutHeaders.map(({ name, match: value }) => JSON.stringify([name, value ?? null]))),
    port: match.port,
    sourceLabels: match.sourceLabels,
    sourceNamespace: match.sourceNamespace,
    sourceService: "",
    gateways: match.gateways.length === 0 ? undefined : new Set(match.gateways),
  };
}

const PARTS = new Set(["uri", "scheme", "method", "authority"]);

/** Of a rule of the older dialect. */
export function conditionsOfRule(match: MatchSpec | undefined): Conditions {
  if (match === undefined) return ANYTHING;
  return {
    ...ANYTHING,
    texts: new Map(
      match.headers.map(({ name, match: value }) => [
        PARTS.has(name) ? name : `header ${name}`,
        { match: value, ignoreCase: false },
      ]),
    ),
    sourceLabels: match.source?.labels ?? {},
    sourceService: match.source?.host ?? "",
  };
}

/** Whether every request is meant. */
export function isCatchAll(conditions: Conditions): boolean {
  return covers(conditions, ANYTHING);
}

/** Whether what fits `narrow` fits `wide` as well. */
export function covers(wide: Conditions, narrow: Conditions): boolean {
  if (wide.port !== 0 && wide.port !== narrow.port) return false;
  if (wide.sourceNamespace !== "" && wide.sourceNamespace !== narrow.sourceNamespace) return false;
  if (wide.sourceService !== "" && wide.sourceService !== narrow.sourceService) return false;
  if (wide.gateways !== undefined) {
    if (narrow.gateways === undefined) return false;
    for (const gateway of narrow.gateways) if (!wide.gateways.has(gateway)) return false;
  }
  for (const [name, value] of Object.entries(wide.sourceLabels)) if (narrow.sourceLabels[name] !== value) return false;
  for (const condition of wide.without) if (!narrow.without.has(condition)) return false;
  for (const [name, condition] of wide.texts) if (!coversText(name, condition, narrow.texts.get(name))) return false;
  return true;
}

function coversText(name: string, wide: TextCondition, narrow: TextCondition | undefined): boolean {
  const isAlways = PARTS.has(name) && isAnyText(name, wide.match);
  if (isAlways) return true;
  if (narrow === undefined) return false;
  if (isAnyText(name, wide.match)) return true;
  if (narrow.match === undefined || wide.match === undefined) return wide.match === undefined;
  const fold = (text: string): string => (wide.ignoreCase ? text.toLowerCase() : text);
  const isFolded = narrow.ignoreCase && !wide.ignoreCase;
  const [w, n] = [wide.match, narrow.match];
  if ("exact" in w) return "exact" in n && !isFolded && fold(w.exact) === fold(n.exact);
  if ("prefix" in w) {
    if ("regex" in n || (isFolded && w.prefix !== "/")) return false;
    return fold("exact" in n ? n.exact : n.prefix).startsWith(fold(w.prefix));
  }
  if ("exact" in n) return !isFolded && matchesWhole(w.regex, n.exact);
  return "regex" in n && w.regex === n.regex && !isFolded;
}

/** Whether a condition holds for every value that its part of the request can have. */
function isAnyText(name: string, match: StringMatch | undefined): boolean {
  if (match === undefined) return true;
  if ("prefix" in match) return match.prefix === "" || (name === "uri" && match.prefix === "/");
  return (
    "regex" in match &&
    /^\^?(?:\/?\.\*|\(\.\*\))\$?$/.test(match.regex) &&
    (name === "uri" || !match.regex.includes("/"))
  );
}

function matchesWhole(regex: string, text: string): boolean {
  try {
    return RE2JS.compile(regex).matches(text);
  } catch {
    return false;
  }
}
