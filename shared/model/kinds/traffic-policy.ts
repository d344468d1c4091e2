import type { At } from "../reader.ts";
import { enumeration, float, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { PortPolicySpec, TrafficPolicySpec } from "../specs-networking.ts";
import { clientTls } from "./client-tls.ts";
import { connectionPool } from "./connection-pool.ts";
import { loadBalancer } from "./load-balancer.ts";
import { host, port, portSelector, span, uint32 } from "./networking.ts";
import { outlierDetection } from "./outlier-detection.ts";

/** How callers treat the instances of a service, of a subset of it, or of one of its ports. */

const sections = {
  loadBalancer: field(loadBalancer, "How an instance is chosen.", { default: "round robin" }),
  connectionPool: field(connectionPool, "Limits towards the service."),
  outlierDetection: field(outlierDetection, "Ejection of failing instances.", { default: "none" }),
  tls: field(clientTls, "How connections to instances without a sidecar are secured.", { default: "plain text" }),
};

function policyOf(value: { readonly [K in keyof PortPolicySpec]?: PortPolicySpec[K] }): PortPolicySpec {
  return {
    loadBalancer: value.loadBalancer,
    connectionPool: value.connectionPool,
    outlierDetection: value.outlierDetection,
    tls: value.tls,
  };
}

function checkSays(at: At, names: readonly string[]): void {
  if (!names.some((name) => at.has(name)) && at.clean()) at.error("says nothing", `give one of ${names.join(", ")}`);
}

const SECTIONS = Object.keys(sections);

const portPolicy = checked(
  object({
    port: field(portSelector(), "The service's port.", { required: true }),
    ...sections,
  }),
  (value, at) => {
    checkSays(at, SECTIONS);
    return { port: value.port ?? 0, policy: policyOf(value) };
  },
);

const portPolicies = checked(list(portPolicy), (policies, at) => {
  for (const [index, { port: number }] of policies.entries()) {
    if (number !== 0 && policies.findIndex((other) => other.port === number) < index && at.clean())
      at.reader.error(`${at.path}[${index}].port.number`, number, "given twice", "keep one policy of the port");
  }
  return policies;
});

const tunnel = object({
  protocol: field(string(), "CONNECT or POST."),
  targetHost: field(host({ addresses: true, short: true }), "Where the tunnel leads.", { required: true }),
  targetPort: field(port(), "Its port.", { required: true }),
});

const retryBudget = checked(
  object({
    percent: field(float({ min: 0, max: 100 }), "Retries in flight at most, as a share of the requests in flight.", {
      default: "20",
    }),
    minRetryConcurrency: field(uint32(), "Retries that may be in flight in any case.", { default: "3" }),
    budgetInterval: field(span({ minMs: 0 }), "Time whose requests count.", {
      unsupported: { remedy: "remove the field: the requests in flight count", harmless: ["0s", "0ms"] },
    }),
  }),
  (value) => ({ percent: value.percent ?? 20, minConcurrency: value.minRetryConcurrency ?? 3 }),
);

const OTHERS = ["portLevelSettings", "tunnel", "proxyProtocol", "retryBudget"];

export const trafficPolicy: Schema<TrafficPolicySpec> = checked(
  object({
    ...sections,
    portLevelSettings: field(portPolicies, "Policies of single ports; each takes the place of the whole policy."),
    tunnel: field(tunnel, "Carries connections through an HTTP proxy.", {
      unsupported: { remedy: "remove the field: connections are made straight to the instances" },
    }),
    proxyProtocol: field(
      object({ version: field(enumeration(["V1", "V2"]), "Version of the PROXY protocol.", { default: "V1" }) }),
      "Tells instances the caller's address.",
      { unsupported: { remedy: "remove the field: the caller's address is in X-Forwarded-For" } },
    ),
    retryBudget: field(
      retryBudget,
      "Limits retries to a share of the requests; instead of connectionPool.http.maxRetries.",
    ),
  }),
  (value, at): TrafficPolicySpec => {
    checkSays(at, [...SECTIONS, ...OTHERS]);
    if (at.has("tunnel") && at.has("proxyProtocol"))
      at.errorOf("proxyProtocol", "cannot be combined with tunnel", "keep one of them");
    return {
      ...policyOf(value),
      portLevelSettings: value.portLevelSettings ?? [],
      retryBudget: value.retryBudget,
    };
  },
);
