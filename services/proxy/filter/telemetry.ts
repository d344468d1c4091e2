import type { RequestRecord } from "../stream/record.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Hands every finished request to whoever counts, reports or logs. */
export class TelemetryFilter implements Filter {
  readonly name = "telemetry";
  readonly #sinks: readonly ((record: RequestRecord) => void)[];

  constructor(sinks: readonly ((record: RequestRecord) => void)[]) {
    this.#sinks = sinks;
  }

  onComplete(exchange: Exchange): void {
    this.onRefused(exchange.record);
  }

  onRefused(record: RequestRecord): void {
    for (const sink of this.#sinks) sink(record);
  }
}
