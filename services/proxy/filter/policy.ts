import { httpStatusOf } from "../../../shared/base/index.ts";
import type { CheckResult } from "../policy/check-client.ts";
import { denialBody } from "../policy/denial-body.ts";
import type { RequestRecord } from "../stream/record.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/** Asks whether a request may pass, for the destination's own proxy. Known answers cost no wait. */
export type CheckRequestPolicy = (record: RequestRecord) => CheckResult | Promise<CheckResult>;

export class PolicyFilter implements Filter {
  readonly name = "policy";
  readonly #check: CheckRequestPolicy;
  readonly #recordOf: (exchange: Exchange) => RequestRecord;

  /** `recordOf`: as what the request is judged, which at a gateway is not what it is forwarded as. */
  constructor(
    check: CheckRequestPolicy,
    recordOf: (exchange: Exchange) => RequestRecord = (exchange) => exchange.record,
  ) {
    this.#check = check;
    this.#recordOf = recordOf;
  }

  onRequest(exchange: Exchange): "continue" | "wait" {
    const result = this.#check(this.#recordOf(exchange));
    if (result instanceof Promise) {
      void result.then((late) => {
        if (exchange.open && this.#allows(exchange, late)) exchange.resume();
      });
      return "wait";
    }
    return this.#allows(exchange, result) ? "continue" : "wait";
  }

  #allows(exchange: Exchange, result: CheckResult): boolean {
    if (result.code === 0) return true;
    const { record } = exchange;
    record.checkCode = result.code;
    record.checkMessage = result.message;
    const status = httpStatusOf(result.code);
    exchange.reply(status, "ext_authz_denied", status === 429 ? "RL" : "UAEX", denialBody(result.code, result.message));
    return false;
  }
}
