import type { Clock } from "../../../shared/base/index.ts";
import { CorsFilter } from "../filter/cors.ts";
import { EdgeHeadersFilter } from "../filter/edge-headers.ts";
import type { Exchange } from "../filter/exchange.ts";
import { FaultFilter } from "../filter/fault.ts";
import type { Filter } from "../filter/filter.ts";
import { OverloadFilter, type OverloadState } from "../filter/overload.ts";
import { type CheckRequestPolicy, PolicyFilter } from "../filter/policy.ts";
import { RateLimitFilter } from "../filter/rate-limit.ts";
import { RequestIdFilter } from "../filter/request-id.ts";
import { RouterFilter } from "../filter/router.ts";
import { TelemetryFilter } from "../filter/telemetry.ts";
import { TraceFilter } from "../filter/trace.ts";
import { UpstreamTimeFilter } from "../filter/upstream-time.ts";
import type { Directory } from "../mesh/directory.ts";
import { forwardByRoute } from "../outbound/forward.ts";
import type { Share } from "../share.ts";
import { type Peer, RequestRecord } from "../stream/record.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { GatewayPort } from "./gateway-table.ts";
import { GatewayRouteFilter } from "./route-filter.ts";

export interface GatewayOptions {
  readonly self: Peer;
  readonly directory: Directory;
  readonly check: CheckRequestPolicy;
  readonly overload: OverloadState;
  readonly clock: Clock;
  readonly share: Share;
  readonly sinks: readonly ((record: RequestRecord) => void)[];
  /** Of the other view of the same requests: from outside to the gateway. */
  readonly edgeSinks: readonly ((record: RequestRecord) => void)[];
  /** Proxies in front of this one whose x-forwarded-for is believed. */
  readonly trustedHops: number;
  /** Undefined: trace headers pass as they are. */
  readonly tracer?: Tracer | undefined;
}

/**
 * The way of a request from outside: judged as one to the gateway itself, forwarded as the gateway's own. For each of its
 * ports one; what they count, they count together.
 */
export function gatewayStacks(options: GatewayOptions): (port: GatewayPort) => readonly Filter[] {
  const edge = new EdgeRecords(options.self);
  const rateLimit = new RateLimitFilter(options.clock, options.share);
  return (port) => [
    new TelemetryFilter(options.sinks),
    {
      name: "edge-telemetry",
      onComplete(exchange) {
        const record = edge.finished(exchange);
        for (const sink of options.edgeSinks) sink(record);
      },
    },
    new OverloadFilter(options.overload),
    new EdgeHeadersFilter(options.trustedHops),
    new RequestIdFilter(false),
    ...(options.tracer === undefined ? [] : [new TraceFilter(options.tracer, "send")]),
    new PolicyFilter(options.check, (exchange) => edge.of(exchange)),
    new GatewayRouteFilter(port, options.directory),
    new CorsFilter(),
    rateLimit,
    new FaultFilter(),
    new UpstreamTimeFilter(),
    new RouterFilter((exchange) =>
      exchange.route === undefined ? undefined : forwardByRoute(exchange, exchange.route),
    ),
  ];
}

/** The inbound view of a request at the edge: from whoever is outside to the gateway. */
class EdgeRecords {
  readonly #self: Peer;
  readonly #records = new WeakMap<Exchange, RequestRecord>();

  constructor(self: Peer) {
    this.#self = self;
  }

  of(exchange: Exchange): RequestRecord {
    const known = this.#records.get(exchange);
    if (known !== undefined) return known;
    const record = new RequestRecord("inbound", exchange.head, exchange.edgeSource, this.#self, false);
    this.#records.set(exchange, record);
    return record;
  }

  finished(exchange: Exchange): RequestRecord {
    const edge = this.of(exchange);
    const { record } = exchange;
    edge.requestId = record.requestId;
    edge.status = record.status;
    edge.responseHeaders = record.responseHeaders;
    edge.bytesReceived = record.bytesReceived;
    edge.bytesSent = record.bytesSent;
    edge.durationMs = record.durationMs;
    edge.flags = record.flags;
    edge.detail = record.detail;
    edge.route = record.route;
    edge.checkCode = record.checkCode;
    edge.checkMessage = record.checkMessage;
    return edge;
  }
}
