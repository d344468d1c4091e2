import { Http1Error } from "./http1-head.ts";

/** Longest line of a chunk's size with its extensions, and most bytes of a trailer section. */
const MAX_LINE_BYTES = 256;
const MAX_TRAILER_BYTES = 8192;

const CR = 0x0d;
const LF = 0x0a;

type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailer" | "done";

/**
 * Decodes a chunked body (RFC 9112 7.1) fed in any pieces. Extensions and trailers are bounded and dropped: a proxy
 * may (7.1.1, 6.5), and what is not forwarded cannot disagree with what is.
 */
export class ChunkedDecoder {
  #state: State = "size";
  #remaining = 0;
  #digits = 0;
  #lineBytes = 0;
  #trailerBytes = 0;
  #trailerLineBytes = 0;
  #previous = 0;

  get done(): boolean {
    return this.#state === "done";
  }

  /** Calls `onData` with each piece of payload; returns the offset after what it consumed. Throws Http1Error. */
  read(chunk: Buffer, start: number, onData: (piece: Buffer) => void): number {
    let i = start;
    while (i < chunk.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(chunk.length, i + this.#remaining);
        onData(i === 0 && end === chunk.length ? chunk : chunk.subarray(i, end));
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

  #byte(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#sizeByte(byte);
        return;
      case "extension":
        if (++this.#lineBytes > MAX_LINE_BYTES) throw bad("chunk extensions are too long");
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
    else if (byte === 0x3b) this.#state = "extension";
    else throw bad("invalid chunk size");
  }

  #trailerByte(byte: number): void {
    if (++this.#trailerBytes > MAX_TRAILER_BYTES) throw bad("trailers are too long");
    if (byte === LF) {
      if (this.#previous !== CR) throw bad("bare line feed in trailers");
      if (this.#trailerLineBytes === 0) this.#state = "done";
      this.#trailerLineBytes = 0;
    } else if (this.#previous === CR) {
      throw bad("bare carriage return in trailers");
    } else if (byte !== CR) {
      this.#trailerLineBytes++;
    }
    this.#previous = byte;
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
