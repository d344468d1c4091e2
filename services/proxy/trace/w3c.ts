import { isSpanId, isTraceId, type TraceFormat } from "./context.ts";

const VERSION_0 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Of a version to come: what version 00 knows stands in front. */
const LATER = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** W3C Trace Context: `traceparent`. `tracestate` belongs to others; it goes along, or goes when the trace begins anew. */
export const w3c: TraceFormat = {
  read(headers) {
    const value = headers.get("traceparent");
    if (value === undefined) return undefined;
    const [, traceId = "", spanId = "", flags = ""] = (value.startsWith("00") ? VERSION_0 : LATER).exec(value) ?? [];
    if (!isTraceId(traceId) || !isSpanId(spanId)) return undefined;
    const sampled = (Number.parseInt(flags, 16) & 1) === 1;
    return { traceId, spanId, parentSpanId: "", sampling: sampled ? "accept" : "deny" };
  },
  write(headers, { traceId, spanId, sampling }) {
    const flags = sampling === "accept" || sampling === "debug" ? "01" : "00";
    headers.set("traceparent", "traceparent", `00-${traceId.padStart(32, "0")}-${spanId}-${flags}`);
  },
  remove(headers) {
    headers.remove("traceparent");
    headers.remove("tracestate");
  },
};
