import { FaultFilter } from "../filter/fault.ts";
import type { Filter } from "../filter/filter.ts";
import { RequestIdFilter } from "../filter/request-id.ts";
import { RouterFilter } from "../filter/router.ts";
import { TelemetryFilter } from "../filter/telemetry.ts";
import type { RequestRecord } from "../stream/record.ts";
import { forwardByRoute } from "./forward.ts";
import type { Passthrough } from "./passthrough.ts";
import { ResolveFilter, type ResolveOptions } from "./resolve.ts";

export interface OutboundOptions extends ResolveOptions {
  readonly passthrough: Passthrough;
  readonly sinks: readonly ((record: RequestRecord) => void)[];
}

/** The way of a request that the application makes. */
export function outboundStack(options: OutboundOptions): readonly Filter[] {
  return [
    new TelemetryFilter(options.sinks),
    new RequestIdFilter(true),
    new ResolveFilter(options),
    new FaultFilter(),
    new RouterFilter((exchange) =>
      exchange.route === undefined ? options.passthrough.plan(exchange) : forwardByRoute(exchange, exchange.route),
    ),
  ];
}
