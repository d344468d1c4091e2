import type { Exchange } from "../../services/proxy/filter/exchange.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { type ForwardPlan, RouterFilter } from "../../services/proxy/filter/router.ts";
import type { Directory } from "../../services/proxy/mesh/directory.ts";
import { createSnapshot, type ServiceSnapshot } from "../../services/proxy/mesh/service-snapshot.ts";
import { forwardByRoute } from "../../services/proxy/outbound/forward.ts";
import { Passthrough } from "../../services/proxy/outbound/passthrough.ts";
import { outboundStack } from "../../services/proxy/outbound/stack.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { compileRoutes } from "../../services/proxy/route/service-route.ts";
import type { Peer } from "../../services/proxy/stream/record.ts";
import type { Clock } from "../../shared/base/index.ts";
import { type RouteInput, ServiceConfig } from "../../shared/wire/index.ts";
import { SERVICE_PORT, type TestClusters } from "./test-clusters.ts";

/**
 * - `bare`: codecs, exchange and forwarder alone. Of the first route only its time limit and whether it may switch
 *   protocols count, and nothing is added to a message.
 * - `route`: the first route that fits, as a sidecar carries it out.
 * - `sidecar`: all filters of a sidecar's outbound side, for a service `reviews` on port 9080.
 */
export type StackName = "bare" | "route" | "sidecar";

export interface TestStackOptions {
  readonly name: StackName;
  /** A route without destinations goes to the first service. */
  readonly routes: readonly RouteInput[];
  readonly filters: readonly Filter[];
  readonly self: Peer;
  readonly clusters: TestClusters;
  readonly clock: Clock;
}

/** The filters of a proxy whose mesh is given. */
export class TestStack {
  readonly filters: readonly Filter[];
  readonly #self: Peer;
  readonly #clusters: TestClusters;
  #snapshot: ServiceSnapshot;
  readonly #passthrough: Passthrough;

  constructor({ name, routes, filters, self, clusters, clock }: TestStackOptions) {
    this.#self = self;
    this.#clusters = clusters;
    this.#snapshot = this.#compile(routes);
    this.#passthrough = new Passthrough(clusters.connector, () => false);
    switch (name) {
      case "bare":
        this.filters = [...filters, new RouterFilter((exchange) => this.#barePlan(exchange, clusters))];
        break;
      case "route":
        this.filters = [this.#chooseRoute(), ...filters, new RouterFilter(byRoute)];
        break;
      case "sidecar":
        this.filters = this.#sidecar(self, clock);
    }
  }

  /** Another snapshot, as the mesh would bring it. */
  reroute(routes: readonly RouteInput[]): void {
    this.#snapshot = this.#compile(routes);
  }

  close(): void {
    this.#passthrough.close();
  }

  #compile(routes: readonly RouteInput[]): ServiceSnapshot {
    const complete = routes.map((route) =>
      route.destinations === undefined ? { ...route, destinations: [{ weight: 1 }] } : route,
    );
    const config = ServiceConfig.decode(
      ServiceConfig.encode({
        namespace: "default",
        name: "reviews",
        host: "reviews.default.svc.cluster.local",
        ports: [{ number: SERVICE_PORT, protocol: "http" }],
        routes: complete,
      }),
    );
    const compiled = compileRoutes(config.routes, this.#self, (destination) =>
      destination?.service ? this.#clusters.of(destination.service) : this.#clusters.first,
    );
    return createSnapshot(config, new RouteTable(compiled));
  }

  #barePlan({ head }: Exchange, clusters: TestClusters): ForwardPlan {
    const [route] = this.#snapshot.config.routes;
    if (route?.websocketUpgrade !== true) head.upgrade = undefined;
    const timeoutMs = route?.timeout?.timeoutMs ?? 0;
    return { cluster: clusters.first, servicePort: SERVICE_PORT, timeoutMs, attempts: 0, perTryTimeoutMs: 0 };
  }

  #chooseRoute(): Filter {
    return {
      name: "choose-route",
      onRequest: (exchange) => {
        exchange.route = this.#snapshot.routes.match(exchange.head, SERVICE_PORT);
        exchange.servicePort = SERVICE_PORT;
        return "continue";
      },
    };
  }

  #sidecar(self: Peer, clock: Clock): readonly Filter[] {
    return outboundStack({
      namespace: self.namespace,
      directory: { lookup: () => ({ state: "present", snapshot: this.#snapshot }) } as unknown as Directory,
      hosts: { table: () => new HostTable() },
      rules: () => ({ outboundPolicy: "REGISTRY_ONLY", scope: undefined }),
      passthrough: this.#passthrough,
      overload: { active: false },
      clock,
      sinks: [],
    });
  }
}

function byRoute(exchange: Exchange): ForwardPlan | undefined {
  if (exchange.route !== undefined) return forwardByRoute(exchange, exchange.route);
  exchange.reply(404, "route_not_found", "NR", "");
  return undefined;
}
