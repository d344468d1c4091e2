import { type IncomingMessage, request } from "node:http";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { RouterFilter } from "../../services/proxy/filter/router.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import { forwardByRoute } from "../../services/proxy/outbound/forward.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { compileRoutes, type ServiceRoute } from "../../services/proxy/route/service-route.ts";
import { type Peer, type RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type Clock, systemClock } from "../../shared/base/index.ts";
import { type RouteInput, ServiceConfig, type TrafficPolicyInput } from "../../shared/wire/index.ts";

/** The one service port. */
const PORT = 80;

export interface ForwardingOptions {
  /** Ports of its instances, on loopback. */
  readonly instances: readonly number[];
  readonly policy?: TrafficPolicyInput;
  readonly route?: Omit<RouteInput, "destinations">;
  readonly clock?: Clock;
  /** Before the router. */
  readonly filters?: readonly Filter[];
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A caller's proxy with one route to the instances of one service, over real sockets but without a bus. */
export class ForwardingProxy {
  readonly cluster: Cluster;
  readonly records: RequestRecord[] = [];
  readonly route: ServiceRoute;
  readonly #connector: Connector;
  readonly #listener: Listener;
  #policy: TrafficPolicyInput | undefined;
  #port = 0;

  constructor({ instances, policy, route = {}, clock = systemClock, filters = [] }: ForwardingOptions) {
    const self: Peer = { ...UNKNOWN_PEER, service: "caller", ip: "10.0.0.9" };
    this.#connector = new Connector({
      connectTimeoutMs: 500,
      self,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    this.cluster = new Cluster("reviews.default", { clock });
    this.#policy = policy;
    this.use(instances);
    const config = ServiceConfig.decode(
      ServiceConfig.encode({ routes: [{ ...route, destinations: [{ weight: 1 }] }] }),
    );
    const [compiled] = compileRoutes(config.routes, self, () => this.cluster);
    if (compiled === undefined) throw new Error("no route");
    this.route = compiled;
    const stack: Filter[] = [
      { name: "records", onComplete: ({ record }) => void this.records.push(record) },
      {
        name: "route",
        onRequest: (exchange) => {
          exchange.route = compiled;
          exchange.servicePort = PORT;
          return "continue";
        },
      },
      ...filters,
      new RouterFilter((exchange) => forwardByRoute(exchange, compiled)),
    ];
    this.#listener = createOutboundListener(self, stack, systemClock);
  }

  get last(): RequestRecord | undefined {
    return this.records.at(-1);
  }

  /** These instances from now on; those that stay keep their hosts. */
  use(instances: readonly number[], policy = this.#policy): void {
    this.#policy = policy;
    const known = new Map(this.cluster.hosts.map((host) => [host.key, host]));
    const hosts = instances.map((port) => known.get(String(port)) ?? this.#host(port));
    for (const host of known.values()) if (!hosts.includes(host)) host.close();
    const [config] = ServiceConfig.decode(
      ServiceConfig.encode({ policies: policy === undefined ? [] : [policy] }),
    ).policies;
    this.cluster.update(hosts, compilePolicy(config));
  }

  async listen(): Promise<this> {
    this.#port = await this.#listener.listen("127.0.0.1", 0);
    return this;
  }

  get port(): number {
    return this.#port;
  }

  get(headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    return this.send("GET", undefined, headers);
  }

  send(method: string, body?: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const call = request({
        host: "127.0.0.1",
        port: this.#port,
        method,
        headers: { host: "reviews", ...headers },
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

  async close(): Promise<void> {
    await this.#listener.close();
    this.cluster.close();
  }

  #host(port: number): Host {
    return new Host({
      peer: { ...UNKNOWN_PEER, instance: String(port), ip: "127.0.0.1", port },
      ports: new Map([[PORT, { address: "127.0.0.1", port, plaintext: true }]]),
      connector: this.#connector,
      breaker: this.cluster.breaker,
    });
  }
}
