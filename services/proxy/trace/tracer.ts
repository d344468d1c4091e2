import type { HeaderList } from "../stream/header-list.ts";
import { b3, b3Multi } from "./b3.ts";
import type { TraceContext, TraceFormat } from "./context.ts";
import { TraceIds } from "./ids.ts";
import { w3c } from "./w3c.ts";

/**
 * The headers by which the spans of one request find each other. A trace that comes in is continued in the formats in
 * which it came; a request without one begins a trace, in the formats of the settings. Whoever sends a request (a
 * sidecar for its application, a gateway for those outside) makes the span, and the receiving sidecar shares it, as
 * Zipkin has it: so a call has one span with two sides, and both proxies' log rows carry its ids.
 *
 * The decision whether a trace is kept is made once, where it begins, and goes with it. A trace that is not kept gets
 * no spans, so its headers are passed on as they are.
 */
export const TRACE_FORMATS = ["w3c", "b3", "b3multi"] as const;

export type TraceFormatName = (typeof TRACE_FORMATS)[number];

/** A single b3 header is read before the others of its kind (B3: it takes precedence). */
const FORMATS: Readonly<Record<TraceFormatName, TraceFormat>> = { w3c, b3, b3multi: b3Multi };

export interface TraceSettings {
  /** Of new traces; empty: all trace headers are left alone. */
  readonly formats: readonly TraceFormatName[];
  /** Share of new traces that are kept. */
  readonly samplingPercent: number;
}

export class Tracer {
  #formats: readonly TraceFormat[] = [];
  #samplingPercent = 0;
  readonly #random: () => number;
  readonly #ids = new TraceIds();

  constructor(settings: TraceSettings, random: () => number = Math.random) {
    this.use(settings);
    this.#random = random;
  }

  /** From now on. */
  use({ formats, samplingPercent }: TraceSettings): void {
    this.#formats = formats.map((name) => FORMATS[name]);
    this.#samplingPercent = samplingPercent;
  }

  /** Makes the span of a request that is about to be sent. */
  send(headers: HeaderList): void {
    if (this.#formats.length === 0) return;
    if (!hasTrace(headers) || !this.#continue(headers)) this.#begin(headers, this.#formats, undefined);
  }

  /** Shares the span of a request that was received; begins a trace when its sender had none. */
  receive(headers: HeaderList): void {
    if (this.#formats.length > 0 && !hasTrace(headers)) this.#begin(headers, this.#formats, undefined);
  }

  /** False when nothing could be read, and all of it is gone. */
  #continue(headers: HeaderList): boolean {
    const spanId = this.#ids.spanId();
    let continued = false;
    for (const name of TRACE_FORMATS) {
      const format = FORMATS[name];
      const context = format.read(headers);
      if (context === undefined || (format === b3Multi && headers.has("b3"))) {
        format.remove(headers);
        continue;
      }
      continued = true;
      this.#advance(headers, format, context, spanId);
    }
    return continued;
  }

  #advance(headers: HeaderList, format: TraceFormat, context: TraceContext, spanId: string): void {
    const sampling = context.sampling ?? this.#draw();
    if (context.traceId === "") {
      if (sampling !== "deny") this.#begin(headers, [format], sampling);
    } else if (sampling !== "deny" || context.sampling === undefined) {
      format.write(headers, { traceId: context.traceId, spanId, parentSpanId: context.spanId, sampling });
    }
  }

  #begin(headers: HeaderList, formats: readonly TraceFormat[], decided: TraceContext["sampling"]): void {
    const sampling = decided ?? this.#draw();
    const context = { traceId: this.#ids.traceId(), spanId: this.#ids.spanId(), parentSpanId: "", sampling };
    for (const format of formats) format.write(headers, context);
  }

  #draw(): "accept" | "deny" {
    return this.#random() * 100 < this.#samplingPercent ? "accept" : "deny";
  }
}

function hasTrace({ keys }: HeaderList): boolean {
  for (const key of keys) if (key === "traceparent" || key === "b3" || key.startsWith("x-b3-")) return true;
  return false;
}
