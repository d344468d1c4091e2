import { HeaderList } from "../stream/header-list.ts";
import { Http1Error } from "./http1-error.ts";

/** Of methods and field names (RFC 9110 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

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

/** Field lines from `start` to the end of the text, which lacks the last line's end. Throws Http1Error. */
export function parseFields(text: string, start: number, maxHeaders: number): HeaderList {
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
    const value = withoutBlanks(text, colon + 1, lineEnd);
    if (BAD_VALUE.test(value))
      throw new Http1Error(400, "http1.invalid_header_value", `invalid value of header ${key}`);
    if (headers.keys.length === maxHeaders) {
      throw new Http1Error(431, "http1.too_many_headers", `more than ${maxHeaders} headers`);
    }
    headers.add(name, key, value);
    position = lineEnd + 2;
  }
  return headers;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Without blanks around it. Not `trim`, for which 0xa0 is one too: then `Content-Length: <a0>5` would be a length. */
export function withoutBlanks(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** Whether a comma-separated field holds a token, in any case. */
export function hasToken(headers: HeaderList, key: string, token: string): boolean {
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== key) continue;
    const value = (headers.values[i] ?? "").toLowerCase();
    if (value === token || value.split(",").some((item) => withoutBlanks(item) === token)) return true;
  }
  return false;
}

/** Whether a message asks for, or agrees to, WebSocket (RFC 9110 7.8): the only protocol that is switched to. */
export function namesWebSocket(headers: HeaderList): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket" && hasToken(headers, "connection", "upgrade");
}

/** How long a server says that it keeps an idle connection (RFC 2068 19.7.1.1), in milliseconds; Infinity: nothing. */
export function keepAliveMs(headers: HeaderList): number {
  const seconds = /(?:^|[ ,])timeout=(\d{1,6})(?:$|[ ,;])/i.exec(headers.get("keep-alive") ?? "")?.[1];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
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
    const key = withoutBlanks(option);
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
