import { httpStatusOf, MAX_TIMER_MS } from "../../../shared/base/index.ts";
import type { FaultAbort, FaultDelay } from "../../../shared/wire/index.ts";
import { isGrpcContentType } from "../route/request-parts.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Longest delay that a header may ask for. */
const MAX_HEADER_DELAY_MS = 60_000;
/** Longest delay that is drawn, in means: one request in 22,000 would wait longer. */
const MAX_MEANS = 10;
const MESSAGE = "fault filter abort";

/**
 * Injects the faults of the chosen route, on the caller's side: a delay first, then an abort, each drawn on its own.
 * A delayed request counts from its arrival, so it looks to the caller like a slow service.
 */
export class FaultFilter implements Filter {
  readonly name = "fault";
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  onRequest(exchange: Exchange): "continue" | "wait" {
    const fault = exchange.route?.config.fault;
    if (fault === null || fault === undefined) return "continue";
    const { delay, abort } = fault;
    const delayMs = this.#delayMs(delay, exchange);
    if (delayMs > 0) {
      exchange.record.addFlag("DI");
      setTimeout(() => {
        if (!exchange.open) return;
        if (!this.#abort(abort, exchange)) exchange.resume();
      }, delayMs);
      return "wait";
    }
    return this.#abort(abort, exchange) ? "wait" : "continue";
  }

  #delayMs(delay: FaultDelay | null | undefined, exchange: Exchange): number {
    if (delay === null || delay === undefined || !this.#drawn(delay.percent)) return 0;
    const given = overrideOf(exchange, delay.overrideHeader);
    if (given !== undefined && /^\d{1,6}$/.test(given)) return Math.min(Number(given), MAX_HEADER_DELAY_MS);
    const mean = delay.exponentialDelayMs;
    return Math.min(mean > 0 ? drawExponential(mean, this.#random()) : delay.fixedDelayMs, MAX_TIMER_MS);
  }

  #abort(abort: FaultAbort | null | undefined, exchange: Exchange): boolean {
    if (abort === null || abort === undefined || !this.#drawn(abort.percent)) return false;
    const given = overrideOf(exchange, abort.overrideHeader);
    if (abort.grpcStatus > 0) return abortGrpc(exchange, grpcStatusOf(abort, given));
    const status = httpStatusFor(abort, given);
    if (status === 0) return false;
    exchange.reply(status, "fault_filter_abort", "FI", MESSAGE);
    return true;
  }

  #drawn(percent: number): boolean {
    return percent >= 100 || this.#random() * 100 < percent;
  }
}

/** The delay at a place in the distribution, 0 up to but not 1: half of all are below 0.69 means. */
export function drawExponential(meanMs: number, place: number): number {
  return meanMs * Math.min(-Math.log1p(-place), MAX_MEANS);
}

/** Of the header that may override the rule; undefined when the rule allows none, or the request has none. */
function overrideOf(exchange: Exchange, header: string): string | undefined {
  return header === "" ? undefined : exchange.head.headers.get(header.toLowerCase());
}

function httpStatusFor(abort: FaultAbort, given: string | undefined): number {
  if (given !== undefined && /^[2-5]\d\d$/.test(given)) return Number(given);
  // A status below 200 is no answer, so it injects nothing.
  return abort.httpStatus >= 200 ? abort.httpStatus : 0;
}

function grpcStatusOf(abort: FaultAbort, given: string | undefined): number {
  return given !== undefined && /^(?:[1-9]|1[0-6])$/.test(given) ? Number(given) : abort.grpcStatus;
}

/** A gRPC client reads its status in the head of an answer without a body; any other gets the HTTP status like it. */
function abortGrpc(exchange: Exchange, status: number): true {
  if (isGrpcContentType(exchange.head.headers.get("content-type"))) {
    const fields = { "content-type": "application/grpc", "grpc-status": String(status), "grpc-message": MESSAGE };
    exchange.reply(200, "fault_filter_abort", "FI", "", fields);
  } else exchange.reply(httpStatusOf(status), "fault_filter_abort", "FI", MESSAGE);
  return true;
}
