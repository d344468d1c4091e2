import type { Http1Settings } from "../../services/proxy/codec/http1-settings.ts";
import type { Clock } from "../../shared/base/index.ts";
import { type Answer, ok, RawBackend } from "../harness/raw-backend.ts";
import { RawClient } from "../harness/raw-client.ts";
import { TestProxy } from "../harness/test-proxy.ts";

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
  /** Connections to the backend at a time, default any number. */
  readonly maxConnections?: number;
}

/** Codecs, exchange and forwarder between raw clients and one raw backend; nothing else. */
export class CodecProxy extends TestProxy {
  readonly backend: RawBackend;
  readonly #clients: RawClient[] = [];

  private constructor(backend: RawBackend, options: CodecProxyOptions) {
    const { listener = "gateway", settings = {}, clock, mayUpgrade = true, timeoutMs = 0, maxConnections } = options;
    super({
      services: { backend: [backend.port] },
      stack: "bare",
      routes: [{ websocketUpgrade: mayUpgrade, timeout: { timeoutMs } }],
      ...(maxConnections !== undefined && { policy: { circuitBreaker: { maxConnections } } }),
      listener,
      settings,
      ...(clock !== undefined && { clock }),
    });
    this.backend = backend;
  }

  static async start(options: CodecProxyOptions = {}): Promise<CodecProxy> {
    const backend = new RawBackend(options.answer ?? ((request) => ok(request.target)));
    await backend.listen();
    return await new CodecProxy(backend, options).listen();
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.to(this.port);
    this.#clients.push(client);
    return client;
  }

  override async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await super.close();
    await this.backend.close();
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
