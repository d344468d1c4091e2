import { splitAuthority } from "../../services/proxy/route/authority.ts";
import type { Caller } from "../../services/proxy/route/caller.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import { isDnsLabel } from "../../shared/model/index.ts";
import { UsageError } from "../io.ts";

/** A request as a person describes it: what a proxy would see of it. */
export interface ExplainedRequest {
  readonly head: RequestHead;
  readonly caller: Caller;
  /** SPIFFE id of the caller; empty: not known. */
  readonly identity: string;
  /** Of the caller; empty: not known. */
  readonly workload: string;
  /** Of the URL: where a gateway is reached. */
  readonly port: number;
  /** `<namespace>/<name>` of the gateway workload that it comes in by; undefined: from the caller's application. */
  readonly gateway: { readonly namespace: string; readonly name: string } | undefined;
}

export interface RequestFlags {
  readonly header?: readonly string[];
  readonly from?: string;
  readonly gateway?: string;
}

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** They are in capitals; whoever types `get` means GET. */
export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
const HTTP_PORT = 80;
const HTTPS_PORT = 443;
const MAX_PORT = 65_535;

/** Throws UsageError that says what to write. */
export function parseRequest(method: string, url: string, flags: RequestFlags): ExplainedRequest {
  if (!METHOD.test(method)) throw new UsageError(`${JSON.stringify(method)} is no HTTP method; write such as GET`);
  const { scheme, authority, path, port } = parseUrl(url);
  const headers = new HeaderList();
  let host = authority;
  for (const line of flags.header ?? []) {
    const [, name = "", value = ""] = HEADER.exec(line) ?? [];
    if (name === "") throw new UsageError(`${JSON.stringify(line)} is no header; write 'name: value'`);
    if (name.toLowerCase() === "host") host = value.trim();
    else headers.add(name, name.toLowerCase(), value.trimEnd());
  }
  return {
    head: {
      method: METHODS.find((each) => each === method.toUpperCase()) ?? method,
      authority: host,
      scheme,
      path,
      headers,
    },
    caller: flags.gateway === undefined ? parseCaller(flags.from ?? "") : { namespace: "", service: "", labels: {} },
    identity: "",
    workload: "",
    port,
    gateway: flags.gateway === undefined ? undefined : parseGateway(flags.gateway),
  };
}

interface ParsedUrl {
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly path: string;
  readonly port: number;
}

function parseUrl(text: string): ParsedUrl {
  const [, given = "http", authority = "", path = ""] = /^(?:(https?):\/\/)?([^/?#]+)([^#]*)/i.exec(text) ?? [];
  const scheme = given.toLowerCase() === "https" ? "https" : "http";
  const { host, port } = splitAuthority(authority);
  if (!/^(?:\[[\da-f:.]+\]|[^\s@:[\]]+)$/i.test(host) || port === 0 || (port ?? 0) > MAX_PORT)
    throw new UsageError(`${JSON.stringify(text)} is no URL; write such as http://reviews:9080/reviews/1`);
  if (!/^[\x21-\x7e]*$/.test(path))
    throw new UsageError(`escape what is no visible ASCII in ${JSON.stringify(path)} as %XX`);
  // A client leaves out the port that its scheme implies; to a proxy, which has no scheme, that port is 80.
  const named = scheme === "https" ? `${host}:${port ?? HTTPS_PORT}` : port === HTTP_PORT ? host : authority;
  return {
    scheme,
    authority: named,
    path: path.startsWith("/") ? path : `/${path}`,
    port: port ?? (scheme === "https" ? HTTPS_PORT : HTTP_PORT),
  };
}

/** `workload.namespace{label=value,...}`: every part may be left out, the namespace is then `default`. */
export function parseCaller(text: string): Caller {
  const [whole, service = "", namespace = "default", labels = ""] =
    /^([a-z0-9-]*)(?:\.([a-z0-9-]+))?(?:\{(.*)\})?$/.exec(text) ?? [];
  const isGood = whole !== undefined && [service, namespace].every((part) => part === "" || isDnsLabel(part));
  if (!isGood)
    throw new UsageError(`${JSON.stringify(text)} is no caller; write workload.namespace{label=value,label=value}`);
  return { service, namespace, labels: parseLabels(labels) };
}

function parseLabels(text: string): Record<string, string> {
  const pairs = text
    .split(",")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw new UsageError(`${JSON.stringify(pair)} is no label; write name=value`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** `name`, `name.namespace` or `namespace/name`; the namespace is istio-system by default. */
function parseGateway(text: string): { namespace: string; name: string } {
  const slash = text.indexOf("/");
  const [name = "", namespace = "istio-system"] =
    slash < 0 ? text.split(".") : [text.slice(slash + 1), text.slice(0, slash)];
  if (!isDnsLabel(name) || !isDnsLabel(namespace))
    throw new UsageError(`${JSON.stringify(text)} is no gateway; write namespace/name`);
  return { namespace, name };
}
