import { bool, enumeration, int32 } from "../scalars.ts";
import { checked, field, object, type Schema } from "../schema.ts";
import type { ConnectionPoolSpec } from "../specs-networking.ts";
import { count, span, uint32 } from "./networking.ts";

/** Limits towards a service. */

/** The rest is as Linux has it: 9 probes, 75 s apart. */
const SYSTEM = "set it for the machine (net.ipv4.tcp_keepalive_*): a process sets only when keep-alive begins";
const HTTP2 = "remove the field: connections to instances are HTTP/1.1";

const DEFAULT_KEEPALIVE_MS = 7_200_000;

export const tcpKeepalive: Schema<number> = checked(
  object({
    probes: field(uint32(), "Unanswered probes after which the connection is given up.", {
      unsupported: { remedy: SYSTEM, harmless: [0, 9] },
    }),
    time: field(span(), "How long a connection is idle before the first probe.", { default: "2 h" }),
    interval: field(span(), "Time between probes.", { unsupported: { remedy: SYSTEM, harmless: ["75s"] } }),
  }),
  ({ time }) => time ?? DEFAULT_KEEPALIVE_MS,
);

const tcp = object({
  maxConnections: field(count(), "Connections to one service at most.", { default: "1024" }),
  connectTimeout: field(span(), "How long opening a connection may take.", {
    default: "as MeshConfig says, else 10 s",
  }),
  tcpKeepalive: field(tcpKeepalive, "Probes on idle connections.", { default: "none" }),
  maxConnectionDuration: field(span(), "Age at which a connection is closed, when its request is done.", {
    default: "no limit",
  }),
  idleTimeout: field(span({ minMs: 0 }), "As http.idleTimeout, where that is not given.", { default: "1 h" }),
});

const keepAlive = object({
  interval: field(span(), "Time between pings.", { required: true }),
  timeout: field(span(), "How long an answer may take.", { required: true }),
});

const http = checked(
  object({
    http1MaxPendingRequests: field(count(), "Requests that may wait for a connection.", { default: "1024" }),
    http2MaxRequests: field(count(), "Requests in flight at most; of HTTP/1.1 too.", { default: "1024" }),
    maxRequestsPerConnection: field(
      int32({ min: 0, max: 536_870_912 }),
      "Requests over one connection at most; 1 turns keep-alive off.",
      {
        default: "no limit",
      },
    ),
    maxRetries: field(count(), "Retries in flight at most.", { default: "3" }),
    idleTimeout: field(span(), "How long a connection may be kept without requests.", { default: "1 h" }),
    h2UpgradePolicy: field(
      enumeration(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"], { refused: { UPGRADE: HTTP2 } }),
      "Whether connections are made HTTP/2.",
      { default: "DO_NOT_UPGRADE" },
    ),
    useClientProtocol: field(bool(), "Whether the caller's version of HTTP is kept.", {
      unsupported: { remedy: HTTP2, harmless: [false] },
    }),
    maxConcurrentStreams: field(count(), "Requests at one time over one connection.", {
      unsupported: { remedy: HTTP2, harmless: [0] },
    }),
    http2KeepAlive: field(keepAlive, "Pings on idle connections.", { unsupported: { remedy: HTTP2 } }),
  }),
  (value, at) => {
    if (value.h2UpgradePolicy === "UPGRADE" && value.useClientProtocol === true)
      at.errorOf("useClientProtocol", "cannot be combined with h2UpgradePolicy UPGRADE", "keep one of them");
    return value;
  },
);

export const connectionPool: Schema<ConnectionPoolSpec> = checked(
  object({
    tcp: field(tcp, "Limits of connections."),
    http: field(http, "Limits of requests."),
  }),
  (value, at): ConnectionPoolSpec => {
    if (!at.has("tcp") && !at.has("http") && at.clean()) at.error("limits nothing", "give tcp, http or both");
    return {
      maxConnections: value.tcp?.maxConnections ?? 0,
      connectTimeoutMs: value.tcp?.connectTimeout ?? 0,
      tcpKeepaliveMs: value.tcp?.tcpKeepalive ?? 0,
      maxConnectionDurationMs: value.tcp?.maxConnectionDuration ?? 0,
      idleTimeoutMs: value.http?.idleTimeout ?? value.tcp?.idleTimeout ?? 0,
      http1MaxPendingRequests: value.http?.http1MaxPendingRequests ?? 0,
      http2MaxRequests: value.http?.http2MaxRequests ?? 0,
      maxRequestsPerConnection: value.http?.maxRequestsPerConnection ?? 0,
      maxRetries: value.http?.maxRetries ?? 0,
    };
  },
);
