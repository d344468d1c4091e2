import { randomUUID } from "node:crypto";
import {
  type Clock,
  errorMessage,
  jittered,
  MeshError,
  sleep,
  TimeoutError,
  UnavailableError,
} from "../../../shared/base/index.ts";
import type { Requester } from "../../../shared/bus/index.ts";
import type { Logger, Metrics } from "../../../shared/obs/index.ts";
import { type Input, type Plan, type ProxyIdentity, ReportAck, ReportBatch } from "../../../shared/wire/index.ts";
import { Batch } from "./batch.ts";
import { type CompiledReportPlan, type CompileReader, compilePlan } from "./compiled-plan.ts";
import type { Reported } from "./pair-keys.ts";
import { type Row, RowTable, type RowTableOptions } from "./row-table.ts";

/*
 * Sends what the row table holds to Mixer in acknowledged batches: once a second, and rows of single requests as soon as
 * there are enough of them for a message, since they come with every request and must not grow old in memory.
 *
 * A batch has the process's boot id and a sequence; the acknowledgement names the replica that took it, and further
 * batches go to that replica alone, for it is the one that can tell a repetition. A batch that is not acknowledged is
 * sent again as it is, to the same replica; when that replica is gone or silent twice, to the queue group, where
 * another one takes it. Meanwhile new requests merge in the table. While the bus is away nothing moves and nobody is
 * given up. What cannot be delivered at all (Mixer refuses the batch, the table is full, time is up at the end) is
 * counted as dropped, and Mixer is told the count.
 *
 * Reports have a connection of their own, because one stuck subscriber can stall everything else on its publisher's.
 */

const MAX_BATCH_ROWS = 1_000;
const MAX_BATCH_BYTES = 256 * 1024;
/** A row with more text than this is dropped: at up to three bytes a character it would not fit NATS's payload. */
const MAX_ROW_CHARS = 192 * 1024;
const FLUSH_JITTER = 0.1;
/** So many rows of single requests do not wait for the next second. */
const MANY_SINGLE_ROWS = 250;
const SILENCES_TO_LEAVE = 2;
const RETRY_AT_END_MS = 50;

export interface ReporterOptions<R> extends RowTableOptions {
  /** Used for nothing else; whoever opened it closes it, after `stop`. */
  readonly bus: Requester;
  readonly identity: ProxyIdentity;
  readonly compileReader: CompileReader<R>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** Between batches, in milliseconds, give or take 10 %; default 1000. */
  readonly flushMs?: number;
  /** For an acknowledgement, in milliseconds; default 1000. */
  readonly ackTimeoutMs?: number;
}

interface PendingBatch {
  readonly message: Input<typeof ReportBatch>;
  readonly sequence: number;
  /** Rows that left the table for it, those that did not fit into any message too. */
  readonly rows: number;
  /** Reports lost if it is given up. */
  readonly reports: number;
  /** Times that the present replica did not answer. */
  silences: number;
}

export class Reporter<R extends Reported> {
  readonly #options: ReporterOptions<R>;
  readonly #table: RowTable<R>;
  readonly #bootId = randomUUID();
  readonly #outcomes;
  readonly #rowsSent;
  /** Taken out of the table and not yet in a batch. */
  #taken: Row<R>[] = [];
  #pending: PendingBatch | undefined;
  #sequence = 0;
  #lost = 0;
  #planId = 0;
  #replica: string | undefined;
  #flushing: Promise<void> | undefined;
  #isStopped = false;
  #isFailing = false;
  #cancelTimer = () => {};

  constructor(options: ReporterOptions<R>) {
    this.#options = options;
    this.#table = new RowTable(options);
    const { metrics } = options;
    this.#rowsSent = metrics?.counter("report_rows_total", "Report rows that Mixer has acknowledged.");
    this.#outcomes = metrics?.counter("report_batches_total", "Report batches sent.", ["outcome"]);
    metrics?.gauge("reports_dropped", "Reports dropped since the start.", [], (gauge) => gauge.set(this.dropped));
    metrics?.gauge("report_rows_waiting", "Report rows that wait for Mixer.", [], (gauge) => gauge.set(this.waiting));
  }

  /** Reports dropped since the start: no room, refused, or not delivered before the end. */
  get dropped(): number {
    return this.#table.dropped + this.#lost;
  }

  /** Rows not acknowledged yet. */
  get waiting(): number {
    return this.#table.size + this.#taken.length + (this.#pending?.message.rows?.length ?? 0);
  }

  /** The replica that the proxy stays with; undefined: whoever is free. */
  get replica(): string | undefined {
    return this.#replica;
  }

