import type { Socket } from "node:net";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { Http1ServerConnection } from "../../services/proxy/codec/http1-server.ts";
import { DEFAULT_HTTP1 } from "../../services/proxy/codec/http1-settings.ts";
import { Exchange } from "../../services/proxy/filter/exchange.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { type ForwardPlan, RouterFilter } from "../../services/proxy/filter/router.ts";
import { TelemetryFilter } from "../../services/proxy/filter/telemetry.ts";
import { RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { systemClock } from "../../shared/base/index.ts";
import { ServiceConfig } from "../../shared/wire/index.ts";
import { RawServer } from "./raw-http.ts";

export interface CodecProxyOptions {
  readonly plan?: Partial<Pick<ForwardPlan, "timeoutMs" | "attempts" | "perTryTimeoutMs">>;
  /** Before the router. */
  readonly filters?: readonly Filter[];
  readonly acceptConnect?: boolean;
  readonly connectTimeoutMs?: number;
  readonly maxConnections?: number;
  /** Ports of the application's instances that a host of this index lacks. */
  readonly servicePorts?: readonly number[];
}

/** The proxy's codecs, filters and pools between two plain sockets, without mesh. */
export class CodecProxy extends RawServer {
  readonly records: RequestRecord[];
  readonly cluster: Cluster;

  constructor(ports: readonly number[], options: CodecProxyOptions) {
    const records: RequestRecord[] = [];
    const connector = new Connector({
      connectTimeoutMs: options.connectTimeoutMs ?? 1_000,
      self: UNKNOWN_PEER,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    const cluster = new Cluster("test", { clock: systemClock });
    const { maxConnections = 100 } = options;
    const [config] = ServiceConfig.decode(
      ServiceConfig.encode({ policies: [{ circuitBreaker: { maxConnections, httpMaxPendingRequests: 100 } }] }),
    ).policies;
    const policy = compilePolicy(config);
    // Its limits hold before the instances, which share them.
    cluster.update([], policy);
    const hosts = ports.map((port, i) => {
      const serves = new Map([[options.servicePorts?.[i] ?? 80, { address: "127.0.0.1", port, plaintext: true }]]);
      return new Host({
        peer: { ...UNKNOWN_PEER, instance: String(port) },
        ports: serves,
        connector,
        breaker: cluster.breaker,
      });
    });
    cluster.update(hosts, policy);
    const stack: readonly Filter[] = [
      new TelemetryFilter([(record) => records.push(record)]),
      ...(options.filters ?? []),
      new RouterFilter(() => ({
        cluster,
        servicePort: 80,
        timeoutMs: 5_000,
        attempts: 0,
        perTryTimeoutMs: 0,
        ...options.plan,
      })),
    ];
    super((socket: Socket) => {
      new Http1ServerConnection(socket, {
        settings: DEFAULT_HTTP1,
        clock: systemClock,
        onRefused: () => {},
        scheme: "http",
        acceptConnect: options.acceptConnect ?? false,
        onRequest(head, end, stream) {
          const exchange = new Exchange(
            head,
            end,
            stream,
            new RequestRecord("outbound", head, UNKNOWN_PEER, UNKNOWN_PEER, false),
            stack,
          );
          exchange.resume();
          return exchange;
        },
      });
    });
    this.records = records;
    this.cluster = cluster;
  }

  /** Of the last finished request. */
  get last(): RequestRecord | undefined {
    return this.records.at(-1);
  }

  override async stop(): Promise<void> {
    await super.stop();
    for (const host of this.cluster.hosts) host.close();
  }
}
