import { Http1Error } from "./http1-error.ts";
import { FieldParser } from "./http1-fields.ts";

/** Longest line of a chunk's size with its extensions, and the most of all extensions of a body together. */
const MAX_LINE_BYTES = 256;
const MAX_EXTENSION_BYTES = 16 * 1024;
const MAX_TRAILER_BYTES = 8192;
const MAX_TRAILERS = 100;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

type State = "size" | "size-blank" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailer" | "done";

/**
 * Decodes a chunked body (RFC 9112 7.1) fed in any pieces. Extensions and trailers are checked, bounded and dropped: a
 * proxy may (7.1.1, 6.5), and what is not forwarded cannot disagree with what is.
 */
export class ChunkedDecoder {
  #state: State = "size";
  #remaining = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  #trailer = "";
  #pieces: Buffer[] = [];

  get done(): boolean {
    return this.#state === "done";
  }

  /** Returns the offset after what it consumed. Throws Http1Error. */
  read(chunk: Buffer, start: number): number {
    let i = start;
    while (i < chunk.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(chunk.length, i + this.#remaining);
        this.#pieces.push(i === 0 && end === chunk.length ? chunk : chunk.subarray(i, end));
        this.#remaining -= end - i;
        i = end;
        if (this.#remaining === 0) this.#state = "data-cr";
        continue;
      }
      this.#byte(chunk[i] ?? 0);
      i++;
    }
    return i;
  }

  /** The payload read since the last call, in one piece: a body of tiny chunks costs its receiver no more. */
  take(): Buffer {
    const pieces = this.#pieces;
    const [first] = pieces;
    if (first === undefined) return EMPTY;
    this.#pieces = [];
    return pieces.length === 1 ? first : Buffer.concat(pieces);
  }

  #byte(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#sizeByte(byte);
        return;
      case "size-blank":
        // Bad whitespace is grammar before an extension only.
        if (++this.#lineBytes > MAX_LINE_BYTES) throw bad("chunk extensions are too long");
        if (byte === SEMICOLON) this.#state = "extension";
        else if (byte !== 0x20 && byte !== 0x09) throw bad("invalid chunk size");
        return;
      case "extension":
        if (++this.#lineBytes > MAX_LINE_BYTES || ++this.#extensionBytes > MAX_EXTENSION_BYTES)
          throw bad("chunk extensions are too long");
        if (byte === CR) this.#state = "size-lf";
        else if (byte === LF || (byte < 0x20 && byte !== 0x09) || byte === 0x7f) throw bad("invalid chunk extension");
        return;
      case "size-lf":
        if (byte !== LF) throw bad("chunk size without a line end");
        this.#state = this.#remaining === 0 ? "trailer" : "data";
        this.#digits = 0;
        this.#lineBytes = 0;
        return;
      case "data-cr":
        if (byte !== CR) throw bad("chunk longer than its size");
        this.#state = "data-lf";
        return;
      case "data-lf":
        if (byte !== LF) throw bad("chunk without a line end");
        this.#state = "size";
        return;
      case "trailer":
        this.#trailerByte(byte);
        return;
      case "data":
      case "done":
        // Handled by `read`.
        return;
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > 12) throw bad("chunk size is too large");
      this.#remaining = this.#remaining * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw bad("invalid chunk size");
    if (byte === CR) this.#state = "size-lf";
    else if (byte === SEMICOLON) this.#state = "extension";
    else if (byte === 0x20 || byte === 0x09) this.#state = "size-blank";
    else throw bad("invalid chunk size");
  }

  #trailerByte(byte: number): void {
    this.#trailer += String.fromCharCode(byte);
    const text = this.#trailer;
    if (byte !== LF) {
      if (text.length > MAX_TRAILER_BYTES) throw bad("trailers are too long");
      return;
    }
    if (text.charCodeAt(text.length - 2) !== CR) throw bad("bare line feed in trailers");
    if (text !== "\r\n" && !text.endsWith("\r\n\r\n")) return;
    if (text !== "\r\n") new FieldParser().parse(text.slice(0, -2), 0, MAX_TRAILERS);
    this.#trailer = "";
    this.#state = "done";
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function bad(message: string): Http1Error {
  return new Http1Error(400, "http1.invalid_chunked_body", message);
}

const EMPTY = Buffer.alloc(0);
