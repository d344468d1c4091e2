import { closeSync, openSync, writeSync } from "node:fs";
import type { Clock } from "../../shared/base/index.ts";
import { type AccessLogFormat, FORMATS, type FormatLine } from "./access-log-format.ts";
import type { RequestRecord } from "./stream/record.ts";

/** Lines wait at most this long or this much before they are written (Envoy: 1 s, 64 KiB). */
const FLUSH_MS = 1_000;
const FLUSH_CHARS = 64 * 1024;

/** One line a request. Buffered: a system call a request would cost more than the rest of the log. */
export class AccessLog {
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #format: FormatLine;
  readonly #stopTimer: () => void;
  #buffer = "";

  /** `target`: a file, or `stderr`. */
  constructor(target: string, format: AccessLogFormat, clock: Clock) {
    this.#ownsFd = target !== "stderr";
    this.#fd = this.#ownsFd ? openSync(target, "a", 0o600) : 2;
    this.#format = FORMATS[format];
    this.#stopTimer = clock.every(FLUSH_MS, () => this.flush());
  }

  write(record: RequestRecord): void {
    this.#buffer += this.#format(record);
    if (this.#buffer.length >= FLUSH_CHARS) this.flush();
  }

  flush(): void {
    if (this.#buffer === "") return;
    const text = this.#buffer;
    this.#buffer = "";
    writeSync(this.#fd, text);
  }

  close(): void {
    this.#stopTimer();
    this.flush();
    if (this.#ownsFd) closeSync(this.#fd);
  }
}
