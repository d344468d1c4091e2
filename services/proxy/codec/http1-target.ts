import { isIPv6 } from "node:net";
import { detachedText } from "../stream/detached-text.ts";
import { Http1Error } from "./http1-error.ts";
import type { ParsedRequest } from "./http1-head.ts";

/** Where a request is to go, whichever of the four forms of RFC 9112 3.2 it was written in. */
export interface Target {
  readonly authority: string;
  /** Path and query, or "*"; empty for CONNECT. */
  readonly path: string;
  /** Undefined: that of the connection. */
  readonly scheme: "http" | "https" | undefined;
}

/** uri-host [":" port] of RFC 3986, without user information (RFC 9110 4.2.4). */
const AUTHORITY = /^(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{0,5}))?$/;
const ABSOLUTE = /^(https?):\/\/([^/?#]+)([^#]*)$/i;

/** The authority without a colon that no port follows; undefined when it is not valid. */
function validAuthority(text: string): string | undefined {
  const match = AUTHORITY.exec(text);
  if (match === null) return undefined;
  const [, ipv6, port] = match;
  if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined;
  if (port === "") return text.slice(0, -1);
  return port !== undefined && Number(port) > 65_535 ? undefined : text;
}

/** Reads targets of one connection. The last Host is remembered: a connection seldom has two. */
export class TargetReader {
  #lastHost = "";
  #lastAuthority = "";

  /** Throws Http1Error: there is not exactly one valid Host, or the target fits none of the forms. */
  read(request: ParsedRequest): Target {
    const { target, method } = request;
    const isAbsolute = target.charCodeAt(0) !== 0x2f && target !== "*" && method !== "CONNECT";
    const host = this.#host(request, isAbsolute);
    if (isAbsolute) return absolute(target, method);
    if (method === "CONNECT") return connect(target);
    if (target === "*" && method !== "OPTIONS") throw invalid("* is a target of OPTIONS only");
    return { authority: host, path: target, scheme: undefined };
  }

  /** RFC 9112 3.2. An empty one is valid where the target itself names the host. */
  #host({ headers }: ParsedRequest, mayBeEmpty: boolean): string {
    const { keys, values } = headers;
    const at = keys.indexOf("host");
    if (at < 0) throw new Http1Error(400, "missing_host_header", "missing Host header");
    if (keys.indexOf("host", at + 1) >= 0) {
      throw new Http1Error(400, "http1.duplicate_host", "more than one Host header");
    }
    const host = values[at] ?? "";
    if (host === this.#lastHost && host !== "") return this.#lastAuthority;
    if (host === "" && mayBeEmpty) return "";
    const kept = detachedText(host);
    const authority = validAuthority(kept);
    if (authority === undefined) throw new Http1Error(400, "http1.invalid_host", "invalid Host header");
    this.#lastHost = kept;
    this.#lastAuthority = authority;
    return authority;
  }
}

function absolute(target: string, method: string): Target {
  const match = ABSOLUTE.exec(target);
  const authority = validAuthority(match?.[2] ?? "");
  if (match === null || authority === undefined) throw invalid("invalid request target");
  const scheme = match[1]?.toLowerCase() === "https" ? "https" : "http";
  const rest = match[3] ?? "";
  // RFC 9112 3.2.4: the server itself is meant.
  if (rest === "" && method === "OPTIONS") return { authority, path: "*", scheme };
  return { authority, path: rest.startsWith("/") ? rest : `/${rest}`, scheme };
}

function connect(target: string): Target {
  const authority = validAuthority(target);
  if (authority === undefined || !/:[1-9][0-9]*$/.test(authority)) throw invalid("CONNECT needs host:port");
  return { authority, path: "", scheme: "http" };
}

function invalid(message: string): Http1Error {
  return new Http1Error(400, "http1.invalid_url", message);
}
