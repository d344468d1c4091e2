import type { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";
import { Forwarder } from "./forwarder.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/** Where and how one request is to be forwarded. */
export interface ForwardPlan {
  readonly cluster: Cluster;
  readonly servicePort: number;
  /** 0: none. */
  readonly timeoutMs: number;
  /** Retries at most, under the conditions of `retry`. */
  readonly attempts: number;
  /** Undefined: on 5xx and whatever ends without an answer. */
  readonly retry?: RetryPolicy | undefined;
  /** 0: none. */
  readonly perTryTimeoutMs: number;
  /** Chooses the instance where the balancer hashes; undefined: any. */
  readonly hash?: number | undefined;
  /** Told of each instance that is tried. */
  readonly onHost?: (exchange: Exchange, host: Host) => void;
}

/** The last filter: sends the request to an instance and the answer back. */
export class RouterFilter implements Filter {
  readonly name = "router";
  readonly #plan: (exchange: Exchange) => ForwardPlan | undefined;

  /** `plan` answers the exchange itself when it returns undefined. */
  constructor(plan: (exchange: Exchange) => ForwardPlan | undefined) {
    this.#plan = plan;
  }

  onRequest(exchange: Exchange): "wait" {
    const plan = this.#plan(exchange);
    if (plan === undefined) return "wait";
    exchange.record.upstreamCluster = plan.cluster.name;
    new Forwarder(exchange, plan).start();
    return "wait";
  }
}
