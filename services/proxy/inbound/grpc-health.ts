import type { Cluster } from "../cluster/cluster.ts";
import { grpcServiceOf } from "../cluster/grpc-health-path.ts";
import { HostProbe } from "../cluster/host-probe.ts";
import type { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";

/** Questions to the application under way at a time: each has a connection of its own, which no breaker counts. */
const MAX_QUESTIONS = 100;

/**
 * Answers other proxies how the application does, by asking it in gRPC: 200 when it says SERVING, else 503. For how
 * long that may take is the caller's affair: when it hangs up, the question is dropped. Whoever asks while too many wait for
 * their answer is told 503 as well: an application that lets them wait is not well.
 */
export class GrpcHealthFilter implements Filter {
  readonly name = "grpc-health";
  readonly #application: (servicePort: number) => Cluster | undefined;
  readonly #probes = new Map<Exchange, HostProbe>();

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
    if (this.#probes.size >= MAX_QUESTIONS) {
      exchange.reply(503, "grpc_health", "", "too many questions are under way");
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
    this.#probes.delete(exchange);
  }
}
