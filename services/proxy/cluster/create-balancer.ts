import type { Balancer } from "./balancer.ts";
import { LeastRequestBalancer } from "./balancer-least-request.ts";
import { MaglevBalancer } from "./balancer-maglev.ts";
import { PeakEwmaBalancer } from "./balancer-peak-ewma.ts";
import { RandomBalancer } from "./balancer-random.ts";
import { RingHashBalancer } from "./balancer-ring-hash.ts";
import { RoundRobinBalancer } from "./balancer-round-robin.ts";

/** Where the client's own choice stands there is nothing to balance: see outbound/passthrough.ts. */
export const PASSTHROUGH = "PASSTHROUGH";

/** By a TrafficPolicy's name. A newer Pilot's name that this proxy does not know balances in turns. */
export function createBalancer(name: string, hashTableSize = 0): Balancer {
  switch (name) {
    case "LEAST_CONN":
      return new LeastRequestBalancer();
    case "RANDOM":
      return new RandomBalancer();
    case "PEAK_EWMA":
      return new PeakEwmaBalancer();
    case "RING_HASH":
      return new RingHashBalancer(hashTableSize);
    case "MAGLEV":
      return new MaglevBalancer(hashTableSize);
    default:
      return new RoundRobinBalancer();
  }
}
