import type { Measured } from "../harness/measure.ts";
import type { Work } from "./work.ts";

/** A proxy, or two one behind the other, that does some work in front of the backend. */
export interface DataPlane extends Measured {
  /** Where requests go in. */
  readonly port: number;
}

/** One of the proxies that are compared; each has one thread. */
export interface Contender {
  readonly name: "lateen" | "haproxy" | "nginx" | "envoy";
  readonly version: string;
  /** Starts new processes; resolves when they answer. One work at a time. */
  start(work: Work): Promise<DataPlane>;
  stop(): Promise<void>;
}
