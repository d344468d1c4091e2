import { closeSync, constants, openSync, writeSync } from "node:fs";
import { type Clock, errorMessage } from "../../shared/base/index.ts";
import type { FormatLine } from "./access-log-format.ts";
import type { RequestRecord } from "./stream/record.ts";

/** Lines wait at most this long or this much before they are written (Envoy: 1 s, 64 KiB). */
const FLUSH_MS = 1_000;
const FLUSH_CHARS = 64 * 1024;

/** Open already. A socket could not be opened again, and a file would be written at two places. */
const STANDARD: Readonly<Record<string, number>> = { stdout: 1, "/dev/stdout": 1, stderr: 2, "/dev/stderr": 2 };

/** A pipe that nobody reads must not hold the proxy up, neither when it is opened nor when it is full. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

export function isStandardStream(target: string): boolean {
  return Object.hasOwn(STANDARD, target);
}

/**
 * One line a request. Buffered: a system call a request would cost more than the rest of the log. A log that cannot be
 * written (its disk is full, its reader stands still) costs its lines and no request: what is lost is said once, until
 * writing goes on.
 */
export class AccessLog {
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #format: FormatLine;
  readonly #stopTimer: () => void;
  #buffer = "";
  #failing = false;

  /** `target`: a file, `stdout` or `stderr`. Throws when it cannot be opened. */
  constructor(target: string, format: FormatLine, clock: Clock) {
    const standard = isStandardStream(target) ? STANDARD[target] : undefined;
    this.#ownsFd = standard === undefined;
    this.#fd = standard ?? openSync(target, FLAGS, 0o600);
    this.#format = format;
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
    try {
      const bytes = Buffer.from(text, "utf8");
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) process.emitWarning(`lines of the access log are lost: ${errorMessage(error)}`);
      this.#failing = true;
    }
  }

  close(): void {
    this.#stopTimer();
    this.flush();
    if (this.#ownsFd) closeSync(this.#fd);
  }
}
