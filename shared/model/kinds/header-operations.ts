import { type At, below } from "../reader.ts";
import { string } from "../scalars.ts";
import { checked, field, list, map, object, type Schema } from "../schema.ts";
import type { HeaderOperationsSpec, HeadersSpec } from "../specs-networking.ts";

/**
 * Header fields that a route sets, adds or removes. What frames the message is the codec's own affair and cannot be
 * named; the host is changed as a rewrite. A value is taken as it is: Envoy's variables (`%REQ(x)%`) are refused.
 */

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const FRAMING = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export const NO_OPERATIONS: HeaderOperationsSpec = { set: [], add: [], remove: [] };
export const NO_HEADERS: HeadersSpec = { request: NO_OPERATIONS, response: NO_OPERATIONS };

/** Whether a header's name is that of the host: `host` or `:authority`. */
export function isHost(name: string): boolean {
  return ["host", ":authority"].includes(name.toLowerCase());
}

function checkName(name: string, at: At, mayBeHost: boolean): void {
  if (isHost(name)) {
    if (!mayBeHost) at.error("the host cannot be changed here", "use rewrite.authority, or headers.request.set");
    return;
  }
  if (name === "") at.error("a header needs a name", "give the header's name");
  else if (name.startsWith(":")) at.error(`${name} is no header`, "use rewrite or match for parts of the request line");
  else if (!NAME.test(name)) at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes");
  else if (FRAMING.has(name.toLowerCase())) at.error(`${name} belongs to the connection`, "remove it");
}

const value = checked(string(), (text, at) => {
  if (!VALUE.test(text))
    return at.error("has characters that no header may carry", "remove line breaks and control characters");
  const plain = text.replaceAll("%%", "");
  if (plain.includes("%")) {
    const isVariable = /^[^%]*(?:%[^%]+%[^%]*)+$/.test(plain);
    if (!isVariable) return at.error("has a single %", "write %% for a percent sign");
    at.refuse("write the value out: variables are not filled in; a percent sign is %%");
  }
  return text.replaceAll("%%", "%");
});

interface HeaderRules {
  /** Whether the host may be among those set or added: it becomes a rewrite. */
  readonly host: boolean;
}

type Pairs = readonly { readonly name: string; readonly value: string }[];

function pairs({ host }: HeaderRules): Schema<Pairs> {
  return checked(
    map(value, (name, at) => checkName(name, at, host)),
    (given) =>
      Object.entries(given)
        .map(([name, text]) => ({ name: name.toLowerCase(), value: text }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
}

/** Header fields to add to requests. */
export function addedHeaders(): Schema<Pairs> {
  return pairs({ host: false });
}

function operations(rules: HeaderRules): Schema<HeaderOperationsSpec> {
  const name = checked(
    string(),
    (given, at) => {
      checkName(given, at, false);
      return given.toLowerCase();
    },
    { format: "header name" },
  );
  const fields = object({
    set: field(pairs(rules), "Headers that take the place of those of the same name."),
    add: field(pairs(rules), "Headers to add."),
    remove: field(list(name), "Names of headers to remove."),
  });
  return checked(fields, ({ set, add, remove }, at) => {
    for (const [list, names] of [
      ["set", set],
      ["add", add],
    ] as const) {
      for (const [index, { name: each }] of (names ?? []).entries()) {
        if (names?.[index + 1]?.name === each)
          at.reader.error(
            below(below(at.path, list), each),
            null,
            "given twice in other letter cases",
            "keep one of them",
          );
      }
    }
    return { set: set ?? [], add: add ?? [], remove: remove ?? [] };
  });
}

const response = operations({ host: false });
const request = { true: operations({ host: true }), false: operations({ host: false }) };

/** Changes to the headers of requests and answers. */
export function headers(rules: HeaderRules): Schema<HeadersSpec> {
  const fields = object({
    request: field(request[`${rules.host}`], "Of requests, before they are forwarded."),
    response: field(response, "Of answers, before they are returned."),
  });
  return checked(fields, (given) => ({
    request: given.request ?? NO_OPERATIONS,
    response: given.response ?? NO_OPERATIONS,
  }));
}
