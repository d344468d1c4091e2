import type { RequestRecord } from "../stream/record.ts";
import type { ResponseHead } from "../stream/stream.ts";
import type { Exchange } from "./exchange.ts";

/** What a filter says of a request: go on, or wait until `exchange.resume()` (or an answer). */
export type FilterVerdict = "continue" | "wait";

/**
 * One step of a request's way. Filters of a direction stand in one visible list (inbound/stack.ts, outbound/stack.ts);
 * requests meet them in order, responses in reverse.
 */
export interface Filter {
  readonly name: string;
  onRequest?(exchange: Exchange): FilterVerdict;
  /** May change the head that the client gets. */
  onResponse?(exchange: Exchange, head: ResponseHead): void;
  /** The exchange is over; its record is complete. */
  onComplete?(exchange: Exchange): void;
  /** A request could not be read, and the codec has answered it. */
  onRefused?(record: RequestRecord): void;
}
