import { HeaderList } from "../stream/header-list.ts";

/**
 * Parses message heads of HTTP/1.1 (RFC 9112), strictly: what two parsers could read differently is refused, because
 * that difference is how requests are smuggled. The text is the head in latin1, without its closing empty line.
 */

/** A message that cannot be read; `status` is what a client gets for it. */
export class Http1Error extends Error {
  readonly status: number;
  /** One machine-readable word: the response code detail. */
  readonly detail: string;

  constructor(status: number, detail: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.detail = detail;
  }
}

export interface Http1Limits {
  /** Of a whole head. Default 60 KiB (Envoy). */
  readonly maxHeadBytes: number;
  /** Default 100 (Envoy). */
  readonly maxHeaders: number;
}

export const DEFAULT_LIMITS: Http1Limits = { maxHeadBytes: 60 * 1024, maxHeaders: 100 };

/** How a body's end is known. A number is its length in bytes; 0 is no body. */
export type Framing = number | "chunked" | "until-close";

export interface ParsedRequest {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: 0 | 1;
  readonly headers: HeaderList;
  readonly framing: Framing;
  readonly keepAlive: boolean;
}

export interface ParsedResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly framing: Framing;
  readonly keepAlive: boolean;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Without "#": a fragment is the client's own affair, and would hide the rest of a path from one of two readers. */
const TARGET = /^[\x21\x22\x24-\x7e\x80-\xff]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const DIGITS = /^[0-9]{1,15}$/;

/** Field names seen before, with their keys: most requests have no other. Bounded; names come from outside. */
const knownNames = new Map<string, string>();
const MAX_KNOWN_NAMES = 2048;
const MAX_KNOWN_NAME_LENGTH = 48;

function keyOf(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) throw new Http1Error(400, "http1.invalid_header_name", "invalid header name");
  const key = name.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_NAME_LENGTH) knownNames.set(name, key);
  return key;
}

function parseFields(text: string, start: number, limits: Http1Limits): HeaderList {
  const headers = new HeaderList();
  const length = text.length;
  let position = start;
  while (position < length) {
    let lineEnd = text.indexOf("\r\n", position);
    if (lineEnd < 0) lineEnd = length;
    const colon = text.indexOf(":", position);
    if (colon < 0 || colon >= lineEnd) throw new Http1Error(400, "http1.invalid_header", "header line without a colon");
    const name = text.slice(position, colon);
    const key = keyOf(name);
    let from = colon + 1;
    let to = lineEnd;
    while (from < to && isBlank(text.charCodeAt(from))) from++;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
    const value = text.slice(from, to);
    if (BAD_VALUE.test(value))
      throw new Http1Error(400, "http1.invalid_header_value", `invalid value of header ${key}`);
    if (headers.keys.length === limits.maxHeaders) {
      throw new Http1Error(431, "http1.too_many_headers", `more than ${limits.maxHeaders} headers`);
    }
    headers.add(name, key, value);
    position = lineEnd + 2;
  }
  return headers;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Throws Http1Error. */
export function parseRequestHead(text: string, limits: Http1Limits): ParsedRequest {
  let lineEnd = text.indexOf("\r\n");
  if (lineEnd < 0) lineEnd = text.length;
  const firstSpace = text.indexOf(" ");
  const secondSpace = text.indexOf(" ", firstSpace + 1);
  if (firstSpace < 1 || secondSpace < 0 || secondSpace >= lineEnd) {
    throw new Http1Error(400, "http1.invalid_request_line", "invalid request line");
  }
  const method = text.slice(0, firstSpace);
  const target = text.slice(firstSpace + 1, secondSpace);
  const version = text.slice(secondSpace + 1, lineEnd);
  if (!TOKEN.test(method)) throw new Http1Error(400, "http1.invalid_method", "invalid method");
  if (!TARGET.test(target)) throw new Http1Error(400, "http1.invalid_url", "invalid request target");
  const minorVersion = version === "HTTP/1.1" ? 1 : version === "HTTP/1.0" ? 0 : undefined;
  if (minorVersion === undefined) {
    if (/^HTTP\/[0-9]\.[0-9]$/.test(version))
      throw new Http1Error(505, "http1.unsupported_version", "HTTP version not supported");
    throw new Http1Error(400, "http1.invalid_request_line", "invalid HTTP version");
  }
  const headers = parseFields(text, lineEnd + 2, limits);
  const framing = requestFraming(headers);
  return {
    method,
    target,
    minorVersion,
    headers,
    framing,
    keepAlive: minorVersion === 1 && !hasToken(headers, "connection", "close"),
  };
}

/** `method` is that of the request it answers. Throws Http1Error (the status is of no use then). */
export function parseResponseHead(text: string, method: string, limits: Http1Limits): ParsedResponse {
  let lineEnd = text.indexOf("\r\n");
  if (lineEnd < 0) lineEnd = text.length;
  const match = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(text.slice(0, lineEnd));
  if (match === null) throw new Http1Error(502, "http1.invalid_status_line", "invalid status line");
  const status = Number(match[2]);
  const headers = parseFields(text, lineEnd + 2, limits);
  const framing = responseFraming(headers, status, method);
  const keepAlive = match[1] === "1" && framing !== "until-close" && !hasToken(headers, "connection", "close");
  return { status, headers, framing, keepAlive };
}

/** RFC 9112 6.3, for requests: a body needs a length or chunked, and never both. */
function requestFraming(headers: HeaderList): Framing {
  const coding = transferCoding(headers);
  const length = contentLength(headers);
  if (coding === undefined) return length ?? 0;
  if (length !== undefined) {
    throw new Http1Error(
      400,
      "http1.content_length_and_chunked_not_allowed",
      "both Content-Length and Transfer-Encoding",
    );
  }
  if (coding !== "chunked")
    throw new Http1Error(501, "http1.unsupported_transfer_encoding", "unsupported transfer coding");
  return "chunked";
}

function responseFraming(headers: HeaderList, status: number, method: string): Framing {
  const coding = transferCoding(headers);
  const length = contentLength(headers);
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return 0;
  if (coding !== undefined) {
    if (length !== undefined) {
      throw new Http1Error(
        502,
        "http1.content_length_and_chunked_not_allowed",
        "both Content-Length and Transfer-Encoding",
      );
    }
    if (coding !== "chunked")
      throw new Http1Error(502, "http1.unsupported_transfer_encoding", "unsupported transfer coding");
    return "chunked";
  }
  return length ?? "until-close";
}

function transferCoding(headers: HeaderList): string | undefined {
  let coding: string | undefined;
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== "transfer-encoding") continue;
    // Chunked must come last and once: a second field can only break that.
    coding = coding === undefined ? (headers.values[i] ?? "").toLowerCase() : "repeated";
  }
  return coding;
}

