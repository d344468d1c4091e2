import {
  BUS_SETTINGS,
  custom,
  durationMs,
  integer,
  labels,
  oneOf,
  parseSettings,
  port,
  text,
  type Values,
} from "../../shared/config/index.ts";

import { DEFAULT_HTTP1, type Http1Settings } from "./codec/http1-settings.ts";
import { HEALTH_DEFAULTS } from "./health-probe.ts";
import { parseHealthUrl } from "./health-question.ts";
import { TRACE_FORMATS, type TraceFormatName } from "./trace/tracer.ts";

/** One port that the workload serves: `9080:http=127.0.0.1:43121`. */
export interface WorkloadPort {
  /** The service's port. */
  readonly number: number;
  readonly protocol: "http";
  /** Where the application listens. */
  readonly address: string;
  readonly port: number;
}

/** A port of a gateway beside 80. */
export interface GatewayPortSetting {
  /** As Gateway resources name it. */
  readonly number: number;
  /** Where it listens. */
  readonly port: number;
}

const MAX_WORKERS = 64;
const MAX_PORT = 65_535;

const PORT_ENTRY = /^(\d{1,5}):(http)=([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/;

function parsePorts(raw: string): readonly WorkloadPort[] {
  return raw.split(",").map((entry) => {
    const match = PORT_ENTRY.exec(entry.trim());
    if (match === null) {
      throw new Error(
        `has ${JSON.stringify(entry)}; use <service port>:http=<application host>:<port>, such as 9080:http=127.0.0.1:8000`,
      );
    }
    const address = (match[3] ?? "").replace(/^\[|\]$/g, "");
    return { number: Number(match[1]), protocol: "http", address, port: Number(match[4]) };
  });
}

const GATEWAY_PORT_ENTRY = /^(\d{1,5})(?:=(\d{1,5}))?$/;

function parseGatewayPorts(raw: string): readonly GatewayPortSetting[] {
  const ports = raw.split(",").map((entry) => {
    const [, number, port = number] = GATEWAY_PORT_ENTRY.exec(entry.trim()) ?? [];
    const parsed = { number: Number(number), port: Number(port) };
    if (!(parsed.number >= 1 && parsed.number <= MAX_PORT && parsed.port <= MAX_PORT)) {
      throw new Error(
        `has ${JSON.stringify(entry)}; use <port of the gateway>[=<port to listen on>], such as 8081 or 8443=18443`,
      );
    }
    if (parsed.number === 80) throw new Error("has 80; GATEWAY_PORT says where that one listens");
    return parsed;
  });
  const twice = ports.find(({ number }, i) => ports.findIndex((other) => other.number === number) !== i);
  if (twice !== undefined) throw new Error(`has ${twice.number} twice; name each port once`);
  return ports;
}

function parseTraceFormats(raw: string): readonly TraceFormatName[] {
  if (raw === "none") return [];
  const formats = raw.split(",").map((item) => TRACE_FORMATS.find((format) => format === item.trim()));
  const known = formats.filter((format) => format !== undefined);
  if (known.length === formats.length) return known;
  throw new Error(`is ${JSON.stringify(raw)}; use none, or some of ${TRACE_FORMATS.join(", ")}`);
}

function parsePercent(raw: string): number {
  const value = Number(raw);
  if (/^\d+(\.\d+)?$/.test(raw) && value <= 100) return value;
  throw new Error(`is ${JSON.stringify(raw)}; use a number from 0 to 100`);
}

export const PROXY_SETTINGS = {
  ...BUS_SETTINGS,
  mode: oneOf(["sidecar", "gateway"], {
    env: "PROXY_MODE",
    default: "sidecar",
    doc: "`gateway` takes requests from outside, by Gateway resources and IngressRules.",
  }),
  concurrency: integer({
    env: "CONCURRENCY",
    default: 1,
    min: 1,
    max: MAX_WORKERS,
    doc: "Processes that carry requests. With more than 1 they are workers that share the ports and the limits, beside one that has bus, certificates, registration and admin.",
  }),
  namespace: text({ env: "MESH_NAMESPACE", default: "default", doc: "Namespace of the workload." }),
  serviceAccount: text({
    env: "MESH_SERVICE_ACCOUNT",
    default: "default",
    doc: "Service account of the workload: its identity.",
  }),
  service: text({ env: "MESH_SERVICE", doc: "The service that the workload is an instance of." }),
  instance: text({
    env: "MESH_INSTANCE",
    doc: "Name of this instance; unique in its service, the same after a restart.",
  }),
  workload: text({
    env: "MESH_WORKLOAD",
    default: "",
    doc: "Name of the workload in telemetry. Default: `<service>-<label version>`, or the service.",
  }),
  labels: labels({ env: "MESH_LABELS", default: {}, doc: "Labels of the instance, by which rules choose versions." }),
  locality: text({
    env: "MESH_LOCALITY",
    default: "",
    doc: "Where the instance runs, `region/zone/sub-zone` or the first parts of that: for localities in load balancing.",
  }),
  weight: integer({
    env: "MESH_WEIGHT",
    default: 1,
    min: 1,
    max: 10_000,
    doc: "Share of the instance among the others of its service.",
  }),
  ports: custom(
    "ports",
    {
      env: "MESH_PORTS",
      default: [],
      doc: "Ports served, as `<service port>:http=<application host>:<port>`, comma-separated.",
    },
    parsePorts,
    () => "",
  ),
  healthUrl: custom(
    "URL",
    {
      env: "HEALTH_URL",
      default: "",
      doc: "Asked again and again for the application's health: http, https, `tcp://host:port`, or `grpc://host:port/service` (no service: the server as a whole). Default: always healthy.",
    },
    (raw) => {
      parseHealthUrl(raw);
      return raw;
    },
    (url) => url,
  ),
  healthPeriodMs: durationMs({
    env: "HEALTH_PERIOD_MS",
    default: HEALTH_DEFAULTS.periodMs,
    doc: "How long after an answer HEALTH_URL is asked again.",
  }),
  healthTimeoutMs: durationMs({
    env: "HEALTH_TIMEOUT_MS",
    default: HEALTH_DEFAULTS.timeoutMs,
    doc: "How long HEALTH_URL may take to answer.",
  }),
  healthFailures: integer({
    env: "HEALTH_FAILURES",
    default: HEALTH_DEFAULTS.failureThreshold,
    min: 1,
    max: 100,
    doc: "Bad answers in a row after which the application gets no traffic.",
  }),
  healthSuccesses: integer({
    env: "HEALTH_SUCCESSES",
    default: HEALTH_DEFAULTS.successThreshold,
    min: 1,
    max: 100,
    doc: "Good answers in a row after which it gets traffic again.",
  }),
  address: text({
    env: "MESH_ADDRESS",
    default: "",
    doc: "Address that other proxies connect to. Default: INBOUND_HOST, or the machine's first address when that is 0.0.0.0.",
  }),
  outboundPort: port({
    env: "OUTBOUND_PORT",
    default: 15001,
    doc: "Loopback port of the explicit proxy for the application's own requests.",
  }),
  outboundHost: text({ env: "OUTBOUND_HOST", default: "127.0.0.1", doc: "Address of the outbound listener." }),
  inboundPort: port({ env: "INBOUND_PORT", default: 15006, doc: "Mutual-TLS port for other proxies." }),
  inboundHost: text({ env: "INBOUND_HOST", default: "0.0.0.0", doc: "Address of the inbound listener." }),
  gatewayPort: port({
    env: "GATEWAY_PORT",
    default: 8080,
    doc: "Where a gateway listens for plain HTTP: to Gateway resources this is its port 80.",
  }),
  gatewayPorts: custom(
    "ports",
    {
      env: "GATEWAY_PORTS",
      default: [],
      doc: "Further ports of a gateway, as Gateway resources name them, comma-separated: `8081`, or `8443=18443` to listen on another one.",
    },
    parseGatewayPorts,
    (ports) => ports.map(({ number, port }) => (number === port ? `${number}` : `${number}=${port}`)).join(","),
  ),
  gatewayHost: text({ env: "GATEWAY_HOST", default: "0.0.0.0", doc: "Address of a gateway's listeners." }),
  adminPort: port({ env: "ADMIN_PORT", default: 15000, doc: "Loopback port of the admin API." }),
  healthPort: port({ env: "HEALTH_PORT", default: 15021, doc: "Port of /healthz/ready." }),
  metricsPort: port({ env: "METRICS_PORT", default: 15090, doc: "Port of /stats/prometheus." }),
  outboundPolicy: oneOf(["ALLOW_ANY", "REGISTRY_ONLY"], {
    env: "OUTBOUND_TRAFFIC_POLICY",
    default: "ALLOW_ANY",
    doc: "What happens to hosts that are no service: passed through by DNS, or refused with 502.",
  }),
  connectTimeoutMs: durationMs({
    env: "CONNECT_TIMEOUT_MS",
    default: 10_000,
    doc: "Longest wait for a connection to an instance.",
  }),
  checkTimeoutMs: durationMs({
    env: "CHECK_TIMEOUT_MS",
    default: 100,
    doc: "Longest wait for Mixer's answer to a check.",
  }),
  overloadHeapPercent: integer({
    env: "OVERLOAD_HEAP_PERCENT",
    default: 95,
    min: 1,
    max: 100,
    doc: "Part of V8's heap limit beyond which new requests are answered 503 until there is room again.",
  }),
  overloadConnections: integer({
    env: "OVERLOAD_CONNECTIONS",
    default: 9_000,
    min: 1,
    doc: "Connections from clients beyond which new requests are answered 503. More than 10,000 a port are closed at once.",
  }),
  http10: oneOf(["reject", "accept"], {
    env: "HTTP_1_0",
    default: "reject",
    doc: "What clients of HTTP/1.0 get: 426, or an answer without chunks.",
  }),
  maxHeadersBytes: integer({
    env: "MAX_HEADERS_BYTES",
    default: DEFAULT_HTTP1.maxHeadBytes,
    min: 1_024,
    max: 16_777_216,
    doc: "Longest head of a request or an answer.",
  }),
  maxHeadersCount: integer({
    env: "MAX_HEADERS_COUNT",
    default: DEFAULT_HTTP1.maxHeaders,
    min: 1,
    max: 10_000,
    doc: "Most header lines of a request or an answer.",
  }),
  connectionBufferBytes: integer({
    env: "CONNECTION_BUFFER_BYTES",
    default: DEFAULT_HTTP1.bufferBytes,
    min: 16_384,
    doc: "Bytes that wait to be written to a connection before whoever sends them has to wait.",
  }),
  requestHeadersTimeoutMs: durationMs({
    env: "REQUEST_HEADERS_TIMEOUT_MS",
    default: 0,
    doc: "Longest time from a request's first byte to the end of its headers, then 408. 0: STREAM_IDLE_TIMEOUT_MS alone.",
  }),
  requestTimeoutMs: durationMs({
    env: "REQUEST_TIMEOUT_MS",
    default: 0,
    doc: "Longest time from a request's first byte to its last, then 408. 0: none.",
  }),
  streamIdleTimeoutMs: durationMs({
    env: "STREAM_IDLE_TIMEOUT_MS",
    default: DEFAULT_HTTP1.streamIdleTimeoutMs,
    doc: "Longest silence while a request or an upgraded connection is under way, then 408 or 504. 0: none.",
  }),
  connectionIdleTimeoutMs: durationMs({
    env: "CONNECTION_IDLE_TIMEOUT_MS",
    default: DEFAULT_HTTP1.idleTimeoutMs,
    doc: "Longest wait of a client's connection for its next request. 0: none.",
  }),
  drainMinMs: durationMs({
    env: "DRAIN_MIN_MS",
    default: 5_000,
    doc: "Shortest time that a draining proxy goes on serving.",
  }),
  drainMaxMs: durationMs({
    env: "DRAIN_MAX_MS",
    default: 20_000,
    doc: "Longest time that a draining proxy waits to see itself gone.",
  }),
  certificateTtlMs: durationMs({ env: "CERT_TTL_MS", default: 0, doc: "Lifetime to ask for. 0: the CA's default." }),
  accessLog: text({
    env: "ACCESS_LOG",
    default: "",
    doc: "File of the access log, `stdout`, `stderr`, or empty for none.",
  }),
  accessLogDir: text({
    env: "ACCESS_LOG_DIR",
    default: "",
    doc: "Folder in which a MeshConfig may name the file of the access log. Empty: it may name only /dev/stdout, /dev/stderr, and what ACCESS_LOG names.",
  }),
  accessLogFormat: oneOf(["json", "text"], {
    env: "ACCESS_LOG_FORMAT",
    default: "json",
    doc: "Istio's default JSON or text form of a line.",
  }),
  traceFormats: custom(
    "list",
    {
      env: "TRACE_FORMATS",
      default: ["w3c"],
      doc: "Headers in which a request that comes without a trace begins one: `w3c`, `b3`, `b3multi`, several of them, or `none` to leave all trace headers alone.",
    },
    parseTraceFormats,
    (formats) => formats.join(","),
  ),
  traceSamplingPercent: custom(
    "percent",
    { env: "TRACE_SAMPLING", default: 1, doc: "Share of the traces begun here that are kept, in percent." },
    parsePercent,
    String,
  ),
  trustedHops: integer({
    env: "XFF_TRUSTED_HOPS",
    default: 0,
    max: 16,
    doc: "Proxies in front of a gateway whose `x-forwarded-for` and `x-forwarded-proto` are believed.",
  }),
  trustDomain: text({ env: "TRUST_DOMAIN", default: "cluster.local", doc: "Trust domain of SPIFFE ids." }),
} as const;

export type ProxyConfig = Values<typeof PROXY_SETTINGS>;

/** What the listeners grant their clients; a time of 0 is none. */
export function http1Settings(config: ProxyConfig): Http1Settings {
  const orNone = (timeoutMs: number): number => (timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs);
  return {
    maxHeadBytes: config.maxHeadersBytes,
    maxHeaders: config.maxHeadersCount,
    bufferBytes: config.connectionBufferBytes,
    acceptHttp10: config.http10 === "accept",
    headTimeoutMs: orNone(config.requestHeadersTimeoutMs),
    requestTimeoutMs: orNone(config.requestTimeoutMs),
    streamIdleTimeoutMs: orNone(config.streamIdleTimeoutMs),
    idleTimeoutMs: orNone(config.connectionIdleTimeoutMs),
  };
}

/** Throws ConfigError. */
export function parseProxyConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ProxyConfig {
  return parseSettings(PROXY_SETTINGS, env, argv);
}
