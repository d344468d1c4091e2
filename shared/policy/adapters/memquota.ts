import { checked, field, int32, list, map, object, type Schema, string } from "../../model/index.ts";
import { goDuration, instanceName } from "../fields.ts";
import type { MemQuotaLimitParams, MemQuotaParams } from "../parameters.ts";
import { reportRepeats } from "./quota-names.ts";

const amount = int32({ min: 0, max: 1e15 });

const override = checked(
  object({
    dimensions: field(map(string()), "Dimensions and the values they must have; others do not matter."),
    maxAmount: field(amount, "The limit for these.", { required: true }),
    validDuration: field(goDuration({ minMs: 0 }), "The window for these.", { default: "that of the quota" }),
  }),
  ({ dimensions, maxAmount, validDuration }) => ({
    dimensions: dimensions ?? {},
    maxAmount: maxAmount ?? 0,
    validDurationMs: validDuration,
  }),
);

const quota = checked(
  object({
    name: field(instanceName("quota"), "Full name of the quota instance.", { required: true }),
    maxAmount: field(amount, "How much is granted in a window."),
    validDuration: field(goDuration({ minMs: 0 }), "The window; 0 for a counter that never refills by itself."),
    overrides: field(list(override), "Limits for some values of the dimensions; the first that matches counts."),
  }),
  ({ name, maxAmount, validDuration, overrides }): MemQuotaLimitParams => ({
    name: name ?? "",
    maxAmount: maxAmount ?? 0,
    validDurationMs: validDuration ?? 0,
    overrides: overrides ?? [],
  }),
);

export const MEM_QUOTA: Schema<MemQuotaParams> = checked(
  object({
    quotas: field(list(quota), "The limits, one for each quota instance."),
    minDeduplicationDuration: field(
      goDuration({ minMs: 1 }),
      "How long a repeated question is known as one; 1s by default.",
    ),
  }),
  ({ quotas, minDeduplicationDuration }, at) => {
    reportRepeats(quotas ?? [], at);
    return { quotas: quotas ?? [], minDeduplicationDurationMs: minDeduplicationDuration ?? 1000 };
  },
);
