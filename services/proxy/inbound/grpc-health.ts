import type { Cluster } from "../cluster/cluster.ts";
import { grpcServiceOf } from "../cluster/grpc-health-path.ts";
import { HostProbe } from "../cluster/host-probe.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";

/**
 * Answers other proxies how the application does, by asking it in gRPC: 200 when it says SERVING, else 503. For how
 * long that may take is the caller's affair: when it hangs up, the question is dropped.
 */
export class GrpcHealthFilter implements Filter {
  readonly name = "grpc-health";
  readonly #application: (servicePort: number) => Cluster | undefined;
  readonly #probes = new WeakMap<Exchange, HostProbe>();

  constructor(application: (servicePort: number) => Cluster | undefined) {
    this.#application = application;
  }

  onRequest(exchange: Exchange): "wait" {
    const grpcService = grpcServiceOf(exchange.head.path);
    const host = this.#application(exchange.servicePort)?.hosts[0];
    if (grpcService === undefined || host === undefined) {
      exchange.reply(404, "route_not_found", "NR", "");
      return "wait";
    }
    const probe = new HostProbe(host, { httpPath: "", grpcService }, (verdict) =>
      exchange.reply(verdict === "pass" ? 200 : 503, "grpc_health", "", ""),
    );
    this.#probes.set(exchange, probe);
    probe.start();
    return "wait";
  }

  onComplete(exchange: Exchange): void {
    this.#probes.get(exchange)?.cancel();
  }
}
