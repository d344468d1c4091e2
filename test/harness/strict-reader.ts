/**
 * A second, independent reading of HTTP/1.1 (RFC 9110, 9112): plain, slow, over whole texts in latin1. What the proxy
 * passes on is compared with what this reading finds in the same bytes.
 */

export interface Message {
  /** Request or status line. */
  readonly start: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface ReadRequest extends Message {
  readonly method: string;
  readonly target: string;
}

export interface ReadResponse extends Message {
  readonly status: number;
}

/** The text ends before its message does. */
export class Incomplete extends Error {}
/** The text is not HTTP/1.1. */
export class Malformed extends Error {}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.1$`);
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)( [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*((?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)[ \\t]*$`);
const EXTENSION = /^(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;

export function fieldsOf(message: Message, name: string): string[] {
  return message.fields.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
}

/** The value of a field that occurs once at most. */
export function fieldOf(message: Message, name: string): string | undefined {
  const values = fieldsOf(message, name);
  if (values.length > 1) throw new Malformed(`${name} more than once`);
  return values[0];
}

function readFields(lines: readonly string[]): (readonly [string, string])[] {
  return lines.map((line) => {
    const match = FIELD.exec(line);
    if (match === null) throw new Malformed(`field line ${JSON.stringify(line)}`);
    return [match[1] ?? "", match[2] ?? ""] as const;
  });
}

function readHead(text: string): { start: string; fields: (readonly [string, string])[]; length: number } {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) throw new Incomplete();
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  return { start, fields: readFields(lines), length: end + 4 };
}

/** The payload of a chunked body, and its length on the wire. */
function readChunks(text: string): { body: string; length: number } {
  let body = "";
  let position = 0;
  for (;;) {
    const end = text.indexOf("\r\n", position);
    if (end < 0) throw new Incomplete();
    const line = text.slice(position, end);
    const match = /^([0-9A-Fa-f]{1,12})(.*)$/s.exec(line);
    if (match === null || !EXTENSION.test(match[2] ?? "")) throw new Malformed(`chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(match[1] ?? "", 16);
    position = end + 2;
    if (size === 0) break;
    if (text.length < position + size + 2) {
      const missing = "\r\n".slice(0, Math.max(0, text.length - position - size));
      if (!text.slice(position + size).startsWith(missing)) throw new Malformed("chunk longer than its size");
      throw new Incomplete();
    }
    body += text.slice(position, position + size);
    if (text.slice(position + size, position + size + 2) !== "\r\n") throw new Malformed("chunk longer than its size");
    position += size + 2;
  }
  if (text.startsWith("\r\n", position)) return { body, length: position + 2 };
  const end = text.indexOf("\r\n\r\n", position);
  if (end < 0) throw new Incomplete();
  readFields(text.slice(position, end).split("\r\n"));
  return { body, length: end + 4 };
}

/** Whether the body is chunked, or its length; undefined without either. */
function framingOf(message: Message): "chunked" | number | undefined {
  const codings = fieldsOf(message, "transfer-encoding");
  const lengths = fieldsOf(message, "content-length").flatMap((value) => value.split(/[ \t]*,[ \t]*/));
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") throw new Malformed("transfer coding");
    if (lengths.length > 0) throw new Malformed("length and chunked");
    return "chunked";
  }
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (!/^\d{1,15}$/.test(length) || lengths.some((other) => other !== length)) throw new Malformed("length");
  return Number(length);
}

/** The first request of a text. Throws Incomplete or Malformed. */
export function readRequest(text: string): { request: ReadRequest; length: number } {
  const skipped = /^(?:\r\n)*/.exec(text)?.[0].length ?? 0;
  const { start, fields, length } = readHead(text.slice(skipped));
  const line = REQUEST_LINE.exec(start);
  if (line === null) throw new Malformed(`request line ${JSON.stringify(start)}`);
  const [, method = "", target = ""] = line;
  const head = { start, fields, body: "" };
  const host = fieldOf(head, "host");
  if (host === undefined || !/^([A-Za-z0-9\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])?(:\d*)?$/.test(host))
    throw new Malformed("host");
  if (!/^(\/|https?:\/\/[^/?]|\*$)/i.test(target)) throw new Malformed("target");
  const framing = framingOf(head);
  const after = text.slice(skipped + length);
  if (framing === "chunked") {
    const chunks = readChunks(after);
    return { request: { ...head, method, target, body: chunks.body }, length: skipped + length + chunks.length };
  }
  const bytes = framing ?? 0;
  if (after.length < bytes) throw new Incomplete();
  return { request: { ...head, method, target, body: after.slice(0, bytes) }, length: skipped + length + bytes };
}

/** The first response of a text to a request with `method`; `ended`: the connection has closed behind it. */
export function readResponse(
  text: string,
  method: string,
  ended: boolean,
): { response: ReadResponse; length: number; untilClose: boolean } {
  const { start, fields, length } = readHead(text);
  const line = STATUS_LINE.exec(start);
  if (line === null) throw new Malformed(`status line ${JSON.stringify(start)}`);
  const status = Number(line[1]);
  const head = { start, fields, body: "", status };
  const framing = framingOf(head);
  if (framing === "chunked" && start.startsWith("HTTP/1.0")) throw new Malformed("chunks in HTTP/1.0");
  if (method === "HEAD" || status < 200 || status === 204 || status === 304)
    return { response: head, length, untilClose: false };
  const after = text.slice(length);
  if (framing === "chunked") {
    const chunks = readChunks(after);
    return { response: { ...head, body: chunks.body }, length: length + chunks.length, untilClose: false };
  }
  if (framing === undefined) {
    if (!ended) throw new Incomplete();
    return { response: { ...head, body: after }, length: text.length, untilClose: true };
  }
  if (after.length < framing) throw new Incomplete();
  return { response: { ...head, body: after.slice(0, framing) }, length: length + framing, untilClose: false };
}
