import type { Cluster } from "../cluster/cluster.ts";
import type { Filter } from "../filter/filter.ts";
import { OverloadFilter, type OverloadState } from "../filter/overload.ts";
import { PeerHeadersFilter } from "../filter/peer-headers.ts";
import { type CheckRequestPolicy, PolicyFilter } from "../filter/policy.ts";
import { RequestIdFilter } from "../filter/request-id.ts";
import { RouterFilter } from "../filter/router.ts";
import { TelemetryFilter } from "../filter/telemetry.ts";
import { TraceFilter } from "../filter/trace.ts";
import { UpstreamTimeFilter } from "../filter/upstream-time.ts";
import type { RequestRecord } from "../stream/record.ts";
import type { Tracer } from "../trace/tracer.ts";
import { GrpcHealthFilter } from "./grpc-health.ts";

export interface InboundOptions {
  readonly check: CheckRequestPolicy;
  readonly sinks: readonly ((record: RequestRecord) => void)[];
  /** Undefined: trace headers pass as they are. */
  readonly tracer?: Tracer | undefined;
  readonly overload: OverloadState;
  /** The application behind a service port. */
  application(servicePort: number): Cluster | undefined;
}

/** The way of a question how the application does. It is no request to it: nothing is counted, and no rule asked. */
export function grpcHealthStack({
  overload,
  application,
}: Pick<InboundOptions, "overload" | "application">): readonly Filter[] {
  return [new OverloadFilter(overload), new GrpcHealthFilter(application)];
}

/** The way of a request to the application. Time limits are the caller's affair. */
export function inboundStack(options: InboundOptions): readonly Filter[] {
  return [
    new TelemetryFilter(options.sinks),
    new OverloadFilter(options.overload),
    new RequestIdFilter(true),
    new PeerHeadersFilter(),
    ...(options.tracer === undefined ? [] : [new TraceFilter(options.tracer, "receive")]),
    new PolicyFilter(options.check),
    new UpstreamTimeFilter(),
    new RouterFilter((exchange) => {
      const { servicePort } = exchange;
      const cluster = options.application(servicePort);
      if (cluster === undefined) {
        exchange.reply(404, "route_not_found", "NR", "");
        return undefined;
      }
      exchange.record.route = "inbound";
      return { cluster, servicePort, timeoutMs: 0, attempts: 0, perTryTimeoutMs: 0 };
    }),
  ];
}
