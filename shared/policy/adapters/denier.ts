import { checked, field, int32, object, type Schema, string } from "../../model/index.ts";
import { goDuration } from "../fields.ts";
import type { DenierParams } from "../parameters.ts";

const FAILED_PRECONDITION = 9;

export const DENIER: Schema<DenierParams> = checked(
  object({
    status: field(
      object({
        code: field(int32({ min: 0, max: 16 }), "gRPC status code.", { default: "9 (FAILED_PRECONDITION)" }),
        message: field(string(), "What the caller is told."),
      }),
      "What every check answers.",
    ),
    validDuration: field(goDuration({ minMs: 0 }), "How long the answer may be used again.", { default: "5s" }),
    validUseCount: field(int32({ min: 0 }), "How often the answer may be used again.", { default: "1000" }),
  }),
  ({ status, validDuration, validUseCount }) => ({
    status: { code: status?.code ?? FAILED_PRECONDITION, message: status?.message ?? "" },
    validDurationMs: validDuration ?? 5000,
    validUseCount: validUseCount ?? 1000,
  }),
);
