import type { HeaderList } from "../stream/header-list.ts";
import { Http1Error } from "./http1-error.ts";
import { hasToken, parseFields, TOKEN, withoutBlanks } from "./http1-fields.ts";
import type { Http1Limits } from "./http1-settings.ts";

/**
 * Parses message heads of HTTP/1.1 (RFC 9112), strictly: what two parsers could read differently is refused, because
 * that difference is how requests are smuggled. The text is the head in latin1, without its closing empty line.
 */

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

/**
 * Visible ASCII: also the few characters that no URI may have but browsers send. Without "#": a fragment is the
 * client's own affair, and would hide the rest of a path from one of two readers.
 */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
/** Of an answer; its status and the detail are the same whatever is wrong with it. */
export const BAD_ANSWER = "upstream_reset_before_response_started{protocol_error}";

const DIGITS = /^[0-9]{1,15}$/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;

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
  const headers = parseFields(text, lineEnd + 2, limits.maxHeaders);
  const framing = requestFraming(headers, minorVersion);
  const closes = hasToken(headers, "connection", "close");
  const keepAlive = !closes && (minorVersion === 1 || hasToken(headers, "connection", "keep-alive"));
  return { method, target, minorVersion, headers, framing, keepAlive };
}

/** `method` is that of the request it answers. Throws Http1Error (the status is of no use then). */
export function parseResponseHead(text: string, method: string, limits: Http1Limits): ParsedResponse {
  let lineEnd = text.indexOf("\r\n");
  if (lineEnd < 0) lineEnd = text.length;
  const match = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (match === null) throw new Http1Error(502, BAD_ANSWER, "invalid status line");
  const status = Number(match[2]);
  const minorVersion = match[1] === "1" ? 1 : 0;
  const headers = parseFields(text, lineEnd + 2, limits.maxHeaders);
  const framing = responseFraming(headers, status, method, minorVersion);
  const keepAlive = minorVersion === 1 && framing !== "until-close" && !hasToken(headers, "connection", "close");
  return { status, headers, framing, keepAlive };
}

/** RFC 9112 6.3, for requests: a body needs a length or chunked, and never both. */
function requestFraming(headers: HeaderList, minorVersion: 0 | 1): Framing {
  const chunked = isChunked(headers, minorVersion);
  const length = contentLength(headers);
  if (chunked && length !== undefined) throw lengthAndChunked();
  return chunked ? "chunked" : (length ?? 0);
}

function responseFraming(headers: HeaderList, status: number, method: string, minorVersion: 0 | 1): Framing {
  const chunked = isChunked(headers, minorVersion);
  const length = contentLength(headers);
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return 0;
  if (chunked && length !== undefined) throw lengthAndChunked();
  return chunked ? "chunked" : (length ?? "until-close");
}

function lengthAndChunked(): Http1Error {
  return new Http1Error(
    400,
    "http1.content_length_and_chunked_not_allowed",
    "both Content-Length and Transfer-Encoding",
  );
}

/** RFC 9112 6.1: chunked comes last and once, and is the only coding here. */
function isChunked(headers: HeaderList, minorVersion: 0 | 1): boolean {
  let codings: string | undefined;
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== "transfer-encoding") continue;
    const value = (headers.values[i] ?? "").toLowerCase();
    codings = codings === undefined ? value : `${codings},${value}`;
  }
  if (codings === undefined) return false;
  if (minorVersion === 1 && codings === "chunked") return true;
  const list = codings.split(",").map((item) => withoutBlanks(item));
  const chunkedAt = list.indexOf("chunked");
  // HTTP/1.0 has no transfer codings: whoever sends one there has a peer that does not know what it passes on.
  if (minorVersion === 0 || list.includes("") || (chunkedAt >= 0 && chunkedAt < list.length - 1)) {
    throw new Http1Error(400, "http1.invalid_transfer_encoding", "invalid Transfer-Encoding");
  }
  throw new Http1Error(501, "http1.unsupported_transfer_encoding", "unsupported transfer coding");
}

/** RFC 9112 6.3: copies that are equal pass as one, and as one they go on. */
function contentLength(headers: HeaderList): number | undefined {
  const { keys, values } = headers;
  const at = keys.indexOf("content-length");
  if (at < 0) return undefined;
  let text = values[at] ?? "";
  if (!DIGITS.test(text) || keys.lastIndexOf("content-length") !== at) text = commonLength(headers);
  const length = Number(text);
  values[at] = String(length);
  for (let i = keys.length - 1; i > at; i--) if (keys[i] === "content-length") headers.removeAt(i);
  return length;
}

function commonLength(headers: HeaderList): string {
  const copies = headers.values
    .filter((_, i) => headers.keys[i] === "content-length")
    .flatMap((value) => value.split(","))
    .map((item) => withoutBlanks(item));
  const [first = ""] = copies;
  if (!DIGITS.test(first) || copies.some((copy) => copy !== first)) {
    throw new Http1Error(400, "http1.invalid_content_length", "invalid Content-Length");
  }
  return first;
}
