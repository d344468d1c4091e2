import { setImmediate as nextTurn } from "node:timers/promises";
import { InvalidArgumentError, LruMap } from "../../shared/base/index.ts";
import { type BusMessage, protoReply, type ServeReply } from "../../shared/bus/index.ts";
import { type ProxyIdentity, ReportAck, ReportBatch, type ReportRow, type Subjects } from "../../shared/wire/index.ts";
import { type BatchParts, decodeParts, decodeRow } from "./attributes.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { ReportSubject } from "./instances.ts";
import type { SnapshotHolder } from "./snapshot.ts";

export interface ReportHandlerOptions {
  readonly subjects: Subjects;
  readonly snapshots: SnapshotHolder;
  readonly dispatcher: Dispatcher;
  /** This replica's name, to which the proxy then stays. */
  readonly replica: string;
  readonly counts: ReportCounts;
}

export interface ReportCounts {
  rows(accepted: number): void;
  repeated(): void;
  /** Requests that a proxy dropped before they reached anybody, since its last batch here. */
  dropped(requests: number): void;
}

const MAX_ROWS = 20_000;
/** Rows taken in one go, so that checks get their turn between. */
const SLICE_ROWS = 200;
/** Processes that send reports: a proxy may have several. */
const MAX_REPORTERS = 20_000;
const MAX_BOOT_ID_CHARS = 64;
/** Sequences remembered per process: more than one can have under way. */
const MAX_SEQUENCES = 64;

interface Reporter {
  readonly seen: Set<number>;
  dropped: number;
}

/**
 * Takes batches of rows in. A batch is acknowledged once its rows have been handed to the handlers; a batch that comes
 * again (its acknowledgement was lost) is acknowledged and not counted again.
 */
export class ReportHandler {
  readonly #options: ReportHandlerOptions;
  readonly #reporters = new LruMap<string, Reporter>(MAX_REPORTERS);

  constructor(options: ReportHandlerOptions) {
    this.#options = options;
  }

  async handle(message: BusMessage): Promise<ServeReply> {
    const { subjects, replica, counts } = this.#options;
    const identity = subjects.parseReport(message.subject);
    const batch = message.decode(ReportBatch);
    if (batch.rows.length > MAX_ROWS)
      throw new InvalidArgumentError(`${batch.rows.length} rows are more than ${MAX_ROWS}`);
    if (batch.bootId.length > MAX_BOOT_ID_CHARS) throw new InvalidArgumentError("the boot id is too long");
    const ack = protoReply(ReportAck, { replica, sequence: batch.sequence });
    const reporter = this.#reporterOf(identity, batch.bootId);
    if (reporter.seen.has(batch.sequence)) {
      counts.repeated();
      return ack;
    }
    const parts = decodeParts(batch);
    const decoded = batch.rows.map((row) => toSubject(row, parts, identity));
    remember(reporter, batch.sequence);
    if (batch.dropped > reporter.dropped) counts.dropped(batch.dropped - reporter.dropped);
    reporter.dropped = Math.max(reporter.dropped, batch.dropped);
    for (let start = 0; start < decoded.length; start += SLICE_ROWS) {
      if (start > 0) await nextTurn();
      this.#dispatch(decoded.slice(start, start + SLICE_ROWS));
    }
    counts.rows(decoded.length);
    return ack;
  }

  #dispatch(rows: readonly Row[]): void {
    const { snapshots, dispatcher } = this.#options;
    const perNamespace = new Map<string, Row[]>();
    for (const row of rows) {
      const list = perNamespace.get(row.namespace);
      if (list === undefined) perNamespace.set(row.namespace, [row]);
      else list.push(row);
    }
    for (const [namespace, list] of perNamespace) dispatcher.report(snapshots.current, namespace, list);
  }

  #reporterOf({ namespace, serviceAccount, proxy }: ProxyIdentity, bootId: string): Reporter {
    const key = `${namespace}/${serviceAccount}/${proxy}/${bootId}`;
    let reporter = this.#reporters.get(key);
    if (reporter === undefined) {
      reporter = { seen: new Set(), dropped: 0 };
      this.#reporters.set(key, reporter);
    }
    return reporter;
  }
}

interface Row {
  readonly namespace: string;
  readonly subject: ReportSubject;
  readonly each: boolean;
  readonly outbound: boolean;
}

function toSubject(row: ReportRow, parts: BatchParts, identity: ProxyIdentity): Row {
  const { bag, namespace, merged, row: context } = decodeRow(row, parts, identity);
  const subject = { bag, count: row.count, timeMs: row.timeMs, merged, row: context };
  return { namespace, subject, each: row.each, outbound: row.outbound };
}

function remember(reporter: Reporter, sequence: number): void {
  reporter.seen.add(sequence);
  if (reporter.seen.size <= MAX_SEQUENCES) return;
  const oldest = reporter.seen.values().next();
  if (!oldest.done) reporter.seen.delete(oldest.value);
}
