import type { Bus, BusMessage } from "../shared/bus/index.ts";
import type { TelemetryKind } from "../shared/wire/index.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import { StreamScope } from "./stream-scope.ts";

/** One side of a request. What is not known is empty. */
export interface TelemetryPeer {
  readonly namespace: string;
  readonly workload: string;
  readonly version: string;
  /** The verified SPIFFE id. */
  readonly principal: string;
}

export interface TelemetryDestination extends TelemetryPeer {
  readonly service: string;
}

interface TelemetryRow {
  /** RFC 3339. */
  readonly time: string;
  /** `name.template.namespace` of the instance that made the row. */
  readonly instance: string;
  /** Whose proxy saw it: the caller's or the destination's. */
  readonly reporter: "source" | "destination";
  readonly source: TelemetryPeer;
  readonly destination: TelemetryDestination;
  /** HTTP status, 0 when there was no answer. */
  readonly code: number;
}

/** Requests that look the same to the metric, as one row. */
export interface MetricRow extends TelemetryRow {
  /** Requests in the row. */
  readonly count: number;
  /** Sum of the metric's value over them; milliseconds for durations. */
  readonly value: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** One request. */
export interface LogRow extends TelemetryRow {
  readonly severity: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** One request, as a part of a trace. */
export interface SpanRow extends TelemetryRow {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  /** `time` is when the span started. */
  readonly durationMs: number;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** A row of any sort. */
export type AnyRow =
  | ({ readonly kind: "metric" } & MetricRow)
  | ({ readonly kind: "log" } & LogRow)
  | ({ readonly kind: "span" } & SpanRow);

export interface TelemetryFilter {
  /** Of the destination; default: all. */
  readonly namespace?: string;
  /** The destination; default: all. */
  readonly service?: string;
  /** Name of the instance, alone or with its template and namespace, such as `requestcount`; default: all. */
  readonly instance?: string;
  /** One of the two proxies that see a request; default: both. */
  readonly reporter?: "source" | "destination";
  /** Rows that may wait to be read; when more come, the oldest are dropped and counted. Default 10 000. */
  readonly capacity?: number;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

/** Rows as they come. Leaving the loop ends the subscription. */
export interface TelemetryStream<Row> extends AsyncIterableIterator<Row>, AsyncDisposable {
  /** Rows dropped because the loop was too slow. */
  readonly dropped: number;
  /** Messages that were no rows. */
  readonly malformed: number;
  /** What has come is still read; then the loop ends. */
  close(): void;
  return(): Promise<IteratorResult<Row>>;
}

const DEFAULT_CAPACITY = 10_000;

/** What the mesh tells of its traffic, as long as somebody listens; nothing is kept for later. */
export class TelemetryClient {
  readonly #bus: Bus;

  readonly #scope: StreamScope;

  constructor(bus: Bus, scope = new StreamScope()) {
    this.#bus = bus;
    this.#scope = scope;
  }

  metrics(filter: TelemetryFilter = {}): TelemetryStream<MetricRow> {
    return this.#subscribe("metric", filter, (row) => row as unknown as MetricRow);
  }

  logs(filter: TelemetryFilter = {}): TelemetryStream<LogRow> {
    return this.#subscribe("log", filter, (row) => row as unknown as LogRow);
  }

  /** Rows that a handler publishes of sampled requests; none does by default. */
  spans(filter: TelemetryFilter = {}): TelemetryStream<SpanRow> {
    return this.#subscribe("span", filter, (row) => row as unknown as SpanRow);
  }

  /** Rows of every sort, each with its `kind`. */
  all(filter: TelemetryFilter = {}): TelemetryStream<AnyRow> {
    return this.#subscribe(undefined, filter, (row, kind) => ({ kind, ...row }) as unknown as AnyRow);
  }

  #subscribe<Row>(
    kind: TelemetryKind | undefined,
    filter: TelemetryFilter,
    shape: (row: Readonly<Record<string, unknown>>, kind: TelemetryKind) => Row,
  ): TelemetryStream<Row> {
    const { namespace, service, signal, capacity = DEFAULT_CAPACITY } = filter;
    const { subjects } = this.#bus;
    const stream = new RowQueue<Row>(capacity, () => {
      subscription.close();
      leave();
    });
    const subject = subjects.allTelemetry({
      ...(kind !== undefined && { kind }),
      ...(namespace !== undefined && { namespace }),
      ...(service !== undefined && { service }),
    });
    const subscription = this.#bus.subscribe(subject, (message) => {
      const row = rowOf(message);
      if (row === undefined) stream.malformed++;
      else if (isWanted(row, filter)) stream.push(shape(row, subjects.parseTelemetry(message.subject).kind));
    });
    const leave = this.#scope.enter(stream, signal);
    return stream;
  }
}

class RowQueue<Row> extends BoundedQueue<Row> {
  malformed = 0;
}

function rowOf(message: BusMessage): Readonly<Record<string, unknown>> | undefined {
  let row: unknown;
  try {
    row = JSON.parse(message.text());
  } catch {
    return undefined;
  }
  return typeof row === "object" && row !== null && !Array.isArray(row) ? (row as Record<string, unknown>) : undefined;
}

function isWanted(row: Readonly<Record<string, unknown>>, { instance, reporter }: TelemetryFilter): boolean {
  if (reporter !== undefined && row["reporter"] !== reporter) return false;
  if (instance === undefined) return true;
  const name = typeof row["instance"] === "string" ? row["instance"] : "";
  return name === instance || name.startsWith(`${instance}.`);
}
