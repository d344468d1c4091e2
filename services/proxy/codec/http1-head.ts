import type { HeaderList } from "../stream/header-list.ts";
import { Http1Error } from "./http1-error.ts";
import { type FieldParser, hasToken, TOKEN, withoutBlanks } from "./http1-fields.ts";
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

const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const SPACE = 0x20;
const ZERO = 0x30;

/** Up to here a chunk is made text as a whole: looking for the end of a head there is cheaper than among bytes. */
const MAX_TEXT_BYTES = 4_096;
const HEAD_END = Buffer.from("\r\n\r\n");

/**
 * The head that begins at `start`, with its last line's end but without the empty line behind it; undefined while that
 * is not there. `searchFrom`: before that it has been looked for already.
 */
export function headText(buffer: Buffer, start: number, searchFrom: number): string | undefined {
  if (buffer.length - start <= MAX_TEXT_BYTES) {
    const text = buffer.toString("latin1", start, buffer.length);
    const end = text.indexOf("\r\n\r\n", searchFrom - start);
    return end < 0 ? undefined : text.slice(0, end + 2);
  }
  const end = buffer.indexOf(HEAD_END, searchFrom);
  return end < 0 ? undefined : buffer.toString("latin1", start, end + 2);
}

/** Throws Http1Error. */
export function parseRequestHead(text: string, limits: Http1Limits, fields: FieldParser): ParsedRequest {
  const lineEnd = text.indexOf("\r\n");
  const firstSpace = text.indexOf(" ");
  const secondSpace = text.indexOf(" ", firstSpace + 1);
  if (firstSpace < 1 || secondSpace < 0 || secondSpace >= lineEnd) {
    throw new Http1Error(400, "http1.invalid_request_line", "invalid request line");
  }
  const method = text.slice(0, firstSpace);
  const target = text.slice(firstSpace + 1, secondSpace);
  if (method !== "GET" && !TOKEN.test(method)) throw new Http1Error(400, "http1.invalid_method", "invalid method");
  if (target !== "/" && !TARGET.test(target)) throw new Http1Error(400, "http1.invalid_url", "invalid request target");
  const minorVersion = versionOf(text.slice(secondSpace + 1, lineEnd));
  const headers = fields.parse(text, lineEnd + 2, limits.maxHeaders);
  const framing = requestFraming(headers, minorVersion);
  const closes = hasToken(headers, "connection", "close");
  const keepAlive = !closes && (minorVersion === 1 || hasToken(headers, "connection", "keep-alive"));
  return { method, target, minorVersion, headers, framing, keepAlive };
}

function versionOf(version: string): 0 | 1 {
  if (version === "HTTP/1.1") return 1;
  if (version === "HTTP/1.0") return 0;
  if (/^HTTP\/[0-9]\.[0-9]$/.test(version))
    throw new Http1Error(505, "http1.unsupported_version", "HTTP version not supported");
  throw new Http1Error(400, "http1.invalid_request_line", "invalid HTTP version");
}

/** `method` is that of the request it answers. Throws Http1Error (the status is of no use then). */
export function parseResponseHead(
  text: string,
  method: string,
  limits: Http1Limits,
  fields: FieldParser,
): ParsedResponse {
  const lineEnd = text.indexOf("\r\n");
  const minorVersion = text.startsWith("HTTP/1.1 ") ? 1 : text.startsWith("HTTP/1.0 ") ? 0 : undefined;
  const status = statusOf(text, lineEnd);
  if (minorVersion === undefined || status === 0) throw new Http1Error(502, BAD_ANSWER, "invalid status line");
  const headers = fields.parse(text, lineEnd + 2, limits.maxHeaders);
  const framing = responseFraming(headers, status, method, minorVersion);
  const keepAlive = minorVersion === 1 && framing !== "until-close" && !hasToken(headers, "connection", "close");
  return { status, headers, framing, keepAlive };
}

/** Of a line `HTTP/1.1 200 OK`, whose reason may be missing; 0 when there is none. */
function statusOf(text: string, lineEnd: number): number {
  if (lineEnd < 12 || (lineEnd > 12 && text.charCodeAt(12) !== SPACE)) return 0;
  let status = 0;
  for (let i = 9; i < 12; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return 0;
    status = status * 10 + digit;
  }
  if (status < 100) return 0;
  return lineEnd <= 13 || (lineEnd === 15 && text.startsWith("OK", 13)) || REASON.test(text.slice(13, lineEnd))
    ? status
    : 0;
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
  if (!headers.has("transfer-encoding")) return false;
  const codings = headers.values
    .filter((_, i) => headers.keys[i] === "transfer-encoding")
    .join(",")
    .toLowerCase();
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
  const written = decimal(values[at] ?? "");
  if (written >= 0 && keys.indexOf("content-length", at + 1) < 0) return written;
  const length = Number(commonLength(headers));
  headers.replaceAt(at, String(length));
  for (let i = keys.length - 1; i > at; i--) if (keys[i] === "content-length") headers.removeAt(i);
  return length;
}

/** A number as this proxy would write it; negative for any other text. */
function decimal(text: string): number {
  const { length } = text;
  if (length === 0 || length > 15 || (length > 1 && text.charCodeAt(0) === ZERO)) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function commonLength(headers: HeaderList): string {
  const copies = headers.values
    .filter((_, i) => headers.keys[i] === "content-length")
    .flatMap((value) => value.split(","))
    .map((item) => withoutBlanks(item));
  const [first = ""] = copies;
  if (!/^[0-9]{1,15}$/.test(first) || copies.some((copy) => copy !== first)) {
    throw new Http1Error(400, "http1.invalid_content_length", "invalid Content-Length");
  }
  return first;
}
