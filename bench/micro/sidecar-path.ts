import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import type { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { Http1ServerConnection } from "../../services/proxy/codec/http1-server.ts";
import { DEFAULT_HTTP1, DEFAULT_LIMITS } from "../../services/proxy/codec/http1-settings.ts";
import { Exchange } from "../../services/proxy/filter/exchange.ts";
import { FilterChain } from "../../services/proxy/filter/filter-chain.ts";
import type { Directory } from "../../services/proxy/mesh/directory.ts";
import { createSnapshot } from "../../services/proxy/mesh/service-snapshot.ts";
import type { Passthrough } from "../../services/proxy/outbound/passthrough.ts";
import { outboundStack } from "../../services/proxy/outbound/stack.ts";
import { RequestStats } from "../../services/proxy/request-stats.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { compileRoutes } from "../../services/proxy/route/service-route.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { Tracer } from "../../services/proxy/trace/tracer.ts";
import { systemClock } from "../../shared/base/index.ts";
import { ServiceConfig } from "../../shared/wire/index.ts";
import { MemorySocket } from "./memory-socket.ts";

export const CALLER: Peer = {
  ...UNKNOWN_PEER,
  namespace: "default",
  service: "caller",
  workload: "caller-v1",
  instance: "caller-1",
  principal: "spiffe://cluster.local/ns/default/sa/caller",
  labels: { app: "caller", version: "v1" },
  ip: "127.0.0.1",
};

export const APP: Peer = {
  ...UNKNOWN_PEER,
  namespace: "default",
  service: "app",
  host: "app.default.svc.cluster.local",
  workload: "app-v1",
  instance: "app-1",
  labels: { app: "app", version: "v1" },
  ip: "127.0.0.1",
  port: 9080,
};

const REQUEST = Buffer.from("GET / HTTP/1.1\r\nhost: app:9080\r\nuser-agent: lateen-bench\r\naccept: */*\r\n\r\n");
const RULES = { outboundPolicy: "REGISTRY_ONLY", scope: undefined } as const;
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 64\r\n\r\n${"x".repeat(64)}`,
);

/** A sidecar's outbound side with the work of scenario `plain`, between two connections that are none. */
export class SidecarPath {
  readonly downstream = new MemorySocket();
  upstream = new MemorySocket();

  constructor(report: (record: RequestRecord) => void) {
    const connector = {
      limits: DEFAULT_LIMITS,
      connect: (_target, events) => {
        this.upstream = new MemorySocket();
        events.onConnected(this.upstream.socket, Number.POSITIVE_INFINITY);
      },
    } satisfies Pick<Connector, "limits" | "connect"> as unknown as Connector;
    const cluster = new Cluster("app.default");
    const ports = new Map([[9080, { address: "127.0.0.1", port: 1, plaintext: true }]]);
    cluster.update([new Host({ peer: APP, ports, connector, breaker: cluster.breaker })]);
    const config = ServiceConfig.decode(ServiceConfig.encode(CONFIG));
    const snapshot = createSnapshot(config, new RouteTable(compileRoutes(config.routes, CALLER, () => cluster)));
    const stats = new RequestStats();
    const chain = new FilterChain(
      outboundStack({
        namespace: CALLER.namespace,
        directory: { lookup: () => ({ state: "present", snapshot }) } as unknown as Directory,
        hosts: { table: () => new HostTable() },
        rules: () => RULES,
        passthrough: {} as Passthrough,
        overload: { active: false },
        tracer: new Tracer({ formats: ["w3c"], samplingPercent: 1 }),
        clock: systemClock,
        sinks: [(record) => stats.count(record), report],
      }),
    );
    new Http1ServerConnection(this.downstream.socket, {
      settings: DEFAULT_HTTP1,
      clock: systemClock,
      scheme: "http",
      acceptConnect: true,
      onRequest(head, end, stream) {
        const record = new RequestRecord("outbound", head, CALLER, UNKNOWN_PEER, false);
        const exchange = new Exchange(head, end, stream, record, chain);
        exchange.resume();
        return exchange;
      },
      onRefused: (error) => {
        throw error;
      },
    });
  }

  /** One request and its answer. */
  run(): void {
    this.downstream.receive(REQUEST);
    this.upstream.receive(ANSWER);
  }
}

const APP_ROUTE = {
  destinations: [{ weight: 100 }],
  timeout: { timeoutMs: 15_000 },
  appendHeaders: [
    { name: "x-forwarded-proto", value: "http" },
    { name: "x-bench-rule", value: "app" },
  ],
};
const CONFIG = {
  namespace: "default",
  name: "app",
  host: APP.host,
  ports: [{ number: 9080, protocol: "http" }],
  routes: [
    {
      ...APP_ROUTE,
      rule: "jason",
      match: { headers: [{ name: "cookie", regex: "^(.*?;)?(user=jason)(;.*)?$" }] },
    },
    { ...APP_ROUTE, rule: "everyone" },
  ],
};
