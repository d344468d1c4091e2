import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/**
 * Up to here a body is copied behind its head, so that both leave in one write (and one TLS record); and a piece that
 * has to wait is copied, so that it does not keep the whole buffer into which it was read.
 */
const MAX_COPY_BYTES = 16 * 1024;
/** Up to here as text, which needs no buffer of its own; not over TLS, where Node would make one for it. */
const MAX_TEXT_BYTES = 2 * 1024;

/** What follows a head: so many bytes, chunks, whatever comes until the connection closes, or nothing whatever comes. */
export type BodyFraming = number | "chunked" | "until-close" | "none";

/**
 * Writes one HTTP/1.1 message. The head waits for the first piece of body or for `flush`: a small message costs one
 * system call, which is most of what a proxied request costs. A body that is not as long as its head says ends the
 * connection, because its next bytes would be read as another message.
 */
export class MessageWriter {
  readonly #socket: Socket;
  readonly #bufferBytes: number;
  #head: string | undefined;
  #framing: BodyFraming = "none";
  /** Bytes that the head has promised. */
  #remaining = 0;
  #holds = false;

  /** `bufferBytes`: what may wait in the socket before `data` says that it is full. */
  constructor(socket: Socket, bufferBytes: number) {
    this.#socket = socket;
    this.#bufferBytes = bufferBytes;
  }

  head(text: string, framing: BodyFraming): void {
    this.#head = text;
    this.#framing = framing;
    this.#remaining = typeof framing === "number" ? framing : 0;
  }

  /** False when enough waits to be sent: more after the socket's `drain`. */
  data(chunk: Buffer, end: boolean): boolean {
    const framing = this.#framing;
    if (framing === "none") {
      if (end) this.flush();
      return true;
    }
    if (typeof framing === "number") {
      this.#remaining -= chunk.length;
      if (this.#remaining < 0 || (end && this.#remaining !== 0)) {
        this.#socket.destroy();
        return true;
      }
    }
    const head = this.#head ?? "";
    this.#head = undefined;
    if (framing !== "chunked") this.#write(head, chunk, "");
    else if (chunk.length > 0)
      this.#write(`${head}${chunk.length.toString(16)}\r\n`, chunk, end ? "\r\n0\r\n\r\n" : "\r\n");
    else this.#write(end ? `${head}0\r\n\r\n` : head, chunk, "");
    const socket = this.#socket;
    return !socket.writableNeedDrain || socket.writableLength < this.#bufferBytes;
  }

  /** Whether a chunk that was given has not left yet, and has not been copied. Asked once after each. */
  takeHold(): boolean {
    const holds = this.#holds;
    this.#holds = false;
    return holds;
  }

  flush(): void {
    if (this.#head === undefined) return;
    const head = this.#head;
    this.#head = undefined;
    this.#write(head, EMPTY, "");
  }

  #write(before: string, chunk: Buffer, after: string): void {
    const socket = this.#socket;
    const isText = chunk.length <= MAX_TEXT_BYTES && !isTls(socket);
    if (chunk.length === 0) {
      if (before !== "") socket.write(isText ? before : Buffer.from(before, "latin1"), "latin1");
    } else if (isText) {
      socket.write(before + chunk.toString("latin1") + after, "latin1");
    } else if (before === "" && after === "" && (chunk.length > MAX_COPY_BYTES || socket.writableLength === 0)) {
      socket.write(chunk);
      this.#holds ||= socket.writableLength > 0;
    } else if (chunk.length <= MAX_COPY_BYTES) {
      const whole = Buffer.allocUnsafe(before.length + chunk.length + after.length);
      whole.write(before, 0, "latin1");
      chunk.copy(whole, before.length);
      if (after !== "") whole.write(after, before.length + chunk.length, "latin1");
      socket.write(whole);
    } else {
      socket.cork();
      if (before !== "") socket.write(before, "latin1");
      socket.write(chunk);
      if (after !== "") socket.write(after, "latin1");
      socket.uncork();
      this.#holds ||= socket.writableLength > 0;
    }
  }
}

function isTls(socket: Socket): boolean {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

const EMPTY = Buffer.alloc(0);
