import { GRPC_STATUS_NAMES } from "../../base/index.ts";
import { int32, string } from "../scalars.ts";
import { checked, field, object, oneOf, type Schema } from "../schema.ts";
import type { HttpFaultSpec } from "../specs-networking.ts";
import { percentage, span } from "./networking.ts";

/** As in Istio, a fault without a percentage meets no request. */

/** OK is none: it would be an answer without a message, which no client expects. */
const grpcStatus = checked(
  string(),
  (text, at): number | undefined => {
    const code = /^\d{1,2}$/.test(text) ? Number(text) : GRPC_STATUS_NAMES.indexOf(text);
    if (code > 0 && code < GRPC_STATUS_NAMES.length) return code;
    return at.error(
      "must be a gRPC status other than OK",
      `write its name or number: one of ${GRPC_STATUS_NAMES.slice(1).join(", ")}`,
    );
  },
  { format: "gRPC status" },
);

const delay = checked(
  object(
    {
      percent: field(int32({ min: 0, max: 100 }), "Share of requests to delay.", {
        deprecated: "use percentage.value",
      }),
      fixedDelay: field(span(), "How long to wait before forwarding."),
      exponentialDelay: field(span(), "How long to wait on average: drawn anew for each request."),
      percentage: field(percentage(), "Share of requests to delay.", { default: "none" }),
    },
    [oneOf("fixedDelay", "exponentialDelay")],
  ),
  (value, at) => {
    if (!at.has("fixedDelay") && !at.has("exponentialDelay") && at.clean())
      at.errorOf("fixedDelay", "required", "say how long to wait, such as 7s");
    const percent = value.percentage ?? value.percent ?? 0;
    if (percent === 0 && at.clean()) at.warn("delays no request", "give percentage: {value: 100} for all");
    return at.clean()
      ? { percent, fixedDelayMs: value.fixedDelay ?? 0, exponentialDelayMs: value.exponentialDelay ?? 0 }
      : undefined;
  },
);

const abort = checked(
  object(
    {
      httpStatus: field(int32({ min: 200, max: 599 }), "The status to answer with."),
      grpcStatus: field(grpcStatus, "The status to answer gRPC requests with, by name or number."),
      http2Error: field(string(), "An error of HTTP/2 to end requests with.", {
        unsupported: { remedy: "use httpStatus or grpcStatus" },
      }),
      percent: field(int32({ min: 0, max: 100 }), "Share of requests to abort.", {
        deprecated: "use percentage.value",
      }),
      percentage: field(percentage(), "Share of requests to abort.", { default: "none" }),
    },
    [oneOf("httpStatus", "grpcStatus", "http2Error")],
  ),
  (value, at) => {
    const percent = value.percentage ?? value.percent ?? 0;
    const status = { httpStatus: value.httpStatus ?? 0, grpcStatus: value.grpcStatus ?? 0 };
    if (!at.clean()) return undefined;
    if (status.httpStatus === 0 && status.grpcStatus === 0) {
      at.warn("aborts nothing", "give httpStatus or grpcStatus");
      return undefined;
    }
    if (percent === 0) at.warn("aborts no request", "give percentage: {value: 100} for all");
    return { percent, ...status };
  },
);

/** Faults to inject at the caller's side. */
export const httpFault: Schema<HttpFaultSpec> = checked(
  object({
    delay: field(delay, "Delays requests before forwarding them."),
    abort: field(abort, "Answers requests instead of forwarding them."),
  }),
  (value, at): HttpFaultSpec => {
    if (!at.has("delay") && !at.has("abort") && at.clean()) at.error("injects nothing", "give delay, abort or both");
    return { delay: value.delay, abort: value.abort };
  },
);
