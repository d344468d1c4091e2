/** Keeps a request's body as it passes, up to a bound, for whoever wants all of it once it has been received. */
export class BodyCopy {
  #chunks: Buffer[] | undefined;
  #bytes = 0;
  readonly #maxBytes: number;
  readonly #onComplete: (body: readonly Buffer[]) => void;

  constructor(maxBytes: number, onComplete: (body: readonly Buffer[]) => void) {
    this.#chunks = [];
    this.#maxBytes = maxBytes;
    this.#onComplete = onComplete;
  }

  /** A body that is too long is let go, and `onComplete` is never called. */
  take(chunk: Buffer, end: boolean): void {
    const chunks = this.#chunks;
    if (chunks === undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#chunks = undefined;
      return;
    }
    if (chunk.length > 0) chunks.push(chunk);
    if (!end) return;
    this.#chunks = undefined;
    this.#onComplete(chunks);
  }
}
