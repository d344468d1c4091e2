import type { JsonValue } from "../resource.ts";
import { anyObject, bool, enumeration, float, int32, string } from "../scalars.ts";
import { checked, type Field, field, list, map, object, oneOf, type Schema } from "../schema.ts";
import { clientTls } from "./client-tls.ts";
import { span, uint32 } from "./networking.ts";

/**
 * `defaultConfig` of MeshConfig: how Istio starts its proxies. Lateen's are started with settings of their own
 * (docs/config.md), so of all this only the sampling of traces has an effect; the rest is refused, each with where it
 * is set instead.
 */

const start = (settings: string) => `set ${settings} where the proxy is started`;
const NOT_ENVOY = "remove the field: it is about Envoy";
const SPANS = "remove the field: spans go to Mixer, whose adapters pass them on";
const LIMITS = start("the limits of its listeners (docs/config.md)");

/** A field without effect. */
export function without<T>(
  schema: Schema<T>,
  doc: string,
  remedy: string,
  harmless: readonly JsonValue[] = [],
): Field<T> {
  return field(schema, doc, { unsupported: { remedy, harmless } });
}

const sampling = checked(
  object(
    {
      zipkin: without(anyObject(), "A Zipkin collector.", SPANS),
      lightstep: without(anyObject(), "A Lightstep collector.", SPANS),
      datadog: without(anyObject(), "A Datadog agent.", SPANS),
      stackdriver: without(anyObject(), "Google's collector.", SPANS),
      openCensusAgent: without(anyObject(), "An OpenCensus agent.", SPANS),
      customTags: without(map(anyObject()), "Further tags of spans.", SPANS),
      maxPathTagLength: without(uint32(), "Longest path in a span.", SPANS, [0]),
      sampling: field(float({ min: 0, max: 100 }), "Percent of the traces begun here that are kept.", {
        default: "as each proxy was started, else 1",
      }),
      tlsSettings: without(clientTls, "How the connection to the collector is secured.", SPANS),
      enableIstioTags: without(bool(), "Whether spans tell of the mesh.", SPANS, [true]),
    },
    [oneOf("zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent")],
  ),
  (value) => ({ sampling: value.sampling }),
);

export const meshProxyConfig = checked(
  object(
    {
      configPath: without(string(), "Folder of the proxy's files.", start("LATEEN_DATA_DIR"), [""]),
      binaryPath: without(string(), "The proxy's program.", NOT_ENVOY, [""]),
      serviceCluster: without(string(), "Name of the service.", start("MESH_SERVICE"), [""]),
      tracingServiceName: without(
        enumeration(["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"]),
        "Name of the service in spans.",
        SPANS,
      ),
      drainDuration: without(span(), "How long connections drain.", start("DRAIN_MIN_MS and DRAIN_MAX_MS")),
      discoveryAddress: without(string(), "Where Pilot is.", start("NATS_URL"), [""]),
      discoveryRefreshDelay: without(span(), "How often Pilot is asked.", "remove the field: changes are broadcast"),
      zipkinAddress: without(string(), "Where Zipkin is.", SPANS, [""]),
      statsdUdpAddress: without(string(), "Where statsd is.", "read /stats/prometheus, or use Mixer's adapters", [""]),
      envoyMetricsServiceAddress: without(string(), "Where metrics go.", "read /stats/prometheus", [""]),
      proxyAdminPort: without(
        int32({ min: 0, max: 65_535 }),
        "Port of the admin API.",
        start("ADMIN_PORT"),
        [0, 15_000],
      ),
      availabilityZone: without(string(), "Where the proxy runs.", start("MESH_LOCALITY"), [""]),
      controlPlaneAuthPolicy: without(
        enumeration(["NONE", "MUTUAL_TLS"]),
        "How Pilot is spoken to.",
        "remove the field: the bus says who may do what",
        ["NONE", 0],
      ),
      customConfigFile: without(string(), "Another bootstrap.", NOT_ENVOY, [""]),
      statNameLength: without(int32({ min: 0 }), "Longest name of a metric.", NOT_ENVOY, [0]),
      concurrency: without(int32({ min: 0 }), "Worker processes.", start("CONCURRENCY")),
      proxyBootstrapTemplatePath: without(string(), "Another bootstrap.", NOT_ENVOY, [""]),
      interceptionMode: without(
        enumeration(["REDIRECT", "TPROXY", "NONE"]),
        "How connections reach the proxy.",
        "point the application's HTTP_PROXY at the sidecar",
        ["NONE", 2],
      ),
      tracing: field(sampling, "Traces."),
      sds: without(anyObject(), "How certificates come.", "remove the field: the CA signs over the bus"),
      envoyAccessLogService: without(anyObject(), "Where access logs go.", "use accessLogFile"),
      envoyMetricsService: without(anyObject(), "Where metrics go.", "read /stats/prometheus"),
      proxyMetadata: without(map(string()), "Variables of the proxy.", start("its variables")),
      runtimeValues: without(map(string()), "Envoy's runtime values.", NOT_ENVOY),
      statusPort: without(
        int32({ min: 0, max: 65_535 }),
        "Port of the health endpoint.",
        start("HEALTH_PORT"),
        [0, 15_021],
      ),
      extraStatTags: without(list(string()), "Further labels of metrics.", "use Mixer's metric instances"),
      gatewayTopology: without(anyObject(), "Proxies before the gateway.", start("XFF_TRUSTED_HOPS")),
      terminationDrainDuration: without(
        span({ minMs: 0 }),
        "How long a proxy drains before it ends.",
        start("DRAIN_MIN_MS"),
      ),
      meshId: without(string(), "Name of the mesh.", start("MESH_PREFIX"), [""]),
      readinessProbe: without(anyObject(), "How the application is asked whether it is ready.", start("HEALTH_URL")),
      proxyStatsMatcher: without(anyObject(), "Which metrics there are.", NOT_ENVOY),
      holdApplicationUntilProxyStarts: without(
        bool(),
        "Whether the application waits for the proxy.",
        "wait for /healthz/ready before the application starts",
        [false],
      ),
      caCertificatesPem: without(
        list(string()),
        "Further authorities.",
        "remove the field: the CA's bundle is trusted",
      ),
      image: without(anyObject(), "The proxy's image.", NOT_ENVOY),
      privateKeyProvider: without(anyObject(), "Where keys are used.", NOT_ENVOY),
      proxyHeaders: without(anyObject(), "Headers that the proxy adds.", "use headers of a VirtualService"),
      fileFlushInterval: without(
        span({ minMs: 0 }),
        "How often logs are written.",
        "remove the field: lines are written at once",
      ),
      fileFlushMinSizeKb: without(
        uint32(),
        "How much is written at once.",
        "remove the field: lines are written at once",
        [0],
      ),
      statsCompression: without(bool(), "Whether metrics are compressed.", "remove the field: they are not", [false]),
      connectionSettings: without(anyObject(), "Limits of connections and requests.", LIMITS),
    },
    [oneOf("serviceCluster", "tracingServiceName")],
  ),
  (value) => ({ sampling: value.tracing?.sampling }),
);