  /** Compiles a plan's report parts, once per plan. */
  plan(plan: Plan): CompiledReportPlan<R> {
    return compilePlan(plan, ++this.#planId, this.#options.compileReader);
  }

  /** Counts one finished request. */
  record(compiled: CompiledReportPlan<R>, side: "inbound" | "outbound", record: R): void {
    const compiledSide = side === "inbound" ? compiled.inbound : compiled.outbound;
    if (compiledSide === undefined) return;
    this.#table.add(compiledSide, record, this.#options.clock.now());
    if (this.#table.singleRows >= MANY_SINGLE_ROWS) this.#flushSoon();
  }

  start(): void {
    this.#schedule();
  }

  /** Sends all that waits now, as far as it can be sent. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
      if (this.#table.singleRows >= MANY_SINGLE_ROWS) this.#flushSoon();
    });
    return this.#flushing;
  }

  /** Where nobody answers, the next second is soon enough. */
  #flushSoon(): void {
    if (this.#flushing === undefined && !this.#isFailing && !this.#isStopped) void this.flush();
  }

  /** Sends what waits, for `deadlineMs` at most (default 2000); the rest is counted as dropped and logged. */
  async stop(deadlineMs = 2_000): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelTimer();
    const { clock, log } = this.#options;
    const endMs = clock.monotonic() + deadlineMs;
    // What was recorded during a flush under way may have missed it.
    while (this.waiting > 0 && clock.monotonic() < endMs) {
      const before = this.#sequence;
      await this.#within(endMs - clock.monotonic(), this.flush());
      if (this.waiting > 0 && before === this.#sequence) await sleep(clock, RETRY_AT_END_MS);
    }
    const lost = this.#giveUp() + this.#table.clear();
    if (lost > 0) log.warn({ lost, dropped: this.dropped }, "reports were not delivered before the end");
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#options.clock.after(jittered(this.#options.flushMs ?? 1_000, FLUSH_JITTER), () => {
      void this.flush().finally(() => this.#schedule());
    });
  }

  /** What waits when it begins; under load something new always does, and belongs to the next one. Never rejects. */
  async #flush(): Promise<void> {
    let left = this.waiting;
    while (left > 0) {
      this.#pending ??= this.#cut();
      const pending = this.#pending;
      if (pending === undefined) return;
      if (!(await this.#deliver(pending))) return;
      left -= pending.rows;
      if (this.#pending === pending) this.#pending = undefined;
    }
  }

  /** Whether the batch is done with: acknowledged, or refused and counted. */
  async #deliver(pending: PendingBatch): Promise<boolean> {
    const { log } = this.#options;
    for (;;) {
      const target = this.#replica;
      try {
        const ack = await this.#send(pending, target);
        this.#replica = ack.replica || undefined;
        this.#outcomes?.inc({ outcome: "acknowledged" });
        this.#rowsSent?.inc(pending.message.rows?.length ?? 0);
        if (this.#isFailing) log.info("reports are acknowledged again");
        this.#isFailing = false;
        return true;
      } catch (error) {
        if (error instanceof MeshError && !error.retryable) {
          this.#outcomes?.inc({ outcome: "refused" });
          this.#lost += pending.reports;
          log.error(
            { reason: errorMessage(error), reports: pending.reports },
            "a report batch was refused and is dropped",
          );
          return true;
        }
        this.#outcomes?.inc({ outcome: "unanswered" });
        if (!this.#isFailing)
          log.warn({ reason: errorMessage(error), replica: target }, "reports are not acknowledged");
        this.#isFailing = true;
        if (target === undefined || !this.#options.bus.connected) return false;
        pending.silences = error instanceof UnavailableError ? SILENCES_TO_LEAVE : pending.silences + 1;
        if (pending.silences < SILENCES_TO_LEAVE) continue;
        this.#replica = undefined;
        pending.silences = 0;
      }
    }
  }

  async #send(pending: PendingBatch, replica: string | undefined): Promise<ReportAck> {
    const { bus, identity, ackTimeoutMs = 1_000 } = this.#options;
    const subject = replica === undefined ? bus.subjects.report(identity) : bus.subjects.reportTo(identity, replica);
    const ack = await bus.request(subject, ReportBatch, pending.message, ReportAck, { timeoutMs: ackTimeoutMs });
    if (ack.sequence !== pending.sequence)
      throw new TimeoutError(`batch ${pending.sequence}: ${ack.sequence} was acknowledged instead`);
    return ack;
  }

  /** The next batch; undefined when nothing waits. */
  #cut(): PendingBatch | undefined {
    const batch = new Batch<R>();
    let reports = 0;
    let taken = 0;
    while (batch.rows.length < MAX_BATCH_ROWS && batch.bytes < MAX_BATCH_BYTES) {
      if (this.#taken.length === 0) this.#taken = this.#table.take(MAX_BATCH_ROWS).reverse();
      const row = this.#taken.pop();
      if (row === undefined) break;
      taken++;
      if (row.textChars > MAX_ROW_CHARS) {
        this.#lost += row.count;
        this.#options.log.warn("a report row is too large for a message and is dropped");
        continue;
      }
      batch.add(row);
      reports += row.count;
    }
    const { words, peers, rows } = batch;
    if (rows.length === 0) return undefined;
    const sequence = ++this.#sequence;
    const message = {
      bootId: this.#bootId,
      sequence,
      dropped: this.dropped >>> 0,
      words: [...words],
      peers: [...peers],
      rows: [...rows],
    };
    return { message, sequence, rows: taken, reports, silences: 0 };
  }

  #giveUp(): number {
    let lost = this.#pending?.reports ?? 0;
    for (const row of this.#taken) lost += row.count;
    this.#pending = undefined;
    this.#taken = [];
    this.#lost += lost;
    return lost;
  }

  async #within(waitMs: number, work: Promise<void>): Promise<void> {
    let cancel = () => {};
    const time = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(Math.max(0, waitMs), resolve);
    });
    await Promise.race([work, time]);
    cancel();
  }
}
