import {
  BUS_SETTINGS,
  custom,
  durationMs,
  labels,
  oneOf,
  parseSettings,
  port,
  text,
  type Values,
} from "../../shared/config/index.ts";

/** One port that the workload serves: `9080:http=127.0.0.1:43121`. */
export interface WorkloadPort {
  /** The service's port. */
  readonly number: number;
  readonly protocol: "http";
  /** Where the application listens. */
  readonly address: string;
  readonly port: number;
}

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

export const PROXY_SETTINGS = {
  ...BUS_SETTINGS,
  mode: oneOf(["sidecar", "gateway"], {
    env: "PROXY_MODE",
    default: "sidecar",
    doc: "`gateway` takes requests from outside by IngressRules.",
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
  healthUrl: text({
    env: "HEALTH_URL",
    default: "",
    doc: "Asked every 2 s for the application's health. Default: always healthy.",
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
  gatewayPort: port({ env: "GATEWAY_PORT", default: 8080, doc: "Port of the gateway's plain HTTP listener." }),
  gatewayHost: text({ env: "GATEWAY_HOST", default: "0.0.0.0", doc: "Address of the gateway's listener." }),
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
  accessLog: text({ env: "ACCESS_LOG", default: "", doc: "File of the access log, `stderr`, or empty for none." }),
  trustDomain: text({ env: "TRUST_DOMAIN", default: "cluster.local", doc: "Trust domain of SPIFFE ids." }),
} as const;

export type ProxyConfig = Values<typeof PROXY_SETTINGS>;

/** Throws ConfigError. */
export function parseProxyConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ProxyConfig {
  return parseSettings(PROXY_SETTINGS, env, argv);
}
