import type { Socket } from "node:net";

/** Up to here a body is copied behind its head, so that both leave in one write (and one TLS record). */
const MAX_COPY_BYTES = 16 * 1024;

/**
 * Writes one HTTP/1.1 message. The head waits for the first piece of body or for `flush`: a small message costs one
 * system call, which is most of what a proxied request costs.
 */
export class MessageWriter {
  readonly #socket: Socket;
  #head: string | undefined;
  #chunked = false;
  #bodiless = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `bodiless`: the body's bytes are not sent, whatever comes (HEAD). */
  head(text: string, chunked: boolean, bodiless: boolean): void {
    this.#head = text;
    this.#chunked = chunked;
    this.#bodiless = bodiless;
  }

  /** False when the socket's buffer is full. */
  data(chunk: Buffer, end: boolean): boolean {
    if (this.#bodiless) {
      if (end) this.flush();
      return true;
    }
    const head = this.#head ?? "";
    this.#head = undefined;
    if (!this.#chunked) return this.#write(head, chunk, "");
    if (chunk.length === 0)
      return end ? this.#write(`${head}0\r\n\r\n`, chunk, "") : head === "" || this.#write(head, chunk, "");
    return this.#write(`${head}${chunk.length.toString(16)}\r\n`, chunk, end ? "\r\n0\r\n\r\n" : "\r\n");
  }

  flush(): void {
    if (this.#head === undefined) return;
    const head = this.#head;
    this.#head = undefined;
    this.#socket.write(head, "latin1");
  }

  #write(before: string, chunk: Buffer, after: string): boolean {
    const socket = this.#socket;
    if (chunk.length === 0) return before === "" || socket.write(before, "latin1");
    if (before === "" && after === "") return socket.write(chunk);
    if (chunk.length <= MAX_COPY_BYTES) {
      const whole = Buffer.allocUnsafe(before.length + chunk.length + after.length);
      whole.write(before, 0, "latin1");
      chunk.copy(whole, before.length);
      if (after !== "") whole.write(after, before.length + chunk.length, "latin1");
      return socket.write(whole);
    }
    socket.cork();
    if (before !== "") socket.write(before, "latin1");
    socket.write(chunk);
    const ready = after === "" ? !socket.writableNeedDrain : socket.write(after, "latin1");
    socket.uncork();
    return ready;
  }
}
