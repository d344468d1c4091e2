import type { PlanBook } from "../mesh/plan-book.ts";
import type { CompiledReportPlan } from "../report/compiled-plan.ts";
import type { Reporter } from "../report/reporter.ts";
import { type AttributeReader, compileReader } from "../stream/attributes.ts";
import type { RequestRecord } from "../stream/record.ts";
import type { CheckClient, CheckResult } from "./check-client.ts";

/** Attribute references come from plans, and plans change: more than this many are compiled anew. */
const MAX_READERS = 10_000;

export interface PolicyGateOptions {
  readonly book: PlanBook<CompiledReportPlan<RequestRecord>>;
  readonly checks: CheckClient;
  readonly reporter: Reporter<RequestRecord>;
  /** Whose plan is asked for what comes in. */
  readonly namespace: string;
  readonly service: string;
}

/** What Mixer's plans say of a request: whether it may pass, and what is reported of it afterwards. */
export class PolicyGate {
  readonly #options: PolicyGateOptions;
  readonly #readers = new Map<string, AttributeReader>();

  constructor(options: PolicyGateOptions) {
    this.#options = options;
  }

  check(record: RequestRecord): CheckResult | Promise<CheckResult> {
    const { book, checks } = this.#options;
    const entry = book.get(this.#options);
    if (entry === undefined) return { code: 14, message: "the policy plan is not known", source: "fail-closed" };
    return checks.check(entry.plan, entry.plan.revision, (reference) => this.#reader(reference)(record));
  }

  report(record: RequestRecord): void {
    // What was no service is nobody's telemetry.
    if (record.destination.service === "") return;
    const { book, reporter } = this.#options;
    const entry = book.get(record.destination);
    if (entry !== undefined) reporter.record(entry.compiled, record.side, record);
  }

  #reader(reference: string): AttributeReader {
    let reader = this.#readers.get(reference);
    if (reader === undefined) {
      if (this.#readers.size > MAX_READERS) this.#readers.clear();
      reader = compileReader(reference);
      this.#readers.set(reference, reader);
    }
    return reader;
  }
}
