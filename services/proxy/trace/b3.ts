import type { HeaderList } from "../stream/header-list.ts";
import { isSpanId, isTraceId, type Sampling, type TraceContext, type TraceFormat } from "./context.ts";

const SAMPLING: Readonly<Record<string, Sampling>> = {
  "1": "accept",
  true: "accept",
  "0": "deny",
  false: "deny",
  d: "debug",
};

function samplingOf(text: string): Sampling {
  return Object.hasOwn(SAMPLING, text) ? SAMPLING[text] : undefined;
}

/** Undefined unless the ids are whole, or there are none but a decision. */
function contextOf(traceId: string, spanId: string, parent: string, sampling: Sampling): TraceContext | undefined {
  if (traceId === "" && spanId === "" && sampling !== undefined) return decision(sampling);
  if (!isTraceId(traceId) || !isSpanId(spanId)) return undefined;
  return { traceId, spanId, parentSpanId: isSpanId(parent) ? parent : "", sampling };
}

function decision(sampling: Sampling): TraceContext {
  return { traceId: "", spanId: "", parentSpanId: "", sampling };
}

/** Zipkin's one header: `b3: <trace>-<span>-<1|0|d>-<parent>`, or a decision alone. */
export const b3: TraceFormat = {
  read(headers) {
    const value = headers.get("b3")?.toLowerCase();
    if (value === undefined) return undefined;
    const [traceId = "", spanId = "", state = "", parent = "", ...more] = value.split("-");
    if (more.length > 0) return undefined;
    if (spanId === "") return contextOf("", "", "", samplingOf(traceId));
    return contextOf(traceId, spanId, parent, samplingOf(state));
  },
  write(headers, { traceId, spanId, parentSpanId, sampling }) {
    const state = sampling === "debug" ? "d" : sampling === "accept" ? "1" : "0";
    const parent = parentSpanId === "" ? "" : `-${parentSpanId}`;
    headers.set("b3", "b3", `${traceId}-${spanId}-${state}${parent}`);
  },
  remove(headers) {
    headers.remove("b3");
  },
};

/** Zipkin's headers `X-B3-*`. */
export const b3Multi: TraceFormat = {
  read(headers) {
    const value = (name: string): string => headers.get(name)?.toLowerCase() ?? "";
    const sampling = value("x-b3-flags") === "1" ? "debug" : samplingOf(value("x-b3-sampled"));
    return contextOf(value("x-b3-traceid"), value("x-b3-spanid"), value("x-b3-parentspanid"), sampling);
  },
  write(headers, { traceId, spanId, parentSpanId, sampling }) {
    setField(headers, "x-b3-traceid", traceId);
    setField(headers, "x-b3-spanid", spanId);
    if (parentSpanId !== "") setField(headers, "x-b3-parentspanid", parentSpanId);
    // A debug flag implies the decision (B3: "don't also send the sampled header").
    if (sampling === "debug") setField(headers, "x-b3-flags", "1");
    else setField(headers, "x-b3-sampled", sampling === "accept" ? "1" : "0");
  },
  remove(headers) {
    for (const name of NAMES) headers.remove(name);
  },
};

const NAMES = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"] as const;

function setField(headers: HeaderList, name: string, value: string): void {
  headers.set(name, name, value);
}
