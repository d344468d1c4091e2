import { HeaderList } from "../stream/header-list.ts";
import { Http1Error } from "./http1-error.ts";

/** Of methods and field names (RFC 9110 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const TAB = 0x09;
const LF = 0x0a;
const SPACE = 0x20;

interface FieldName {
  /** With its colon. */
  readonly text: string;
  readonly key: string;
}

/** Field names seen before: most requests have no other. Bounded; names come from outside. */
const knownNames = new Map<string, FieldName>();
const MAX_KNOWN_NAMES = 2048;
const MAX_KNOWN_NAME_LENGTH = 48;

/** Throws Http1Error. */
function fieldName(name: string): FieldName {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) throw new Http1Error(400, "http1.invalid_header_name", "invalid header name");
  // A copy: a part of the head would keep all of it alive.
  const copy = Buffer.from(name, "latin1").toString("latin1");
  // The engine compares names of properties by their address, as it does the keys in the code that look for them.
  const [key = ""] = Object.keys({ [copy.toLowerCase()]: true });
  const made = { text: `${copy}:`, key };
  if (knownNames.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_NAME_LENGTH) knownNames.set(copy, made);
  return made;
}

/**
 * Parses the field lines of the heads of one connection and direction. Whoever speaks there says nearly the same fields
 * in the same order each time, so the names of the last head are tried first: recognising one is a comparison in
 * place, where a name that comes anew has to be cut out, looked up and perhaps checked.
 */
export class FieldParser {
  /** By the place in the head. */
  readonly #names: FieldName[] = [];

  /** Field lines from `start` to the end of the text, each with its line end. Throws Http1Error. */
  parse(text: string, start: number, maxHeaders: number): HeaderList {
    const headers = new HeaderList();
    const { length } = text;
    let position = start;
    for (let place = 0; position < length; place++) {
      let name = this.#names[place];
      let colon = position + (name?.text.length ?? 0) - 1;
      if (name === undefined || text.slice(position, colon + 1) !== name.text) {
        colon = colonOf(text, position);
        name = fieldName(text.slice(position, colon));
        this.#names[place] = name;
      }
      if (place === maxHeaders) throw new Http1Error(431, "http1.too_many_headers", `more than ${maxHeaders} headers`);
      const lineEnd = text.indexOf("\r", colon);
      const isPlain = isWrittenPlain(text, colon, lineEnd);
      const value = isPlain ? text.slice(colon + 2, lineEnd) : withoutBlanks(text, colon + 1, lineEnd);
      // A line feed alone is in the value.
      if (BAD_VALUE.test(value) || text.charCodeAt(lineEnd + 1) !== LF)
        throw new Http1Error(400, "http1.invalid_header_value", `invalid value of header ${name.key}`);
      if (isPlain) headers.addLine(name.key, value, text.slice(position, lineEnd + 2));
      else headers.add(text.slice(position, colon), name.key, value);
      position = lineEnd + 2;
    }
    return headers;
  }
}

/** Of the line at `position`. Throws Http1Error. */
function colonOf(text: string, position: number): number {
  const colon = text.indexOf(":", position);
  if (colon < 0 || colon > text.indexOf("\n", position))
    throw new Http1Error(400, "http1.invalid_header", "header line without a colon");
  return colon;
}

/** Written as this proxy itself would: one space, a value without blanks around it. */
function isWrittenPlain(text: string, colon: number, lineEnd: number): boolean {
  return (
    text.charCodeAt(colon + 1) === SPACE &&
    lineEnd > colon + 2 &&
    !isBlank(text.charCodeAt(colon + 2)) &&
    !isBlank(text.charCodeAt(lineEnd - 1))
  );
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
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
  const said = headers.get("keep-alive");
  if (said === undefined) return Number.POSITIVE_INFINITY;
  const seconds = /(?:^|[ ,])timeout=(\d{1,6})(?:$|[ ,;])/i.exec(said)?.[1];
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
export function encodeFields({ lines }: HeaderList): string {
  let text = "";
  for (let i = 0; i < lines.length; i++) text += lines[i];
  return text;
}
