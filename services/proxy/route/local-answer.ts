import type { Redirect, Route } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import { queryOf } from "./request-parts.ts";
import { replacePrefix } from "./rewrite.ts";

/** What a route answers itself, without a destination. */
export interface LocalAnswer {
  readonly status: number;
  readonly body: string;
  /** Where a redirect leads. `port`: the one that was called. */
  location?(head: RequestHead, port: number): string;
}

type Target = Pick<Redirect, "uri" | "authority" | "scheme" | "port" | "derivePort" | "prefixRewrite">;

const TO_HTTPS: Target = { uri: "", authority: "", scheme: "https", port: 0, derivePort: "", prefixRewrite: "" };
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DEFAULT_REDIRECT = 302;
const FROM_REQUEST_PORT = "FROM_REQUEST_PORT";
const DERIVED_PORTS = new Set(["", FROM_REQUEST_PORT, "FROM_PROTOCOL_DEFAULT"]);
/** The port that a scheme needs no mention of. */
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

export function compileLocalAnswer(route: Route, matchedPrefix: string | undefined): LocalAnswer | undefined {
  const { redirect, directResponse } = route;
  if (redirect !== null && redirect !== undefined) {
    const status = redirect.code || DEFAULT_REDIRECT;
    if (!REDIRECTS.has(status)) throw new Error(`a redirect cannot answer ${status}`);
    const { derivePort } = redirect;
    if (!DERIVED_PORTS.has(derivePort)) throw new Error(`a redirect's port cannot be derived ${derivePort}`);
    return { status, body: "", location: (head, port) => locationOf(head, port, redirect, matchedPrefix) };
  }
  if (directResponse === null || directResponse === undefined) return undefined;
  const { status, body } = directResponse;
  if (status < 200 || status > 599) throw new Error(`a direct response cannot answer ${status}`);
  return { status, body };
}

/** The same by https, as a server without any other answer says it. */
export function httpsLocation(head: RequestHead): string {
  return locationOf(head, 0, TO_HTTPS, undefined);
}

function locationOf(head: RequestHead, port: number, redirect: Target, matchedPrefix: string | undefined): string {
  const scheme = redirect.scheme || head.scheme;
  return `${scheme}://${authorityOf(head, port, redirect, scheme)}${pathTo(head, redirect, matchedPrefix)}`;
}

function authorityOf(head: RequestHead, called: number, redirect: Target, scheme: string): string {
  const authority = redirect.authority || head.authority;
  const number = redirect.port || (redirect.derivePort === FROM_REQUEST_PORT ? called : 0);
  if (number !== 0 || redirect.derivePort !== "") {
    const port = number === 0 || DEFAULT_PORT[scheme] === `:${number}` ? "" : `:${number}`;
    return authority.replace(/:\d+$/, "") + port;
  }
  // The other scheme is not served on this one's port.
  const leaving = DEFAULT_PORT[head.scheme] ?? "";
  return scheme !== head.scheme && redirect.authority === "" && authority.endsWith(leaving)
    ? authority.slice(0, -leaving.length)
    : authority;
}

/** A path of the rule's own keeps the request's query, unless it brings one. */
function pathTo(head: RequestHead, redirect: Target, matchedPrefix: string | undefined): string {
  if (redirect.uri !== "") return redirect.uri.includes("?") ? redirect.uri : redirect.uri + queryOf(head);
  if (redirect.prefixRewrite === "") return head.path;
  return matchedPrefix === undefined
    ? redirect.prefixRewrite + queryOf(head)
    : replacePrefix(head.path, matchedPrefix, redirect.prefixRewrite);
}
