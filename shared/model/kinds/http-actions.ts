import { type At, below } from "../reader.ts";
import { checkRegex } from "../regex.ts";
import { dnsLabel, dnsName, enumeration, int32, string } from "../scalars.ts";
import { checked, field, list, object, oneOf, type Schema } from "../schema.ts";
import type { HttpMirrorSpec, HttpRedirectSpec, HttpRewriteSpec } from "../specs-networking.ts";
import { regex } from "./common.ts";
import { destination, NO_DESTINATION } from "./destination.ts";
import { percentage, port } from "./networking.ts";

/** What a route does besides forwarding: redirects, answers, rewrites, mirrors, delegation. */

const PATH = /^\/[\x21-\x7e]*$/;

/** An absolute path. Visible ASCII only: it must be able to stand in a request line. */
const path = checked(
  string(),
  (text, at) =>
    text === "" || PATH.test(text)
      ? text
      : at.error(
          `${JSON.stringify(text)} is not a path`,
          "start it with / and escape spaces and other characters as %XX",
        ),
  { format: "path", pattern: "^(?:/[\\x21-\\x7e]*)?$" },
);

/** A host, with a port if it needs one. */
const authority = checked(
  string(),
  (text, at) =>
    text === "" || /^[A-Za-z0-9._~-]{1,255}(?::\d{1,5})?$/.test(text)
      ? text
      : at.error(`${JSON.stringify(text)} is not a host`, "give a host name, with :port when it needs one"),
  { format: "host" },
);

const REDIRECT_CODES = [301, 302, 303, 307, 308];

export const httpRedirect: Schema<HttpRedirectSpec> = checked(
  object(
    {
      uri: field(path, "The path to go to.", { default: "as asked" }),
      authority: field(authority, "The host to go to.", { default: "as asked" }),
      port: field(port(), "The port to go to.", { default: "as asked" }),
      derivePort: field(
        enumeration(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]),
        "Where the port comes from: 80 or 443 by scheme, or the request's.",
      ),
      scheme: field(enumeration(["http", "https"]), "The scheme to go to.", { default: "as asked" }),
      redirectCode: field(
        checked(int32({ min: 300, max: 399 }), (code, at) =>
          REDIRECT_CODES.includes(code)
            ? code
            : at.error(`${code} leads nowhere`, `write one of ${REDIRECT_CODES.join(", ")}`),
        ),
        "The status: 301, 302, 303, 307 or 308.",
        { default: "301" },
      ),
      prefixRewrite: field(path, "Takes the place of the matched prefix of the path."),
    },
    [oneOf("port", "derivePort"), oneOf("uri", "prefixRewrite")],
  ),
  (value, at): HttpRedirectSpec => {
    const says = ["uri", "authority", "port", "derivePort", "scheme", "prefixRewrite"];
    if (!says.some((name) => at.has(name) && at.given(name) !== "") && at.clean())
      at.error("leads to where it was asked", `give one of ${says.join(", ")}`);
    return {
      uri: value.uri ?? "",
      prefixRewrite: value.prefixRewrite ?? "",
      authority: value.authority ?? "",
      scheme: value.scheme ?? "",
      port: value.port ?? value.derivePort,
      code: value.redirectCode ?? 301,
    };
  },
);

const MAX_BODY_BYTES = 100 * 1024;

const bytes = checked(
  string(),
  (text, at) =>
    /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,3}={0,2})?$/.test(text)
      ? Buffer.from(text, "base64").toString("utf8")
      : at.error("is not base64", "write the text in string instead"),
  { format: "base64" },
);

const body = checked(
  object({ string: field(string(), "The body as text."), bytes: field(bytes, "The body in base64.") }, [
    oneOf("string", "bytes"),
  ]),
  ({ string: given, bytes: decoded }, at) => {
    const text = given ?? decoded ?? "";
    if (Buffer.byteLength(text) > MAX_BODY_BYTES)
      return at.error(`longer than ${MAX_BODY_BYTES} bytes`, "let a service answer, or redirect to where the text is");
    return text;
  },
);

