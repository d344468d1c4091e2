import type { HeaderList } from "../stream/header-list.ts";

/** What a caller or an edge has decided about a trace; undefined: nobody has yet. */
export type Sampling = "accept" | "deny" | "debug" | undefined;

/** The place of a request in a trace, as one set of headers says it. */
export interface TraceContext {
  /** 16 or 32 hexadecimal digits; empty when only a decision came. */
  readonly traceId: string;
  /** 16 digits; empty when only a decision came. */
  readonly spanId: string;
  /** Empty: the span is a root, or it is not known. */
  readonly parentSpanId: string;
  readonly sampling: Sampling;
}

/** One way to write a trace context into headers. */
export interface TraceFormat {
  /** Undefined when the headers hold none, or one that cannot be read: the trace then begins anew. */
  read(headers: HeaderList): TraceContext | undefined;
  write(headers: HeaderList, context: TraceContext): void;
  remove(headers: HeaderList): void;
}

const ZEROS = /^0+$/;

/** Not all zeros, which stands for none. */
export function isTraceId(text: string): boolean {
  return /^(?:[0-9a-f]{16}){1,2}$/.test(text) && !ZEROS.test(text);
}

export function isSpanId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text) && !ZEROS.test(text);
}