function contentLength(headers: HeaderList): number | undefined {
  let length: string | undefined;
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== "content-length") continue;
    const value = headers.values[i] ?? "";
    // RFC 9112 6.3 would let equal ones pass as one; whoever repeats it is not to be trusted with the framing.
    if (!DIGITS.test(value) || length !== undefined) {
      throw new Http1Error(400, "http1.invalid_content_length", "invalid Content-Length");
    }
    length = value;
  }
  return length === undefined ? undefined : Number(length);
}

/** Whether a comma-separated field holds a token, in any case. */
export function hasToken(headers: HeaderList, key: string, token: string): boolean {
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== key) continue;
    const value = (headers.values[i] ?? "").toLowerCase();
    if (value === token || value.split(",").some((item) => item.trim() === token)) return true;
  }
  return false;
}

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Removes what concerns one connection only (RFC 9110 7.6.1); the framing fields among it are made anew. */
export function removeHopByHop(headers: HeaderList): void {
  const { keys, values } = headers;
  let named: string[] | undefined;
  for (let i = keys.length - 1; i >= 0; i--) {
    const key = keys[i] ?? "";
    if (!HOP_BY_HOP.has(key)) continue;
    const value = values[i] ?? "";
    if (key === "connection" && value.length !== 0 && value !== "close" && value !== "keep-alive") {
      named = [...(named ?? []), ...value.toLowerCase().split(",")];
    }
    headers.removeAt(i);
  }
  // A sender may not make the proxy drop what routing and framing need.
  for (const option of named ?? []) {
    const key = option.trim();
    if (key !== "host" && key !== "content-length") headers.remove(key);
  }
}

/** The fields as they go on the wire, each with its line end. */
export function encodeFields(headers: HeaderList): string {
  const { names, values } = headers;
  let text = "";
  for (let i = 0; i < names.length; i++) text += `${names[i]}: ${values[i]}\r\n`;
  return text;
}

const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}\r\n`;
}
