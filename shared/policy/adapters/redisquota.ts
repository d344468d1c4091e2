import { checked, enumeration, field, int32, list, map, object, type Schema, string } from "../../model/index.ts";
import { goDuration, instanceName } from "../fields.ts";
import type { RedisQuotaLimitParams, RedisQuotaParams } from "../parameters.ts";
import { reportRepeats } from "./quota-names.ts";

/**
 * A quota that waits for Redis would stall the mesh with it, so every handler says what happens without: OPEN (the
 * default, as for any check that nobody answers) grants, CLOSED refuses, LOCAL counts a share of the limit in each Mixer.
 */
const ON_ERROR = { OPEN: "open", CLOSED: "closed", LOCAL: "local" } as const;

const amount = int32({ min: 1, max: 1e15 });

const override = checked(
  object({
    dimensions: field(map(string()), "Dimensions and the values they must have; others do not matter.", {
      required: true,
    }),
    maxAmount: field(amount, "The limit for these.", { required: true }),
  }),
  ({ dimensions, maxAmount }, at) => {
    if (dimensions !== undefined && Object.keys(dimensions).length === 0 && at.clean("dimensions")) {
      at.errorOf("dimensions", "is empty", "name at least one dimension");
    }
    return { dimensions: dimensions ?? {}, maxAmount: maxAmount ?? 0 };
  },
);

const quota = checked(
  object({
    name: field(instanceName("quota"), "Full name of the quota instance.", { required: true }),
    maxAmount: field(amount, "How much is granted in a window.", { required: true }),
    validDuration: field(goDuration({ minMs: 1 }), "The window.", { required: true }),
    bucketDuration: field(goDuration({ minMs: 0 }), "How finely a rolling window forgets; shorter than the window."),
    rateLimitAlgorithm: field(
      enumeration(["FIXED_WINDOW", "ROLLING_WINDOW"]),
      "FIXED_WINDOW (the default) starts a new window when the last one is over, ROLLING_WINDOW looks back from each request.",
    ),
    overrides: field(
      list(override),
      "Limits for some values of the dimensions; all that match count, the last one's amount stands.",
    ),
  }),
  ({ name, maxAmount, validDuration, bucketDuration, rateLimitAlgorithm, overrides }, at): RedisQuotaLimitParams => {
    const isRolling = rateLimitAlgorithm === "ROLLING_WINDOW";
    if (isRolling && validDuration !== undefined && at.clean("bucketDuration")) {
      const bucketMs = bucketDuration ?? 0;
      const remedy = `give more than 0 and less than "${validDuration}ms"`;
      if (bucketMs === 0) at.errorOf("bucketDuration", "a rolling window needs one", remedy);
      else if (bucketMs >= validDuration) at.errorOf("bucketDuration", "not shorter than validDuration", remedy);
    }
    return {
      name: name ?? "",
      maxAmount: maxAmount ?? 0,
      validDurationMs: validDuration ?? 0,
      bucketDurationMs: bucketDuration ?? 0,
      rateLimitAlgorithm: rateLimitAlgorithm ?? "FIXED_WINDOW",
      overrides: overrides ?? [],
    };
  },
);

const serverUrl = checked(string(), (text, at) => {
  if (text === "") return at.error("is empty", "leave the field out to use this Mixer's Redis");
  const url = /^rediss?:\/\//.test(text) ? text : `redis://${text}`;
  if (URL.canParse(url) && new URL(url).hostname !== "") return text;
  return at.error(`${JSON.stringify(text)} is not an address of Redis`, "write host:port or redis://host:port");
});

export const REDIS_QUOTA: Schema<RedisQuotaParams> = checked(
  object({
    quotas: field(list(quota), "The limits, one for each quota instance.", { required: true }),
    redisServerUrl: field(serverUrl, "Which Redis.", { default: "the one that Mixer was started with" }),
    connectionPoolSize: field(
      int32({ min: 0, max: 1000 }),
      "Connections at most, 10 by default; a Mixer needs only one, over which its calls are pipelined.",
    ),
    onError: field(
      enumeration(["OPEN", "CLOSED", "LOCAL"]),
      "Without Redis: OPEN (the default) grants, CLOSED refuses, LOCAL counts a share of the limit in each Mixer.",
    ),
  }),
  ({ quotas, redisServerUrl, onError }, at) => {
    if (quotas?.length === 0 && at.clean("quotas")) at.errorOf("quotas", "is empty", "give at least one limit");
    reportRepeats(quotas ?? [], at);
    return {
      quotas: quotas ?? [],
      redisServerUrl,
      onError: ON_ERROR[onError ?? "OPEN"],
    };
  },
);
