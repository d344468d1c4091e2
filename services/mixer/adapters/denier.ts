import type { DenierParams } from "../../../shared/policy/index.ts";
import type { CheckOutcome, Handler, QuotaOutcome } from "./adapter.ts";

/** Answers every check with its configured status, and grants no quota. */
export class DenierHandler implements Handler {
  readonly name: string;
  readonly #outcome: CheckOutcome;

  constructor(name: string, params: DenierParams) {
    this.name = name;
    this.#outcome = {
      code: params.status.code,
      message: params.status.message,
      validMs: params.validDurationMs,
      validUses: params.validUseCount,
    };
  }

  check(): CheckOutcome {
    return this.#outcome;
  }

  quota(): QuotaOutcome {
    return { granted: 0, validMs: 0 };
  }

  close(): void {}
}
