import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { DEFAULT_HTTP1, type Http1Settings } from "../../services/proxy/codec/http1-settings.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { RouterFilter } from "../../services/proxy/filter/router.ts";
import { createGatewayListener } from "../../services/proxy/gateway/listener.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { type RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type Clock, systemClock } from "../../shared/base/index.ts";
import { type Answer, ok, RawBackend } from "./raw-backend.ts";
import { RawClient } from "./raw-client.ts";

export interface CodecProxyOptions {
  /** Default: 200 with the target as body. */
  readonly answer?: Answer;
  /** Default: a gateway's, which refuses CONNECT. */
  readonly listener?: "gateway" | "outbound";
  readonly settings?: Partial<Http1Settings>;
  readonly clock?: Clock;
  /** Default true. */
  readonly mayUpgrade?: boolean;
  /** Of the route, default none. */
  readonly timeoutMs?: number;
}

/** A listener, the exchange and the forwarder between raw clients and one raw backend; nothing else. */
export class CodecProxy {
  readonly backend: RawBackend;
  /** Finished and refused requests. */
  readonly records: RequestRecord[] = [];
  readonly #listener: Listener;
  readonly #cluster = new Cluster("backend");
  readonly #clients: RawClient[] = [];
  readonly #settings: Http1Settings;
  readonly #timeoutMs: number;
  #port = 0;

  private constructor(options: CodecProxyOptions) {
    this.backend = new RawBackend(options.answer ?? ((request) => ok(request.target)));
    this.#settings = { ...DEFAULT_HTTP1, ...options.settings };
    this.#timeoutMs = options.timeoutMs ?? 0;
    const create = options.listener === "outbound" ? createOutboundListener : createGatewayListener;
    const stack = this.#stack(options.mayUpgrade ?? true);
    this.#listener = create(UNKNOWN_PEER, stack, options.clock ?? systemClock, this.#settings);
  }

  static async start(options: CodecProxyOptions = {}): Promise<CodecProxy> {
    const proxy = new CodecProxy(options);
    await proxy.backend.listen();
    proxy.#addHost();
    proxy.#port = await proxy.#listener.listen("127.0.0.1", 0);
    return proxy;
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.to(this.#port);
    this.#clients.push(client);
    return client;
  }

  drainConnections(): void {
    this.#listener.drainConnections();
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#listener.close();
    for (const host of this.#cluster.hosts) host.close();
    await this.backend.close();
  }

  #addHost(): void {
    const connector = new Connector({
      connectTimeoutMs: 1_000,
      self: UNKNOWN_PEER,
      limits: this.#settings,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    const ports = new Map([[80, { address: "127.0.0.1", port: this.backend.port, plaintext: true }]]);
    this.#cluster.update([new Host({ peer: { ...UNKNOWN_PEER, instance: "backend" }, ports, connector })]);
  }

  #stack(mayUpgrade: boolean): Filter[] {
    return [
      {
        name: "records",
        onRequest: (exchange) => {
          if (!mayUpgrade) exchange.head.upgrade = undefined;
          return "continue";
        },
        onComplete: (exchange) => this.records.push(exchange.record),
        onRefused: (record) => this.records.push(record),
      },
      new RouterFilter(() => ({
        cluster: this.#cluster,
        servicePort: 80,
        timeoutMs: this.#timeoutMs,
        attempts: 0,
        perTryTimeoutMs: 0,
      })),
    ];
  }
}

/** Runs `use` with a proxy of its own. */
export async function withProxy(
  options: CodecProxyOptions,
  use: (proxy: CodecProxy, client: RawClient) => Promise<void>,
): Promise<void> {
  const proxy = await CodecProxy.start(options);
  try {
    await use(proxy, await proxy.client());
  } finally {
    await proxy.close();
  }
}
