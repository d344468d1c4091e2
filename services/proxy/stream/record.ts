import type { Socket } from "node:net";
import { type ConnectionAddresses, NO_ADDRESSES } from "./addresses.ts";
import type { HeaderList } from "./header-list.ts";
import type { ResponseDetail, ResponseFlag } from "./response-detail.ts";
import type { RequestHead } from "./stream.ts";

/** One side of a call. */
export interface Peer {
  readonly namespace: string;
  readonly service: string;
  /** Fully qualified host name of the service, empty when unknown. */
  readonly host: string;
  readonly workload: string;
  readonly instance: string;
  /** SPIFFE id, empty when not authenticated. */
  readonly principal: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Without port, empty when unknown. */
  readonly ip: string;
  readonly port: number;
}

export const UNKNOWN_PEER: Peer = {
  namespace: "",
  service: "",
  host: "",
  workload: "",
  instance: "",
  principal: "",
  labels: {},
  ip: "",
  port: 0,
};

export type Side = "inbound" | "outbound";

/** Everything that policy, telemetry and the access log may want to know of one request. Filled in as it passes. */
export class RequestRecord {
  readonly side: Side;
  readonly head: RequestHead;
  readonly startedMs: number;
  /** Of performance.now(). */
  readonly started: number;
  source: Peer;
  destination: Peer;
  /** Over mutual TLS on this proxy's mesh side. */
  mutualTls: boolean;
  requestId = "";
  status = 0;
  responseHeaders: HeaderList | undefined;
  bytesReceived = 0;
  bytesSent = 0;
  /** Set at the end. */
  durationMs = 0;
  /** Envoy's response flags, comma-separated. */
  flags = "";
  /** One machine-readable reason for the answer: `via_upstream` or why the proxy made it itself. */
  detail: ResponseDetail | "via_upstream" | "" = "";
  route = "";
  /** Of performance.now(): when the router was reached, and when the end of a body came. */
  forwarded = 0;
  received = 0;
  /** The client's connection. */
  downstream: ConnectionAddresses = NO_ADDRESSES;
  upstreamCluster = "";
  upstreamAddress = "";
  /** The connection to the upstream. */
  upstreamSocket: Socket | undefined;
  /** Why no connection came about, in words. */
  transportFailure = "";
  attempts = 0;
  /** gRPC code and text of a refused check. */
  checkCode = 0;
  checkMessage = "";

  constructor(side: Side, head: RequestHead, source: Peer, destination: Peer, mutualTls: boolean) {
    this.side = side;
    this.head = head;
    this.source = source;
    this.destination = destination;
    this.mutualTls = mutualTls;
    this.startedMs = Date.now();
    this.started = performance.now();
  }

  addFlag(flag: ResponseFlag): void {
    this.flags = this.flags === "" ? flag : `${this.flags},${flag}`;
  }
}
