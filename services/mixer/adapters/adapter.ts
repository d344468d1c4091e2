import type { TypedValue } from "../values.ts";

/**
 * What a handler is: one configured adapter. It sees evaluated instances only, never expressions. `check` and `quota`
 * may be asynchronous and may throw; `report` returns at once (whatever it writes to is bounded and drops).
 */
export interface Handler {
  /** `name.kind.namespace`. */
  readonly name: string;
  /** Whether it is configured for the instance; undefined: for any that it takes. */
  covers?(instance: string): boolean;
  check?(instance: CheckInstance): CheckOutcome | Promise<CheckOutcome>;
  quota?(ask: QuotaAsk): QuotaOutcome | Promise<QuotaOutcome>;
  report?(items: readonly ReportItem[]): void;
  close(): void | Promise<void>;
}

export type CheckInstance =
  | { readonly template: "checknothing"; readonly name: string }
  | { readonly template: "listentry"; readonly name: string; readonly value: TypedValue };

export interface CheckOutcome {
  /** gRPC status code; 0 is OK. */
  readonly code: number;
  readonly message: string;
  readonly validMs: number;
  readonly validUses: number;
}

export interface QuotaAsk {
  /** FQN of the quota instance. */
  readonly instance: string;
  readonly dimensions: ReadonlyMap<string, TypedValue>;
  readonly amount: number;
  readonly bestEffort: boolean;
  readonly deduplication?: { readonly caller: string; readonly id: string };
}

export interface QuotaOutcome {
  readonly granted: number;
  readonly validMs: number;
}

/** The parties of a report row, for adapters that tell a whole row. */
export interface RowContext {
  readonly reporter: "source" | "destination";
  readonly source: Party;
  readonly destination: Party & { readonly service: string };
  /** Response code, 0 when there was none. */
  readonly code: number;
}

export interface Party {
  readonly namespace: string;
  readonly workload: string;
  readonly version: string;
  readonly principal: string;
}

/**
 * The value of a metric over the requests of one row. Without a histogram all of them had the same value. Durations
 * are in milliseconds.
 */
export interface MetricSample {
  readonly value: TypedValue;
  readonly count: number;
  readonly sum: number;
  /** `counts` has one entry per bound and one above the last. */
  readonly histogram?: { readonly bounds: readonly number[]; readonly counts: readonly number[] };
}

export interface MetricItem {
  readonly template: "metric";
  readonly instance: string;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly sample: MetricSample;
  readonly dimensions: ReadonlyMap<string, TypedValue>;
  readonly row: RowContext;
}

export interface LogItem {
  readonly template: "logentry";
  readonly instance: string;
  readonly timeMs: number;
  readonly severity: string;
  readonly variables: ReadonlyMap<string, TypedValue>;
  readonly row: RowContext;
}

export type ReportItem = MetricItem | LogItem;
