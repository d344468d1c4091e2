import { randomBytes } from "node:crypto";

/** Bytes drawn at a time: a system call for each id would cost more than the rest of the header. */
const POOL_BYTES = 4_096;

/** Random ids in hexadecimal digits. */
export class TraceIds {
  #digits = "";
  #next = 0;

  /** 32 digits. */
  traceId(): string {
    return this.#take(32);
  }

  /** 16 digits. */
  spanId(): string {
    return this.#take(16);
  }

  #take(digits: number): string {
    if (this.#next + digits > this.#digits.length) {
      this.#digits = randomBytes(POOL_BYTES).toString("hex");
      this.#next = 0;
    }
    const start = this.#next;
    this.#next += digits;
    return this.#digits.slice(start, this.#next);
  }
}
