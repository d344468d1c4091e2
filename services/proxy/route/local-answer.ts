import type { Redirect, Route } from "../../../shared/wire/index.ts";
import type { RequestHead } from "../stream/stream.ts";
import { queryOf } from "./request-parts.ts";
import { replacePrefix } from "./rewrite.ts";

/** What a route answers itself, without a destination. */
export interface LocalAnswer {
  readonly status: number;
  readonly body: string;
  /** Where a redirect leads. */
  location?(head: RequestHead): string;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DEFAULT_REDIRECT = 302;
/** The port that a scheme needs no mention of. */
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

export function compileLocalAnswer(route: Route, matchedPrefix: string | undefined): LocalAnswer | undefined {
  const { redirect, directResponse } = route;
  if (redirect !== null && redirect !== undefined) {
    const status = redirect.code || DEFAULT_REDIRECT;
    if (!REDIRECTS.has(status)) throw new Error(`a redirect cannot answer ${status}`);
    return { status, body: "", location: (head) => locationOf(head, redirect, matchedPrefix) };
  }
  if (directResponse === null || directResponse === undefined) return undefined;
  const { status, body } = directResponse;
  if (status < 200 || status > 599) throw new Error(`a direct response cannot answer ${status}`);
  return { status, body };
}

function locationOf(head: RequestHead, redirect: Redirect, matchedPrefix: string | undefined): string {
  const scheme = redirect.scheme || head.scheme;
  return `${scheme}://${authorityOf(head, redirect, scheme)}${pathTo(head, redirect, matchedPrefix)}`;
}

function authorityOf(head: RequestHead, redirect: Redirect, scheme: string): string {
  const authority = redirect.authority || head.authority;
  if (redirect.port !== 0) {
    const port = `:${redirect.port}`;
    return authority.replace(/:\d+$/, "") + (DEFAULT_PORT[scheme] === port ? "" : port);
  }
  // The other scheme is not served on this one's port.
  const leaving = DEFAULT_PORT[head.scheme] ?? "";
  return scheme !== head.scheme && redirect.authority === "" && authority.endsWith(leaving)
    ? authority.slice(0, -leaving.length)
    : authority;
}

/** A path of the rule's own keeps the request's query, unless it brings one. */
function pathTo(head: RequestHead, redirect: Redirect, matchedPrefix: string | undefined): string {
  if (redirect.uri !== "") return redirect.uri.includes("?") ? redirect.uri : redirect.uri + queryOf(head);
  if (redirect.prefixRewrite === "") return head.path;
  return matchedPrefix === undefined
    ? redirect.prefixRewrite + queryOf(head)
    : replacePrefix(head.path, matchedPrefix, redirect.prefixRewrite);
}
