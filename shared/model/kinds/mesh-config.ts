import { errorMessage } from "../../base/index.ts";
import { defineKind } from "../define-kind.ts";
import { isDnsLabel } from "../hosts.ts";
import { parseLogFormat, parseLogTree } from "../log-format.ts";
import type { At } from "../reader.ts";
import { ROOT_NAMESPACE } from "../resource.ts";
import { anyObject, bool, enumeration, int32, string } from "../scalars.ts";
import { checked, field, list, object } from "../schema.ts";
import type { MeshConfigSpec, OutboundMode } from "../specs-networking.ts";
import { clientTls } from "./client-tls.ts";
import { connectionPool, tcpKeepalive } from "./connection-pool.ts";
import { httpRetry } from "./http-retry.ts";
import { localityFailover, zoneAwareLbSetting } from "./locality-balancing.ts";
import { meshProxyConfig, without } from "./mesh-proxy-config.ts";
import { exportTo, span } from "./networking.ts";
import { outlierDetection } from "./outlier-detection.ts";

/** Mesh-wide defaults: one document, `default` in the root namespace. What it does not say is as each proxy was started. */

const MESH_CONFIG_VERSIONS: readonly string[] = ["mesh.istio.io/v1alpha1"];
const NAME = "default";

const AS_STARTED = "as each proxy was started";
const INGRESS = "use a Gateway and VirtualServices: Kubernetes Ingress is not read";
const EXTENSIONS = "use the kinds of Mixer: handlers, instances and rules";
const IDENTITY = "remove the field: the CA of the mesh says whom to trust";
const ONE_CLUSTER = "remove the field: a mesh is one bus";
const NOT_ENVOY = "remove the field: it is about Envoy";
const MTLS = "remove the field: sidecars speak TLS 1.3 with the mesh's certificates";
const listener = (setting: string) => `set ${setting} where the proxy is started`;
const portNumber = int32({ min: 0, max: 65_535 });

const outboundTrafficPolicy = checked(
  object({
    mode: field(
      enumeration(["REGISTRY_ONLY", "ALLOW_ANY", "", "ALLOW_ANY_DYNAMIC_DNS"], {
        refused: { ALLOW_ANY_DYNAMIC_DNS: "write ALLOW_ANY: unknown hosts are looked up by DNS" },
      }),
      "ALLOW_ANY passes requests to unknown hosts through, REGISTRY_ONLY refuses them.",
      { default: "REGISTRY_ONLY" },
    ),
    tls: without(clientTls, "How such connections are secured.", "use a ServiceEntry and a DestinationRule"),
  }),
  ({ mode }, at): OutboundMode | undefined => {
    if (mode === undefined) return at.has("mode") ? undefined : "REGISTRY_ONLY";
    return mode === "REGISTRY_ONLY" ? mode : "ALLOW_ANY";
  },
);

const trustDomain = checked(string(), (text, at) =>
  text === "" || text.toLowerCase().split(".").every(isDnsLabel)
    ? text
    : at.error(`${JSON.stringify(text)} is not a domain`, "such as cluster.local"),
);

const tlsConfig = object({
  minProtocolVersion: field(enumeration(["TLS_AUTO", "TLSV1_2", "TLSV1_3"]), "Oldest version of TLS."),
  ecdhCurves: field(list(string()), "Curves for the key exchange."),
  cipherSuites: field(list(string()), "Cipher suites."),
});

