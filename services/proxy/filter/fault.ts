import type { FaultAbort, FaultDelay } from "../../../shared/wire/index.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Longest delay that a header may ask for. */
const MAX_HEADER_DELAY_MS = 60_000;

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
    const delayMs = delay !== null && delay !== undefined && this.#drawn(delay.percent) ? delayOf(delay, exchange) : 0;
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

  #abort(abort: FaultAbort | null | undefined, exchange: Exchange): boolean {
    if (abort === null || abort === undefined || !this.#drawn(abort.percent)) return false;
    const status = abortOf(abort, exchange);
    if (status === 0) return false;
    exchange.reply(status, "fault_filter_abort", "FI", "fault filter abort");
    return true;
  }

  #drawn(percent: number): boolean {
    return percent >= 100 || this.#random() * 100 < percent;
  }
}

/** Milliseconds, from the override header when the request has it. */
function delayOf(delay: FaultDelay, exchange: Exchange): number {
  const given = delay.overrideHeader === "" ? undefined : exchange.head.headers.get(delay.overrideHeader.toLowerCase());
  if (given !== undefined && /^\d{1,6}$/.test(given)) return Math.min(Number(given), MAX_HEADER_DELAY_MS);
  return delay.fixedDelayMs;
}

function abortOf(abort: FaultAbort, exchange: Exchange): number {
  const given = abort.overrideHeader === "" ? undefined : exchange.head.headers.get(abort.overrideHeader.toLowerCase());
  if (given !== undefined && /^[2-5]\d\d$/.test(given)) return Number(given);
  // A status below 200 is no answer, so it injects nothing.
  return abort.httpStatus >= 200 ? abort.httpStatus : 0;
}
