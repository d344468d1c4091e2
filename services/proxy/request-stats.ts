import { Counter, type Registry } from "prom-client";
import type { RequestRecord } from "./stream/record.ts";

interface Row {
  readonly labels: Readonly<Record<string, string>>;
  requests: number;
  durationMs: number;
}

/** Label sets come from services and codes; past this many the rest is counted under one. */
const MAX_ROWS = 1_000;

/**
 * Requests through this proxy by side, service and code, under Istio's metric name. Kept as plain numbers and turned
 * into a page only when one is asked for.
 */
export class RequestStats {
  readonly #rows = new Map<string, Row>();

  constructor(registry: Registry) {
    this.#register(registry, "istio_requests_total", "Requests, as this proxy saw them.", (row) => row.requests);
    this.#register(
      registry,
      "istio_request_milliseconds_total",
      "Time of these requests, in milliseconds.",
      (row) => row.durationMs,
    );
  }

  /** On the request path. */
  count(record: RequestRecord): void {
    const key = `${record.side}|${record.source.workload}|${record.destination.host}|${record.status}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      const full = this.#rows.size >= MAX_ROWS;
      row = this.#rows.get(full ? OTHER : key) ?? this.#add(full ? OTHER : key, record, full);
    }
    row.requests++;
    row.durationMs += record.durationMs;
  }

  #register(registry: Registry, name: string, help: string, value: (row: Row) => number): void {
    const rows = this.#rows;
    new Counter({
      name,
      help,
      labelNames: ["reporter", "source_workload", "destination_service", "response_code"],
      registers: [registry],
      collect() {
        this.reset();
        for (const row of rows.values()) this.inc(row.labels, value(row));
      },
    });
  }

  #add(key: string, record: RequestRecord, other: boolean): Row {
    const row: Row = {
      labels: {
        reporter: record.side === "inbound" ? "destination" : "source",
        source_workload: other ? "other" : record.source.workload || "unknown",
        destination_service: other ? "other" : record.destination.host || "unknown",
        response_code: other ? "0" : String(record.status),
      },
      requests: 0,
      durationMs: 0,
    };
    this.#rows.set(key, row);
    return row;
  }
}

const OTHER = "other";