export const httpDirectResponse: Schema<{ readonly status: number; readonly body: string }> = checked(
  object({
    status: field(int32({ min: 200, max: 599 }), "The status to answer with.", { required: true }),
    body: field(body, "What to answer with.", { default: "nothing" }),
  }),
  (value) => (value.status === undefined ? undefined : { status: value.status, body: value.body ?? "" }),
);

/** `\0` to `\9` are the pattern's groups, `\\` is a backslash. */
function checkSubstitution(match: string, text: string, at: At): void {
  if (!/^[\x21-\x7e]*$/.test(text))
    at.errorOf("rewrite", "has characters that no path may carry", "escape them as %XX");
  const groups = match.replaceAll(/\\.|\[(?:\\.|[^\]])*\]/g, "").match(/\((?!\?)|\(\?P?</g)?.length ?? 0;
  for (const [part, digit] of text.matchAll(/\\(.?)/g)) {
    if (digit === "\\") continue;
    if (!/^\d$/.test(digit ?? "")) at.errorOf("rewrite", `${part} means nothing`, "write \\\\ for a backslash");
    else if (Number(digit) > groups)
      at.errorOf(
        "rewrite",
        `the pattern has no group ${digit}`,
        `it has ${groups}; put parentheses around what is meant`,
      );
  }
}

const regexRewrite = checked(
  object({
    match: field(regex(), "RE2 pattern; each place in the path where it fits is replaced.", { required: true }),
    rewrite: field(string(), "What takes its place; \\1 is the first group.", { required: true }),
  }),
  (value, at) => {
    for (const name of ["match", "rewrite"] as const)
      if (value[name] === "") at.errorOf(name, "is empty", "give both match and rewrite");
    if (value.match === undefined || value.rewrite === undefined || !at.clean()) return undefined;
    if (checkRegex(value.match) === undefined) checkSubstitution(value.match, value.rewrite, at);
    return { match: value.match, rewrite: value.rewrite };
  },
);

export const httpRewrite: Schema<HttpRewriteSpec> = checked(
  object(
    {
      uri: field(path, "The path to forward with; replaces the matched prefix where uri was matched by prefix."),
      authority: field(authority, "The host to forward with."),
      uriRegexRewrite: field(regexRewrite, "Replaces parts of the path."),
    },
    [oneOf("uri", "uriRegexRewrite")],
  ),
  (value, at): HttpRewriteSpec => {
    const says = ["uri", "authority", "uriRegexRewrite"];
    if (!says.some((name) => at.has(name) && at.given(name) !== "") && at.clean())
      at.error("changes nothing", `give ${says.join(", ")}`);
    return { uri: value.uri ?? "", authority: value.authority ?? "", regex: value.uriRegexRewrite };
  },
);

export const httpMirrors: Schema<readonly HttpMirrorSpec[]> = list(
  checked(
    object({
      destination: field(destination, "Where the copies go.", { required: true }),
      percentage: field(percentage(), "Share of the route's requests.", { default: "all" }),
    }),
    (value): HttpMirrorSpec => ({
      destination: value.destination ?? NO_DESTINATION,
      percent: value.percentage ?? 100,
    }),
  ),
);

/** The VirtualService that goes on with the routing. */
export const delegate: Schema<{ readonly namespace: string; readonly name: string }> = checked(
  object({
    name: field(dnsName(), "Name of the VirtualService that goes on.", { required: true }),
    namespace: field(dnsLabel(), "Its namespace.", { default: "the one of the resource" }),
  }),
  ({ name, namespace }, at) => {
    if (name === at.context.name && (namespace ?? at.context.namespace) === at.context.namespace)
      at.reader.error(below(at.path, "name"), name, "is this VirtualService itself", "name another one");
    return { namespace: namespace ?? at.context.namespace, name: name ?? "" };
  },
);
