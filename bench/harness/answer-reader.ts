const HEAD_END = Buffer.from("\r\n\r\n");
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/**
 * Reads the answers on one connection, one after the other, and keeps nothing of their bodies. Only 200 with a
 * content-length is good.
 */
export class AnswerReader {
  #head: Buffer | undefined;
  #isInBody = false;
  #bodyLeft = 0;

  /** "done" with the last byte of an answer. More bytes than that, without another request, are "bad". */
  take(chunk: Buffer): "more" | "done" | "bad" {
    if (this.#isInBody) return this.#takeBody(chunk.length);
    const data = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
    const headEnd = data.indexOf(HEAD_END);
    if (headEnd < 0) {
      this.#head = data;
      return "more";
    }
    this.#head = undefined;
    const head = data.toString("latin1", 0, headEnd);
    const length = CONTENT_LENGTH.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 200") || length === undefined) return "bad";
    this.#isInBody = true;
    this.#bodyLeft = Number(length);
    return this.#takeBody(data.length - headEnd - HEAD_END.length);
  }

  #takeBody(bytes: number): "more" | "done" | "bad" {
    this.#bodyLeft -= bytes;
    if (this.#bodyLeft > 0) return "more";
    this.#isInBody = false;
    return this.#bodyLeft === 0 ? "done" : "bad";
  }
}
