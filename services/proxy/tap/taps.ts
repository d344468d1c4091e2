import { type Clock, UnavailableError } from "../../../shared/base/index.ts";
import type { TapAnswer, TapFilter, TapPeer, TapRow } from "../../../shared/wire/index.ts";
import { askedPath } from "../access-log-facts.ts";
import type { Peer, RequestRecord } from "../stream/record.ts";
import { fitsTap, type TapOrder } from "./tap-filter.ts";

/**
 * Live requests for whoever asks. Nothing is kept unless somebody watches: a watcher asks again and again, each question
 * takes what has come since the last one, and who has not asked for five seconds watches no more. So a command that is
 * killed leaves nothing behind, nothing is sent that nobody has asked for, and a proxy needs no right to publish to
 * people. What a watcher does not fetch in time is dropped and counted: requests never wait for it.
 */

const IDLE_MS = 5_000;
const MAX_WATCHERS = 8;
const MAX_ROWS = 1_000;
/** Of one answer, so that it fits into a message. */
export const MAX_ANSWER_CHARS = 384 * 1024;
const MAX_TEXT_CHARS = 1_024;
/** Names and labels, some of which the other side says of itself: no name in the mesh is longer. */
const MAX_NAME_CHARS = 253;

interface Watcher {
  readonly filter: TapFilter;
  readonly maxPerSecond: number;
  /** The second that is counted just now, and how many it has had. */
  second: number;
  inSecond: number;
  rows: TapRow[];
  dropped: number;
  askedMs: number;
}

export class Taps {
  readonly #clock: Clock;
  readonly #watchers = new Map<string, Watcher>();
  #cancelSweep = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** On the request path. */
  offer(record: RequestRecord): void {
    if (this.#watchers.size === 0) return;
    let row: TapRow | undefined;
    for (const watcher of this.#watchers.values()) {
      if (!fitsTap(watcher.filter, record)) continue;
      if (!this.#hasRoom(watcher)) {
        watcher.dropped++;
        continue;
      }
      row ??= rowOf(record);
      watcher.rows.push(row);
    }
  }

  /** What has come since the last question of this watcher; the first one begins to watch. Throws UnavailableError. */
  take({ id, filter, maxPerSecond, maxChars = MAX_ANSWER_CHARS }: TapOrder): TapAnswer {
    let watcher = this.#watchers.get(id);
    if (watcher === undefined) {
      if (this.#watchers.size >= MAX_WATCHERS) throw new UnavailableError(`${MAX_WATCHERS} others watch this proxy`);
      watcher = { filter, maxPerSecond, second: 0, inSecond: 0, rows: [], dropped: 0, askedMs: 0 };
      this.#watchers.set(id, watcher);
      this.#sweepLater();
    }
    watcher.askedMs = this.#clock.monotonic();
    let count = fitting(watcher.rows, maxChars);
    // A row that fits into no answer must not keep back all that come after it.
    while (count === 0 && watcher.rows.length > 0) {
      watcher.rows.shift();
      watcher.dropped++;
      count = fitting(watcher.rows, maxChars);
    }
    const answer = { rows: watcher.rows.slice(0, count), dropped: watcher.dropped };
    watcher.rows = watcher.rows.slice(count);
    watcher.dropped = 0;
    return answer;
  }

  close(): void {
    this.#cancelSweep();
    this.#watchers.clear();
  }

  #hasRoom(watcher: Watcher): boolean {
    const second = Math.floor(this.#clock.monotonic() / 1_000);
    if (watcher.second !== second) {
      watcher.second = second;
      watcher.inSecond = 0;
    }
    return ++watcher.inSecond <= watcher.maxPerSecond && watcher.rows.length < MAX_ROWS;
  }

  #sweepLater(): void {
    this.#cancelSweep();
    this.#cancelSweep = this.#clock.after(IDLE_MS / 5, () => {
      const nowMs = this.#clock.monotonic();
      for (const [id, { askedMs }] of this.#watchers) if (nowMs - askedMs > IDLE_MS) this.#watchers.delete(id);
      if (this.#watchers.size > 0) this.#sweepLater();
    });
  }
}

/** How many of the rows one answer takes. */
function fitting(rows: readonly TapRow[], maxChars: number): number {
  let chars = 0;
  for (let i = 0; i < rows.length; i++) {
    chars += Buffer.byteLength(JSON.stringify(rows[i]));
    if (chars > maxChars) return i;
  }
  return rows.length;
}

function rowOf(record: RequestRecord): TapRow {
  const { head, side } = record;
  return {
    timeMs: record.startedMs,
    durationMs: record.durationMs,
    reporter: side === "outbound" ? "source" : "destination",
    source: peerOf(record.source),
    destination: peerOf(record.destination),
    method: head.method,
    authority: head.authority.slice(0, MAX_TEXT_CHARS),
    path: askedPath(record).slice(0, MAX_TEXT_CHARS),
    status: record.status,
    flags: record.flags,
    detail: record.detail,
    requestId: record.requestId.slice(0, MAX_TEXT_CHARS),
    route: record.route,
    attempts: record.attempts,
    bytesReceived: record.bytesReceived,
    bytesSent: record.bytesSent,
    mutualTls: record.mutualTls,
  };
}

function shortened(name: string): string {
  return name.length > MAX_NAME_CHARS ? name.slice(0, MAX_NAME_CHARS) : name;
}

function peerOf({ namespace, service, host, workload, instance, labels, principal, ip, port }: Peer): TapPeer {
  return {
    namespace,
    service: shortened(service || host),
    workload: shortened(workload),
    instance: shortened(instance),
    version: shortened(labels["version"] ?? ""),
    principal,
    address: ip === "" ? "" : `${ip.includes(":") ? `[${ip}]` : ip}:${port}`,
  };
}
