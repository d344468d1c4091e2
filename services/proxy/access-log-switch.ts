import type { Clock } from "../../shared/base/index.ts";
import { AccessLog } from "./access-log.ts";
import { type AccessLogFormat, formatLine } from "./access-log-format.ts";
import type { RequestRecord } from "./stream/record.ts";

/** Where lines go, and what they look like. */
export interface AccessLogTarget {
  /** A file, `stdout`, `stderr`, or "" for none. */
  readonly file: string;
  readonly encoding: AccessLogFormat;
  /** Envoy's command operators: a line, or with `json` an object of them. "": Istio's default of that encoding. */
  readonly format: string;
}

/**
 * The access log in force, exchanged while requests go on. The new one is open before the old one is let go, and the old
 * one has then written what it held: each request that ends is a line of one or of the other.
 */
export class AccessLogSwitch {
  readonly #clock: Clock;
  #log: AccessLog | undefined;
  #target: AccessLogTarget = { file: "", encoding: "json", format: "" };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws when the file cannot be opened or the format cannot be read: then the log before goes on. */
  use(target: AccessLogTarget): void {
    const { file, encoding, format } = target;
    const before = this.#target;
    if (file === before.file && encoding === before.encoding && format === before.format) return;
    const line = formatLine(encoding, format);
    const log = file === "" ? undefined : new AccessLog(file, line, this.#clock);
    this.#log?.close();
    this.#log = log;
    this.#target = target;
  }

  write(record: RequestRecord): void {
    this.#log?.write(record);
  }

  close(): void {
    this.#log?.close();
    this.#log = undefined;
  }
}
