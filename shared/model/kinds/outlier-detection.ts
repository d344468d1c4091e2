import { bool, int32 } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { OutlierDetectionSpec } from "../specs-networking.ts";
import { span, uint32 } from "./networking.ts";

const ONE_SORT = "remove the field: connections that fail and answers that say so are counted together";

/** Ejection of failing instances. */
export const outlierDetection: Schema<OutlierDetectionSpec> = checked(
  object(
    {
      consecutiveErrors: field(int32({ min: 0 }), "Answers 502, 503 or 504 in a row that eject an instance.", {
        deprecated: "use consecutiveGatewayErrors or consecutive5xxErrors",
      }),
      splitExternalLocalOriginErrors: field(bool(), "Whether failed connections are counted apart.", {
        unsupported: { remedy: ONE_SORT, harmless: [false] },
      }),
      consecutiveLocalOriginFailures: field(uint32(), "Failed connections in a row that eject an instance.", {
        unsupported: { remedy: ONE_SORT, harmless: [0] },
      }),
      consecutiveGatewayErrors: field(uint32(), "Answers 502, 503 or 504 in a row that eject an instance; 0: never.", {
        default: "never",
      }),
      consecutive5xxErrors: field(uint32(), "5xx answers in a row that eject an instance; 0: never.", {
        default: "5",
        protoName: "consecutive_5xx_errors",
      }),
      interval: field(span(), "How often instances are judged.", { default: "10 s" }),
      baseEjectionTime: field(span(), "How long an instance stays ejected the first time.", { default: "30 s" }),
      maxEjectionPercent: field(int32({ min: 0, max: 100 }), "Share of instances that may be ejected at once.", {
        default: "10",
      }),
      minHealthPercent: field(int32({ min: 0, max: 100 }), "Share of healthy instances below which none is ejected.", {
        default: "0",
      }),
      outlierDetectionHttpErrorCodes: field(list(int32({ min: 100, max: 599 })), "Statuses that count as errors.", {
        unsupported: { remedy: "use consecutive5xxErrors or consecutiveGatewayErrors" },
      }),
      failurePercentageThreshold: field(
        int32({ min: 0, max: 100 }),
        "Share of failed requests that ejects an instance.",
        {
          unsupported: { remedy: "use consecutive5xxErrors or consecutiveGatewayErrors", harmless: [0] },
        },
      ),
    },
    [],
    { http: "write its fields in its place: they are those of outlierDetection itself" },
  ),
  (value, at): OutlierDetectionSpec => {
    const failures = value.consecutiveLocalOriginFailures ?? 0;
    if (failures > 0 && value.splitExternalLocalOriginErrors !== true)
      at.errorOf(
        "consecutiveLocalOriginFailures",
        "has no effect without splitExternalLocalOriginErrors",
        "remove it, or count such failures apart",
      );
    return {
      consecutive5xxErrors: value.consecutive5xxErrors,
      consecutiveGatewayErrors: value.consecutiveGatewayErrors ?? value.consecutiveErrors,
      intervalMs: value.interval ?? 0,
      baseEjectionMs: value.baseEjectionTime ?? 0,
      maxEjectionPercent: value.maxEjectionPercent ?? 0,
      minHealthPercent: value.minHealthPercent ?? 0,
    };
  },
);
