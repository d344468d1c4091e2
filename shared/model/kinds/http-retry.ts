import type { At } from "../reader.ts";
import { bool, string } from "../scalars.ts";
import { checked, field, object, type Schema } from "../schema.ts";
import type { HttpRetrySpec } from "../specs-networking.ts";
import { count, span } from "./networking.ts";

const CONDITIONS = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "retriable-4xx",
  "retriable-status-codes",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  "retriable-headers": "name status codes instead: no field says which headers",
  "envoy-ratelimited": "write 429 to retry answers of that status",
  "http3-post-connect-failure": "remove it: HTTP/3 does not pass through the proxy",
};

/** Names of conditions and statuses, comma-separated. */
const retryOn = checked(
  string(),
  (text, at) => {
    const names: string[] = [];
    const statuses: number[] = [];
    for (const given of text.split(",").map((part) => part.trim())) {
      if (given === "" && text.trim() === "") break;
      if (/^[1-5]\d\d$/.test(given)) statuses.push(Number(given));
      else if (CONDITIONS.some((name) => name === given)) names.push(given);
      else refuseCondition(given, at);
    }
    return { names, statuses };
  },
  { format: "conditions, comma-separated" },
);

function refuseCondition(given: string, at: At): void {
  const remedy = Object.hasOwn(WITHOUT_EFFECT, given) ? WITHOUT_EFFECT[given] : undefined;
  if (remedy !== undefined) at.refuse(remedy);
  else
    at.error(
      `${JSON.stringify(given)} is no condition for retries`,
      `write some of ${CONDITIONS.join(", ")}, or statuses`,
    );
}

/** When and how often a failed request is tried again. */
export const httpRetry: Schema<HttpRetrySpec> = checked(
  object({
    attempts: field(count(), "How many times a failed request is tried again; 0 turns retries off.", { default: "0" }),
    perTryTimeout: field(span(), "How long one try may take.", { default: "as long as the request" }),
    retryOn: field(
      retryOn,
      `What is tried again: ${CONDITIONS.join(", ")}, or statuses such as 503; comma-separated.`,
      {
        default: "connect-failure, refused-stream, unavailable, cancelled",
      },
    ),
    retryRemoteLocalities: field(bool(), "Whether further tries go to other localities.", {
      unsupported: {
        remedy: "remove the field: a further try goes to another instance, where the locality policy finds one",
        harmless: [false],
      },
    }),
    retryIgnorePreviousHosts: field(bool(), "Whether further tries avoid the instances of earlier ones.", {
      default: "true",
      unsupported: {
        remedy: "remove the field: a further try always goes to another instance if there is one",
        harmless: [true],
      },
    }),
    backoff: field(span(), "Basis of the time between tries, which grows exponentially and varies.", {
      default: "25 ms",
    }),
  }),
  (value, at): HttpRetrySpec => {
    const attempts = value.attempts ?? 0;
    if (attempts === 0 && at.clean()) {
      for (const name of ["perTryTimeout", "retryOn", "retryRemoteLocalities"]) {
        if (at.has(name)) at.errorOf(name, "has no effect without attempts", "give attempts, or remove the field");
      }
    }
    const { names = [], statuses = [] } = value.retryOn ?? {};
    return {
      attempts,
      perTryTimeoutMs: value.perTryTimeout ?? 0,
      retryOn:
        statuses.length > 0 && !names.includes("retriable-status-codes") ? [...names, "retriable-status-codes"] : names,
      retriableStatusCodes: statuses,
      backoffMs: value.backoff ?? 0,
    };
  },
);
