import { type IncomingMessage, request } from "node:http";
import type { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { DEFAULT_HTTP1, type Http1Settings } from "../../services/proxy/codec/http1-settings.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { createGatewayListener } from "../../services/proxy/gateway/listener.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { type Peer, type RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type Clock, systemClock } from "../../shared/base/index.ts";
import type { RouteInput, TrafficPolicyInput } from "../../shared/wire/index.ts";
import { type Instance, TestClusters } from "./test-clusters.ts";
import { type StackName, TestStack } from "./test-stack.ts";

export interface TestProxyOptions {
  /** The instances of each service. Routes name services; without routes every request goes to the first. */
  readonly services: Readonly<Record<string, readonly Instance[]>>;
  readonly routes?: readonly RouteInput[];
  /** Of every service. */
  readonly policy?: TrafficPolicyInput;
  /** What a request goes through, default `route`. */
  readonly stack?: StackName;
  /** Before the router, but for the stack of a sidecar. */
  readonly filters?: readonly Filter[];
  /** Default: the explicit proxy's. A gateway's refuses CONNECT. */
  readonly listener?: "outbound" | "gateway";
  readonly settings?: Partial<Http1Settings>;
  /** Of the clusters, the stack and the listener. */
  readonly clock?: Clock;
  /** The caller, in whose name the proxy routes. */
  readonly self?: Partial<Peer>;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A caller's proxy over real sockets, but without a bus: what the mesh would tell it is given. */
export class TestProxy {
  /** Requests that are over, refused ones too. */
  readonly records: RequestRecord[] = [];
  readonly clusters: TestClusters;
  /** Requests that have begun. */
  begun = 0;
  readonly #listener: Listener;
  readonly #stack: TestStack;
  #port = 0;

  constructor(options: TestProxyOptions) {
    const { services, policy, stack = "route", filters = [], clock = systemClock } = options;
    const self: Peer = { ...UNKNOWN_PEER, namespace: "default", service: "caller", ip: "10.0.0.9", ...options.self };
    const settings = { ...DEFAULT_HTTP1, ...options.settings };
    const routes = options.routes ?? [{ rule: "all", websocketUpgrade: true }];
    this.clusters = new TestClusters({ services, self, policy, limits: settings, clock });
    this.#stack = new TestStack({ name: stack, routes, filters, self, clusters: this.clusters, clock });
    const records: Filter = {
      name: "records",
      onRequest: () => {
        this.begun++;
        return "continue";
      },
      onComplete: ({ record }) => void this.records.push(record),
      onRefused: (record) => void this.records.push(record),
    };
    const create = options.listener === "gateway" ? createGatewayListener : createOutboundListener;
    this.#listener = create(self, [records, ...this.#stack.filters], clock, settings);
  }

  async listen(): Promise<this> {
    this.#port = await this.#listener.listen("127.0.0.1", 0);
    return this;
  }

  get port(): number {
    return this.#port;
  }

  /** Of the last request that is over. */
  get last(): RequestRecord | undefined {
    return this.records.at(-1);
  }

  /** Of the first service. */
  get cluster(): Cluster {
    return this.clusters.first;
  }

  /** The first service has these instances from now on; those that stay keep their hosts and connections. */
  use(instances: readonly Instance[], policy?: TrafficPolicyInput): void {
    this.clusters.use(instances, policy);
  }

  /** These routes from now on. */
  reroute(routes: readonly RouteInput[]): void {
    this.#stack.reroute(routes);
  }

  /** On a connection of its own. */
  call(path = "/", { method = "GET", headers = {}, body }: CallOptions = {}): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const call = request({
        host: "127.0.0.1",
        port: this.#port,
        path,
        method,
        headers: { host: "reviews:9080", ...headers },
        agent: false,
      });
      call.on("error", reject);
      call.on("response", (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
      call.end(body);
    });
  }

  drainConnections(): void {
    this.#listener.drainConnections();
  }

  async close(): Promise<void> {
    await this.#listener.close();
    this.#stack.close();
    this.clusters.close();
  }
}
