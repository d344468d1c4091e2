import { defineKind } from "../define-kind.ts";
import { anyObject, duration, enumeration, int32 } from "../scalars.ts";
import { checked, field, object, oneOf } from "../schema.ts";
import type { CircuitBreakerSpec, DestinationPolicySpec } from "../specs.ts";
import { FOREIGN, istioService } from "./common.ts";

const count = int32({ min: 0 });

const simpleCb = checked(
  object({
    maxConnections: field(count, "Connections to one service at most.", { default: "1024" }),
    httpMaxPendingRequests: field(count, "Requests that may wait for a connection.", { default: "1024" }),
    httpMaxRequests: field(count, "Requests in flight at most.", { default: "1024" }),
    sleepWindow: field(duration(), "How long an instance stays ejected the first time.", { default: "30 s" }),
    httpConsecutiveErrors: field(count, "5xx answers in a row that eject an instance.", { default: "5" }),
    httpDetectionInterval: field(duration(), "How often instances are judged.", { default: "10 s" }),
    httpMaxRequestsPerConnection: field(count, "Requests over one connection at most; 1 turns keep-alive off."),
    httpMaxEjectionPercent: field(int32({ min: 0, max: 100 }), "Share of instances that may be ejected at once.", {
      default: "10",
    }),
    httpMaxRetries: field(count, "Retries in flight at most.", { default: "3" }),
  }),
  ({ sleepWindow, httpDetectionInterval, ...counts }): CircuitBreakerSpec => ({
    maxConnections: counts.maxConnections,
    httpMaxPendingRequests: counts.httpMaxPendingRequests,
    httpMaxRequests: counts.httpMaxRequests,
    sleepWindowMs: sleepWindow,
    httpConsecutiveErrors: counts.httpConsecutiveErrors,
    httpDetectionIntervalMs: httpDetectionInterval,
    httpMaxRequestsPerConnection: counts.httpMaxRequestsPerConnection,
    httpMaxEjectionPercent: counts.httpMaxEjectionPercent,
    httpMaxRetries: counts.httpMaxRetries,
  }),
);

const loadBalancing = checked(
  object(
    {
      name: field(enumeration(["ROUND_ROBIN", "LEAST_CONN", "RANDOM"]), "How an instance is chosen."),
      custom: field(anyObject(), "Settings of another proxy.", {
        unsupported: { remedy: `use name (ROUND_ROBIN, LEAST_CONN or RANDOM): ${FOREIGN}` },
      }),
    },
    [oneOf("name", "custom")],
  ),
  (value, at) => {
    if (!at.has("name") && !at.has("custom") && at.clean())
      return at.error("names no policy", "give name: ROUND_ROBIN, LEAST_CONN or RANDOM");
    return value;
  },
);

const schema = object({
  destination: field(istioService(), "The service, and the labels that its route entries carry.", { required: true }),
  source: field(istioService(), "Only callers that are instances of this service, with these labels."),
  loadBalancing: field(loadBalancing, "How an instance is chosen.", { default: "round robin" }),
  circuitBreaker: field(
    object(
      {
        simpleCb: field(simpleCb, "Limits and ejection."),
        custom: field(anyObject(), "Settings of another proxy.", {
          unsupported: { remedy: `use simpleCb: ${FOREIGN}` },
        }),
      },
      [oneOf("simpleCb", "custom")],
    ),
    "Limits towards the service, and ejection of failing instances.",
  ),
  custom: field(anyObject(), "Settings of another proxy.", {
    unsupported: { remedy: `use loadBalancing and circuitBreaker: ${FOREIGN}` },
  }),
});

/** DestinationPolicy: how callers treat the instances of one service. */
export const DESTINATION_POLICY = defineKind<DestinationPolicySpec>({
  kind: "DestinationPolicy",
  plural: "destinationpolicies",
  class: "traffic",
  doc: "Load balancing and limits towards one service, or one version of it.",
  schema: checked(schema, (value) => ({
    destination: value.destination ?? { host: "", service: undefined, labels: {} },
    source: value.source,
    loadBalancing: value.loadBalancing?.name,
    circuitBreaker: value.circuitBreaker?.simpleCb,
  })),
});
