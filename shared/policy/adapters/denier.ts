import { checked, field, int32, object, type Schema, string } from "../../model/index.ts";
import { goDuration } from "../fields.ts";
import type { DenierParams } from "../parameters.ts";

const FAILED_PRECONDITION = 9;

export const DENIER: Schema<DenierParams> = checked(
  object({
    status: field(
      object({
        code: field(int32({ min: 0, max: 16 }), "gRPC status code; 9 (FAILED_PRECONDITION) by default."),
        message: field(string(), "What the caller is told."),
      }),
      "What every check answers.",
    ),
    validDuration: field(goDuration({ minMs: 0 }), "How long the answer may be used again; 5s by default."),
    validUseCount: field(int32({ min: 0 }), "How often the answer may be used again; 1000 by default."),
  }),
  ({ status, validDuration, validUseCount }) => ({
    status: { code: status?.code ?? FAILED_PRECONDITION, message: status?.message ?? "" },
    validDurationMs: validDuration ?? 5000,
    validUseCount: validUseCount ?? 1000,
  }),
);