const fields = object({
  proxyListenPort: without(portNumber, "Port of the outbound listener.", listener("OUTBOUND_PORT"), [0, 15_001]),
  proxyInboundListenPort: without(portNumber, "Port of the inbound listener.", listener("INBOUND_PORT"), [0, 15_006]),
  proxyHttpPort: without(portNumber, "Port for HTTP_PROXY.", "use the outbound listener: it takes such requests", [0]),
  connectTimeout: field(span({ maxMs: 3_600_000 }), "How long opening a connection to an instance may take.", {
    default: "10 s",
  }),
  hboneIdleTimeout: without(span({ minMs: 0 }), "Idle time of tunnels.", "remove the field: there are no such tunnels"),
  protocolDetectionTimeout: without(
    span({ minMs: 0 }),
    "How long the first bytes of a connection are waited for.",
    "remove the field: what comes in is HTTP or the mesh's own TLS",
    ["0s"],
  ),
  tcpKeepalive: without(tcpKeepalive, "Probes on idle connections.", "use connectionPool.tcp of a DestinationRule"),
  ingressClass: without(string(), "Which Ingress resources are read.", INGRESS, [""]),
  ingressService: without(string(), "Service of the Ingress gateway.", INGRESS, [""]),
  ingressControllerMode: without(
    enumeration(["UNSPECIFIED", "OFF", "DEFAULT", "STRICT"]),
    "Which Ingress resources are read.",
    INGRESS,
    ["UNSPECIFIED", "OFF", 0, 1],
  ),
  ingressSelector: without(string(), "Gateway of the Ingress resources.", INGRESS, [""]),
  enableTracing: field(bool(), "Whether requests are traced.", { default: AS_STARTED }),
  accessLogFile: field(
    string(),
    "File of the access log: /dev/stdout, /dev/stderr, or within the ACCESS_LOG_DIR of each proxy; empty: none.",
    { default: AS_STARTED },
  ),
  accessLogFormat: field(string(), "Format of a line, with Envoy's operators; empty: the usual one.", {
    default: AS_STARTED,
  }),
  accessLogEncoding: field(enumeration(["TEXT", "JSON"]), "Whether lines are text or JSON.", { default: AS_STARTED }),
  enableEnvoyAccessLogService: without(bool(), "Whether logs go to a service.", "use accessLogFile", [false]),
  disableEnvoyListenerLog: without(bool(), "Whether listeners log.", "remove the field: they do not", [false]),
  defaultConfig: field(meshProxyConfig, "How proxies are started."),
  outboundTrafficPolicy: field(outboundTrafficPolicy, "What becomes of requests to unknown hosts.", {
    default: AS_STARTED,
  }),
  inboundTrafficPolicy: without(
    object({ mode: field(enumeration(["PASSTHROUGH", "LOCALHOST"]), "Where requests go.") }),
    "Where the application listens.",
    listener("MESH_PORTS"),
  ),
  configSources: without(
    list(anyObject()),
    "Where configuration comes from.",
    "remove the field: it comes over the bus",
  ),
  enableAutoMtls: without(
    bool(),
    "Whether sidecars use TLS among themselves.",
    "remove the field: sidecars always do",
    [true],
  ),
  trustDomain: without(trustDomain, "Trust domain of identities.", listener("TRUST_DOMAIN"), ["", "cluster.local"]),
  trustDomainAliases: without(list(trustDomain), "Other names of the trust domain.", IDENTITY),
  caCertificates: without(list(anyObject()), "Further authorities.", IDENTITY),
  defaultServiceExportTo: field(
    exportTo({ nobody: true, keepDot: true }),
    "exportTo of ServiceEntries that have none.",
    {
      default: "*",
    },
  ),
  defaultVirtualServiceExportTo: field(exportTo({ keepDot: true }), "exportTo of VirtualServices that have none.", {
    default: "*",
  }),
  defaultDestinationRuleExportTo: field(exportTo({ keepDot: true }), "exportTo of DestinationRules that have none.", {
    default: "*",
  }),
  rootNamespace: without(
    string(),
    "Namespace whose resources hold for all.",
    `remove the field: it is ${ROOT_NAMESPACE}`,
    ["", ROOT_NAMESPACE],
  ),
  localityLbSetting: field(localityFailover, "Preference for near instances, where a DestinationRule says nothing.", {
    default: "none",
  }),
  zoneAwareLbSetting: without(zoneAwareLbSetting, "Preference for the caller's zone.", "use localityLbSetting"),
  dnsRefreshRate: without(span(), "How often names are looked up.", "remove the field: they are looked up as needed"),
  h2UpgradePolicy: without(
    enumeration(["DO_NOT_UPGRADE", "UPGRADE"]),
    "Whether connections are made HTTP/2.",
    "remove the field: connections to instances are HTTP/1.1",
    ["DO_NOT_UPGRADE", 0],
  ),
  inboundClusterStatName: without(string(), "Name of inbound metrics.", NOT_ENVOY, [""]),
  outboundClusterStatName: without(string(), "Name of outbound metrics.", NOT_ENVOY, [""]),
  certificates: without(list(anyObject()), "Certificates for DNS names.", IDENTITY),
  serviceSettings: without(list(anyObject()), "Settings of services.", ONE_CLUSTER),
  serviceScopeConfigs: without(list(anyObject()), "Which services other clusters see.", ONE_CLUSTER),
  enablePrometheusMerge: without(
    bool(),
    "Whether the application's metrics are shown too.",
    "scrape the application itself",
    [false],
  ),
  verifyCertificateAtClient: without(
    bool(),
    "Whether servers' certificates are verified.",
    "use tls.insecureSkipVerify of a DestinationRule",
    [true],
  ),
  ca: without(anyObject(), "Another CA.", IDENTITY),
  extensionProviders: without(list(anyObject()), "Services that decide, log or trace.", EXTENSIONS),
  defaultProviders: without(anyObject(), "Which of them are used.", EXTENSIONS),
  discoverySelectors: without(list(anyObject()), "Which namespaces are watched.", ONE_CLUSTER),
  pathNormalization: without(
    object({
      normalization: field(
        enumeration(["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]),
        "How paths are made alike.",
      ),
    }),
    "How paths are made alike.",
    "remove the field: paths are used as they are, and what two parsers could read differently is refused",
  ),
  defaultHttpRetryPolicy: field(httpRetry, "Retries of routes that say nothing of them.", { default: "none" }),
  defaultInboundHttpRetryPolicy: without(
    httpRetry,
    "Retries towards the application.",
    "remove the field: callers retry, at another instance",
  ),
  meshMTLS: field(tlsConfig, "TLS among sidecars.", { protoName: "mesh_mTLS", unsupported: { remedy: MTLS } }),
  tlsDefaults: without(tlsConfig, "Other TLS.", "remove the field: the defaults of Node.js hold"),
  compliancePolicy: without(string(), "A standard to follow.", NOT_ENVOY, [""]),
  defaultTrafficPolicy: without(
    object({
      connectionPool: field(connectionPool, "Limits towards services."),
      outlierDetection: field(outlierDetection, "Ejection of failing instances."),
    }),
    "Policy of services without a DestinationRule.",
    `use a DestinationRule for *.svc.cluster.local in ${ROOT_NAMESPACE}`,
  ),
  serviceEntryVisibility: without(anyObject(), "Who sees ServiceEntries.", "use defaultServiceExportTo"),
});

/** MeshConfig: mesh-wide defaults. */
export const MESH_CONFIG = defineKind<MeshConfigSpec>({
  kind: "MeshConfig",
  plural: "meshconfigs",
  apiVersions: MESH_CONFIG_VERSIONS,
  namespaceDefault: ROOT_NAMESPACE,
  class: "traffic",
  doc: `Mesh-wide defaults; there is one, ${NAME} in ${ROOT_NAMESPACE}.`,
  schema: checked(fields, (value, at): MeshConfigSpec => {
    checkName(at);
    checkLogFile(value.accessLogFile ?? "", at);
    checkLogFormat(value.accessLogFormat ?? "", value.accessLogEncoding ?? "TEXT", at);
    return {
      outboundTrafficPolicy: value.outboundTrafficPolicy,
      accessLogFile: value.accessLogFile,
      accessLogFormat: value.accessLogFormat,
      accessLogEncoding: value.accessLogEncoding,
      enableTracing: value.enableTracing,
      tracingSampling: value.defaultConfig?.sampling,
      connectTimeoutMs: value.connectTimeout,
      defaultHttpRetryPolicy: value.defaultHttpRetryPolicy,
      defaultVirtualServiceExportTo: value.defaultVirtualServiceExportTo,
      defaultDestinationRuleExportTo: value.defaultDestinationRuleExportTo,
      defaultServiceExportTo: value.defaultServiceExportTo,
      localityFailover: value.localityLbSetting,
    };
  }),
});

/** Each proxy says for itself where files may be. */
function checkLogFile(file: string, at: At): void {
  if (["", "stdout", "stderr", "/dev/stdout", "/dev/stderr"].includes(file)) return;
  const remedy = "name /dev/stdout, or a file within that folder";
  if (file.startsWith("/"))
    at.warnOf("accessLogFile", "proxies refuse what is not within their ACCESS_LOG_DIR", remedy);
  else at.errorOf("accessLogFile", `${JSON.stringify(file)} is no absolute path`, remedy);
}

function checkLogFormat(format: string, encoding: "TEXT" | "JSON", at: At): void {
  if (format === "") return;
  try {
    if (encoding === "JSON") parseLogTree(format);
    else parseLogFormat(format);
  } catch (error) {
    at.errorOf("accessLogFormat", errorMessage(error), "mend the format, or leave it out for the usual one");
  }
}

function checkName(at: At): void {
  const { name, namespace } = at.context;
  if (name !== NAME) at.reader.error("metadata.name", name, `there is one MeshConfig, ${NAME}`, `name it ${NAME}`);
  if (namespace !== ROOT_NAMESPACE)
    at.reader.error(
      "metadata.namespace",
      namespace,
      "MeshConfig is not of a namespace",
      `write ${ROOT_NAMESPACE}, or nothing`,
    );
}
