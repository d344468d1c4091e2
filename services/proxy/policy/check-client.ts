import { randomUUID } from "node:crypto";
import {
  type Clock,
  errorMessage,
  GRPC_INTERNAL,
  GRPC_OK,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAVAILABLE,
} from "../../../shared/base/index.ts";
import type { Requester } from "../../../shared/bus/index.ts";
import { toWireAttribute } from "../../../shared/model/index.ts";
import type { Metrics } from "../../../shared/obs/index.ts";
import {
  type AttributeValueInput,
  CheckRequest,
  CheckResponse,
  type Input,
  type Plan,
  type ProxyIdentity,
  type QuotaRequestInput,
} from "../../../shared/wire/index.ts";
import type { AttributeReader } from "./attribute-reader.ts";
import { type CheckAnswer, CheckCache, CheckScope } from "./check-cache.ts";
import { QuotaRules } from "./quota-rules.ts";

/*
 * Whether a request may pass. A plan without checks and quotas asks nothing; an answer kept under what it depends on is
 * given at once, without a promise; only then is Mixer asked, with the attributes that the plan says some rule may
 * read. A request that must be charged a quota is always asked (a kept refusal still refuses it), for a quota
 * spent from memory would be spent twice.
 *
 * Asking has a deadline. When nothing came back after a fifth of it, the same question goes out once more, with the
 * same deduplication id so that nothing is charged twice, and the first answer counts; the queue group most likely
 * gives it to another replica, so one that is stuck costs a request the hedge delay rather than the deadline. An
 * error is followed by the second question at once. With no answer, or with Mixer's own internal error, the plan
 * says whether the request passes. Questions in flight are bounded; one too many is treated like no answer.
 */

export interface CheckResult extends CheckAnswer {
  /**
   * `none`: no rule asks. `cache` and `mixer`: an answer. `fail-open` and `fail-closed`: there was none in time.
   */
  readonly source: "none" | "cache" | "mixer" | "fail-open" | "fail-closed";
}

export interface CheckClientOptions {
  readonly bus: Requester;
  readonly identity: ProxyIdentity;
  readonly clock: Clock;
  /** For an answer, in milliseconds; default 100. */
  readonly deadlineMs?: number;
  /** After which the question is repeated, in milliseconds; default 20. */
  readonly hedgeMs?: number;
  /** Questions in flight; default 4096. */
  readonly maxInFlight?: number;
  readonly cache?: CheckCache;
  readonly metrics?: Metrics;
}

interface PlanState {
  readonly revision: number;
  readonly attributes: readonly string[];
  readonly failOpen: boolean;
  readonly quotas: QuotaRules | undefined;
  readonly scope: CheckScope;
}

const NO_RULE: CheckResult = Object.freeze({ code: GRPC_OK, message: "", source: "none" });
const FAIL_OPEN: CheckResult = Object.freeze({ code: GRPC_OK, message: "", source: "fail-open" });

export class CheckClient {
  readonly #options: CheckClientOptions;
  readonly #subject: string;
  readonly #deadlineMs: number;
  readonly #hedgeMs: number;
  readonly #maxInFlight: number;
  readonly #cache: CheckCache;
  readonly #plans = new WeakMap<Plan, PlanState>();
  readonly #cached = new WeakMap<CheckAnswer, CheckResult>();
  readonly #outcomes;
  readonly #idBase = randomUUID();
  #idCounter = 0;
  #inFlight = 0;
  #lastFailure = "";

