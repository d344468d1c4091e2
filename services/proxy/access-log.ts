import { closeSync, openSync, writeSync } from "node:fs";
import type { Clock } from "../../shared/base/index.ts";
import type { RequestRecord } from "./stream/record.ts";

/** Lines wait at most this long or this much before they are written (Envoy: 1 s, 64 KiB). */
const FLUSH_MS = 1_000;
const FLUSH_CHARS = 64 * 1024;

/**
 * One JSON line a request, with the names of Envoy's access log. Buffered: a system call a request would cost more
 * than the rest of the log.
 */
export class AccessLog {
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #stopTimer: () => void;
  #buffer = "";

  /** `target`: a file, or `stderr`. */
  constructor(target: string, clock: Clock) {
    this.#ownsFd = target !== "stderr";
    this.#fd = this.#ownsFd ? openSync(target, "a", 0o600) : 2;
    this.#stopTimer = clock.every(FLUSH_MS, () => this.flush());
  }

  write(record: RequestRecord): void {
    const { head } = record;
    const line = {
      start_time: new Date(record.startedMs).toISOString(),
      direction: record.side,
      method: head.method,
      path: head.path,
      protocol: "HTTP/1.1",
      response_code: record.status,
      response_flags: record.flags || "-",
      response_code_details: record.detail || "-",
      bytes_received: record.bytesReceived,
      bytes_sent: record.bytesSent,
      duration: Math.round(record.durationMs),
      user_agent: head.headers.get("user-agent") ?? "-",
      request_id: record.requestId,
      authority: head.authority,
      upstream_host: record.upstreamAddress || "-",
      route_name: record.route || "-",
      downstream_remote_address: record.source.ip || "-",
      downstream_peer_uri_san: (record.side === "inbound" && record.source.principal) || "-",
      upstream_peer_uri_san: (record.side === "outbound" && record.destination.principal) || "-",
      attempts: record.attempts,
    };
    this.#buffer += `${JSON.stringify(line)}\n`;
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
