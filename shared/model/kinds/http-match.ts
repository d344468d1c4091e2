import { type At, below } from "../reader.ts";
import { bool, dnsLabel, string } from "../scalars.ts";
import { checked, field, list, map, object, oneOf, type Schema } from "../schema.ts";
import type { StringMatch } from "../specs.ts";
import type { HttpMatchSpec, NamedMatch } from "../specs-networking.ts";
import { regex } from "./common.ts";
import { gatewayNames, port, workloadLabels } from "./networking.ts";

/** Which requests a VirtualService's route is for. */

interface MatchRules {
  /** A prefix of "" is every value. */
  readonly emptyPrefix?: boolean;
  /** Without any variant: present, whatever the value. */
  readonly present?: boolean;
  /** `regex: "*"` is present, whatever the value, as Envoy reads it. */
  readonly star?: boolean;
}

/** `match` undefined: present. */
interface Match {
  readonly match: StringMatch | undefined;
}

const PRESENT: Match = { match: undefined };

/** Any regular expression but "": that would be a slip. */
const pattern = checked(
  regex(),
  (text, at) => (text === "" ? at.error("is empty", "give a regular expression") : text),
  {
    format: "RE2 pattern",
    minLength: 1,
  },
);
/** Judged by who reads it, since `*` is none. */
const starOrPattern: Schema<string> = {
  type: pattern.type,
  read: (value, path, reader) => (value === "*" ? { json: value, value } : pattern.read(value, path, reader)),
};

function variants(rules: MatchRules) {
  return object(
    {
      exact: field(string(), "The whole value."),
      prefix: field(string(), "How the value starts."),
      regex: field(rules.star ? starOrPattern : pattern, "RE2 pattern that the whole value must match."),
    },
    [oneOf("exact", "prefix", "regex")],
  );
}

function match(rules: MatchRules = {}): Schema<Match> {
  return checked(variants(rules), ({ exact, prefix, regex: text }, at): Match | undefined => {
    if (exact !== undefined) return { match: { exact } };
    if (prefix !== undefined) {
      if (prefix === "" && !rules.emptyPrefix)
        return at.errorOf("prefix", "is empty", "give how the value starts, or leave the condition out");
      return { match: { prefix } };
    }
    if (text !== undefined) return text === "*" ? PRESENT : { match: { regex: text } };
    if (!at.clean()) return undefined;
    return rules.present ? PRESENT : at.error("says nothing to compare with", "give one of exact, prefix, regex");
  });
}

/** A StringMatch that must say something. */
export function stringMatch(rules: { readonly emptyPrefix?: boolean } = {}): Schema<StringMatch> {
  return checked(match(rules), (given) => given.match);
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PARTS: Readonly<Record<string, string>> = {
  ":method": "method",
  ":authority": "authority",
  ":scheme": "scheme",
  ":path": "uri",
};

function checkHeader(name: string, at: At): void {
  if (name.startsWith("@")) at.refuse("remove the condition: claims of tokens are not read yet");
  else if (PARTS[name] !== undefined) at.refuse(`use ${PARTS[name]} instead`);
  else if (!HEADER_NAME.test(name)) {
    at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes");
  } else if (["uri", "scheme", "method", "authority"].includes(name.toLowerCase())) {
    at.warn(`means a header named ${name}`, `use ${name.toLowerCase()} beside headers for that part of the request`);
  }
}

function named(rules: MatchRules, key: (name: string, at: At) => void, form: (name: string) => string) {
  return checked(map(match({ ...rules, present: true }), key), (given, at): readonly NamedMatch[] => {
    const found = Object.entries(given)
      .map(([name, each]) => ({ name: form(name), match: each.match }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const [index, { name }] of found.entries()) {
      if (found[index + 1]?.name === name)
        at.reader.error(below(at.path, name), null, "given twice in other letter cases", "keep one of them");
    }
    return found;
  });
}

const byHeader = named({}, checkHeader, (name) => name.toLowerCase());
const byMissingHeader = named({ star: true }, checkHeader, (name) => name.toLowerCase());
const byParameter = named(
  {},
  (name, at) => name !== "" || at.error("a parameter needs a name", "give its name"),
  (name) => name,
);

/** One of the conditions of a route; all of its parts must hold. */
export const httpMatch: Schema<HttpMatchSpec> = checked(
  object({
    name: field(string(), "Name of the condition, shown beside the route's."),
    uri: field(stringMatch({ emptyPrefix: true }), "The path, without query."),
    scheme: field(stringMatch(), "http or https."),
    method: field(stringMatch(), "The method, such as GET."),
    authority: field(stringMatch(), "The host as asked for, with its port if it has one."),
    headers: field(byHeader, "By header name; {} is any value. All must hold."),
    port: field(port(), "The port that was called.", { default: "any" }),
    sourceLabels: field(workloadLabels(), "Only callers with these labels; at a gateway, the gateway itself."),
    gateways: field(gatewayNames(), "Only there.", { default: "those of the VirtualService" }),
    queryParams: field(byParameter, "By parameter name; {} is any value. All must hold."),
    ignoreUriCase: field(bool(), "Whether exact and prefix compare uri in any letter case.", { default: "false" }),
    withoutHeaders: field(byMissingHeader, "As headers, but the request must not fit."),
    sourceNamespace: field(dnsLabel(), "Only callers of this namespace.", { default: "any" }),
    statPrefix: field(string(), "Name under which the route's requests are counted.", {
      unsupported: {
        remedy: "remove the field: requests are told apart by service, version and route name",
        harmless: [""],
      },
    }),
  }),
  (value, at): HttpMatchSpec => {
    if (value.ignoreUriCase === true && value.uri !== undefined && "regex" in value.uri)
      at.warnOf("ignoreUriCase", "has no effect on a regex", "begin the regex with (?i)");
    return {
      name: value.name ?? "",
      uri: value.uri,
      ignoreUriCase: value.ignoreUriCase ?? false,
      scheme: value.scheme,
      method: value.method,
      authority: value.authority,
      headers: value.headers ?? [],
      withoutHeaders: value.withoutHeaders ?? [],
      queryParams: value.queryParams ?? [],
      port: value.port ?? 0,
      sourceLabels: value.sourceLabels ?? {},
      sourceNamespace: value.sourceNamespace ?? "",
      gateways: value.gateways ?? [],
    };
  },
);

/** Any of them must hold. */
export const httpMatches: Schema<readonly HttpMatchSpec[]> = list(httpMatch);
