import type { Clock } from "../../../shared/base/index.ts";
import { ApplicationHeadersFilter } from "../filter/application-headers.ts";
import { CorsFilter } from "../filter/cors.ts";
import { FaultFilter } from "../filter/fault.ts";
import type { Filter } from "../filter/filter.ts";
import { OverloadFilter, type OverloadState } from "../filter/overload.ts";
import { RateLimitFilter } from "../filter/rate-limit.ts";
import { RequestIdFilter } from "../filter/request-id.ts";
import { RouterFilter } from "../filter/router.ts";
import { TelemetryFilter } from "../filter/telemetry.ts";
import { TraceFilter } from "../filter/trace.ts";
import { UpstreamTimeFilter } from "../filter/upstream-time.ts";
import type { Share } from "../share.ts";
import type { RequestRecord } from "../stream/record.ts";
import type { Tracer } from "../trace/tracer.ts";
import { forwardByRoute } from "./forward.ts";
import type { Passthrough } from "./passthrough.ts";
import { ResolveFilter, type ResolveOptions } from "./resolve.ts";

export interface OutboundOptions extends ResolveOptions {
  readonly passthrough: Passthrough;
  readonly overload: OverloadState;
  readonly clock: Clock;
  /** Of the rate limits; default: all. */
  readonly share?: Share;
  readonly sinks: readonly ((record: RequestRecord) => void)[];
  /** Undefined: trace headers pass as they are. */
  readonly tracer?: Tracer | undefined;
}

/** The way of a request that the application makes. */
export function outboundStack(options: OutboundOptions): readonly Filter[] {
  const { passthrough } = options;
  return [
    new TelemetryFilter(options.sinks),
    new OverloadFilter(options.overload),
    new RequestIdFilter(true),
    new ApplicationHeadersFilter(),
    ...(options.tracer === undefined ? [] : [new TraceFilter(options.tracer, "send")]),
    new ResolveFilter(options),
    new CorsFilter(),
    new RateLimitFilter(options.clock, options.share),
    new FaultFilter(),
    new UpstreamTimeFilter(),
    new RouterFilter((exchange) => {
      if (exchange.route === undefined) return passthrough.plan(exchange);
      const { authority } = exchange.head;
      const plan = forwardByRoute(exchange, exchange.route);
      return plan?.cluster.passesThrough === true ? passthrough.reroute(exchange, plan, authority) : plan;
    }),
  ];
}