  constructor(options: CheckClientOptions) {
    this.#options = options;
    this.#subject = options.bus.subjects.policyCheck(options.identity);
    this.#deadlineMs = options.deadlineMs ?? 100;
    this.#hedgeMs = options.hedgeMs ?? 20;
    this.#maxInFlight = options.maxInFlight ?? 4096;
    this.#cache = options.cache ?? new CheckCache();
    this.#outcomes = options.metrics?.counter(
      "checks_total",
      "Requests checked against policy, by where the answer came from.",
      ["source"],
    );
  }

  /** Why Mixer was last not asked with success; empty when it never failed. */
  get lastFailure(): string {
    return this.#lastFailure;
  }

  /** The answer itself when it is known, else a promise of it that never rejects. */
  check(plan: Plan, planRevision: number, read: AttributeReader): CheckResult | Promise<CheckResult> {
    const hasCheck = plan.check !== undefined && plan.check !== null;
    if (!hasCheck && plan.quotas.length === 0) return NO_RULE;
    const state = this.#stateOf(plan, planRevision);
    const quotas = state.quotas?.requestsFor(read);
    const hasQuotas = quotas !== undefined && quotas.length > 0;
    if (!hasCheck && !hasQuotas) return NO_RULE;
    const known = this.#cache.lookup(state.scope, read, this.#options.clock.monotonic(), hasQuotas);
    if (known !== undefined) {
      this.#outcomes?.inc({ source: "cache" });
      return this.#asCached(known);
    }
    return this.#ask(state, read, quotas ?? []);
  }

  #stateOf(plan: Plan, revision: number): PlanState {
    const known = this.#plans.get(plan);
    if (known !== undefined && known.revision === revision) return known;
    const state: PlanState = {
      revision,
      attributes: plan.check?.attributes ?? [],
      failOpen: plan.check?.failOpen ?? true,
      quotas: plan.quotas.length === 0 ? undefined : new QuotaRules(plan.quotas),
      scope: new CheckScope(),
    };
    this.#plans.set(plan, state);
    return state;
  }

  #asCached(answer: CheckAnswer): CheckResult {
    const known = this.#cached.get(answer);
    if (known !== undefined) return known;
    const result: CheckResult = { code: answer.code, message: answer.message, source: "cache" };
    this.#cached.set(answer, result);
    return result;
  }

  async #ask(state: PlanState, read: AttributeReader, quotas: readonly QuotaRequestInput[]): Promise<CheckResult> {
    if (this.#inFlight >= this.#maxInFlight) return this.#failed(state, `${this.#maxInFlight} checks are in flight`);
    this.#inFlight++;
    try {
      const attributes: Record<string, AttributeValueInput> = {};
      for (const reference of state.attributes) {
        const value = read(reference);
        const wire = value === undefined ? undefined : toWireAttribute(reference, value);
        if (wire !== undefined) attributes[reference] = wire;
      }
      const response = await this.#askHedged({
        deduplicationId: `${this.#idBase}-${++this.#idCounter}`,
        planRevision: state.revision,
        attributes,
        quotas: [...quotas],
      });
      if (response.code === GRPC_INTERNAL)
        return this.#failed(state, response.message || "Mixer had an internal error");
      const answer: CheckAnswer = { code: response.code, message: response.message };
      if (isKept(response, quotas))
        this.#cache.store(state.scope, read, this.#options.clock.monotonic(), answer, response);
      this.#outcomes?.inc({ source: "mixer" });
      if (answer.code === GRPC_OK && isExhausted(response, quotas)) {
        return { code: GRPC_RESOURCE_EXHAUSTED, message: answer.message, source: "mixer" };
      }
      return { ...answer, source: "mixer" };
    } catch (error) {
      return this.#failed(state, errorMessage(error));
    } finally {
      this.#inFlight--;
    }
  }

  /** The first answer to the question or its repetition; throws the last error when there is none. */
  #askHedged(request: Input<typeof CheckRequest>): Promise<CheckResponse> {
    const { bus, clock } = this.#options;
    const startedMs = clock.monotonic();
    const loser = new AbortController();
    return new Promise((resolve, reject) => {
      let pending = 0;
      let isHedged = false;
      const send = (): void => {
        pending++;
        const timeoutMs = Math.max(1, this.#deadlineMs - (clock.monotonic() - startedMs));
        bus.request(this.#subject, CheckRequest, request, CheckResponse, { timeoutMs, signal: loser.signal }).then(
          (response) => {
            cancelHedge();
            resolve(response);
            loser.abort();
          },
          (error: unknown) => {
            pending--;
            hedge();
            if (pending === 0) reject(error);
          },
        );
      };
      const hedge = (): void => {
        cancelHedge();
        if (isHedged || loser.signal.aborted || clock.monotonic() - startedMs >= this.#deadlineMs) return;
        isHedged = true;
        send();
      };
      const cancelHedge = clock.after(this.#hedgeMs, hedge);
      send();
    });
  }

  #failed(state: PlanState, reason: string): CheckResult {
    this.#lastFailure = reason;
    const source = state.failOpen ? "fail-open" : "fail-closed";
    this.#outcomes?.inc({ source });
    if (state.failOpen) return FAIL_OPEN;
    return { code: GRPC_UNAVAILABLE, message: "policy could not be checked in time", source };
  }
}

/** Mixer says what it granted; less than was asked for is a refusal. */
function isExhausted(response: CheckResponse, quotas: readonly QuotaRequestInput[]): boolean {
  return response.quotas.some(
    ({ quota, granted }) => granted < (quotas.find((asked) => asked.quota === quota)?.amount ?? 0),
  );
}

/** An answer that a quota had a part in is not kept, but for "allowed": whoever is to be charged asks again anyway. */
function isKept(response: CheckResponse, quotas: readonly QuotaRequestInput[]): boolean {
  if (quotas.length === 0 || response.code === GRPC_OK) return true;
  return response.code !== GRPC_RESOURCE_EXHAUSTED && response.quotas.length === 0;
}
