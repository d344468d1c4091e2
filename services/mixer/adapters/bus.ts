import type { Subjects, TelemetryKind } from "../../../shared/wire/index.ts";
import { formatValue, jsonValue, type TypedValue } from "../values.ts";
import type { Handler, LogItem, MetricItem, ReportItem } from "./adapter.ts";

/** Where telemetry goes: a connection of its own, because a stuck subscriber stalls its publisher. */
export interface TelemetryOutput {
  readonly subjects: Subjects;
  /** False: not sent, and counted. */
  publishJson(subject: string, value: unknown): boolean;
}

/** A telemetry.metric row as subscribers read it. */
export interface MetricRow {
  readonly time: string;
  readonly instance: string;
  readonly reporter: "source" | "destination";
  readonly source: MetricItem["row"]["source"];
  readonly destination: MetricItem["row"]["destination"];
  /** Response code, 0 when there was no response. */
  readonly code: number;
  /** Requests in the row. */
  readonly count: number;
  /** Sum over them; milliseconds for durations. */
  readonly value: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Publishes each row as JSON under the namespace and service of its destination. */
export class BusHandler implements Handler {
  readonly name: string;
  readonly #output: TelemetryOutput;
  readonly #onDrop: () => void;

  constructor(name: string, output: TelemetryOutput, onDrop: () => void) {
    this.name = name;
    this.#output = output;
    this.#onDrop = onDrop;
  }

  report(items: readonly ReportItem[]): void {
    for (const item of items) {
      if (item.template === "metric") this.#publish("metric", item, toMetricRow(item));
      else this.#publish("log", item, toLogRow(item));
    }
  }

  close(): void {}

  #publish(kind: TelemetryKind, item: ReportItem, row: unknown): void {
    const { namespace, service } = item.row.destination;
    const subject = this.#output.subjects.telemetry(kind, namespace, service);
    if (!this.#output.publishJson(subject, row)) this.#onDrop();
  }
}

export function toMetricRow(item: MetricItem): MetricRow {
  const { row, sample } = item;
  return {
    time: new Date(item.timeMs).toISOString(),
    instance: item.instance,
    reporter: row.reporter,
    source: row.source,
    destination: row.destination,
    code: row.code,
    count: sample.count,
    value: sample.sum,
    dimensions: mapValues(item.dimensions, formatValue),
  };
}

function toLogRow(item: LogItem): unknown {
  return {
    time: new Date(item.timeMs).toISOString(),
    instance: item.instance,
    reporter: item.row.reporter,
    source: item.row.source,
    destination: item.row.destination,
    code: item.row.code,
    severity: item.severity,
    variables: mapValues(item.variables, jsonValue),
  };
}

function mapValues<T>(values: ReadonlyMap<string, TypedValue>, convert: (value: TypedValue) => T): Record<string, T> {
  return Object.fromEntries([...values].map(([name, value]) => [name, convert(value)]));
}
