import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { compilePolicy } from "../../services/proxy/cluster/cluster-policy.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import type { Directory } from "../../services/proxy/mesh/directory.ts";
import type { ServiceSnapshot } from "../../services/proxy/mesh/service-snapshot.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { Passthrough } from "../../services/proxy/outbound/passthrough.ts";
import { outboundStack } from "../../services/proxy/outbound/stack.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { compileRoutes } from "../../services/proxy/route/service-route.ts";
import { type Peer, type RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { systemClock } from "../../shared/base/index.ts";
import { type RouteInput, ServiceConfig, type TrafficPolicyInput } from "../../shared/wire/index.ts";

/** A request as an application got it. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Respond = (received: Received) =>
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string | string[]>>;
      readonly body?: string;
    }
  | undefined;

/** An application that keeps what it is sent; with no answer of its own it never answers. */
export class Application {
  readonly received: Received[] = [];
  readonly #server: Server;
  #respond: Respond;

  constructor(respond: Respond) {
    this.#respond = respond;
    this.#server = createServer((message, response) => {
      let body = "";
      message.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
      message.on("end", () => {
        const { method = "", url = "", headers } = message;
        const received = { method, url, headers, body };
        this.received.push(received);
        const answer = this.#respond(received);
        if (answer !== undefined) response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? "");
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get http(): Server {
    return this.#server;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

export interface Called {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const self: Peer = { ...UNKNOWN_PEER, namespace: "default", service: "caller", ip: "10.0.0.9" };

/** A caller's proxy with the routes of one service `reviews`, over real sockets but without a bus. */
export class RoutingProxy {
  readonly records: RequestRecord[] = [];
  readonly #listener: Listener;
  readonly #hosts: Host[] = [];
  readonly #passthrough: Passthrough;
  #port = 0;

  /** `policies`: the first is every cluster's. `applications`: by the service that a destination names, each on service ports 9080 and 9081. */
  constructor(
    routes: readonly RouteInput[],
    applications: Readonly<Record<string, Application>>,
    policies: readonly TrafficPolicyInput[] = [],
  ) {
    const config = ServiceConfig.decode(ServiceConfig.encode({ routes: [...routes], policies: [...policies] }));
    const connector = new Connector({
      connectTimeoutMs: 1_000,
      self,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    const clusters = new Map<string, Cluster>();
    for (const [service, application] of Object.entries(applications)) {
      const target = { address: "127.0.0.1", port: application.port, plaintext: true };
      const ports = new Map([9080, 9081].map((port) => [port, target]));
      const host = new Host({ peer: { ...UNKNOWN_PEER, service, instance: service }, ports, connector });
      const cluster = new Cluster(service);
      cluster.update([host], compilePolicy(config.policies[0]));
      this.#hosts.push(host);
      clusters.set(service, cluster);
    }
    const snapshot: ServiceSnapshot = {
      namespace: "default",
      name: "reviews",
      host: "reviews.default.svc.cluster.local",
      ports: new Map([[9080, "http"]]),
      routes: new RouteTable(
        compileRoutes(config.routes, self, (destination) => {
          const service = destination?.service ?? "";
          return clusters.get(service) ?? new Cluster(service);
        }),
      ),
      serviceAccounts: new Set(),
      config,
    };
    const directory = { lookup: () => ({ state: "present", snapshot }) } as unknown as Directory;
    this.#passthrough = new Passthrough(connector, () => false);
    const stack = outboundStack({
      namespace: "default",
      directory,
      hosts: { table: () => new HostTable() },
      policy: "REGISTRY_ONLY",
      passthrough: this.#passthrough,
      overload: { active: false },
      clock: systemClock,
      sinks: [(record) => this.records.push(record)],
    });
    this.#listener = createOutboundListener(self, stack, systemClock);
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<this> {
    this.#port = await this.#listener.listen("127.0.0.1", 0);
    return this;
  }

  call(path = "/", { method = "GET", headers = {}, body }: CallOptions = {}): Promise<Called> {
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

  async close(): Promise<void> {
    await this.#listener.close();
    this.#passthrough.close();
    for (const host of this.#hosts) host.close();
  }
}

/** Runs `use` with a proxy and its applications, and closes all of them. */
export async function withRoutes(
  routes: readonly RouteInput[],
  respond: Readonly<Record<string, Respond>>,
  use: (proxy: RoutingProxy, applications: Readonly<Record<string, Application>>) => Promise<void>,
): Promise<void> {
  const applications: Record<string, Application> = {};
  for (const [service, answer] of Object.entries(respond)) {
    applications[service] = await new Application(answer).listen();
  }
  const proxy = await new RoutingProxy(routes, applications).listen();
  try {
    await use(proxy, applications);
  } finally {
    await Promise.all(Object.values(applications).map((application) => application.close()));
    await proxy.close();
  }
}
