import { errorMessage, InternalError } from "../../shared/base/index.ts";
import { type AttributeBag, EvaluationError, type TrackedReference, TrackingBag } from "../../shared/policy/index.ts";
import type { CheckInstance, CheckOutcome, Handler, QuotaOutcome, ReportItem } from "./adapters/adapter.ts";
import {
  evaluateFields,
  evaluateListEntry,
  evaluateLogEntry,
  evaluateMetric,
  isMergeable,
  type ReportSubject,
} from "./instances.ts";
import type { LinkedInstance } from "./linked-config.ts";
import type { RuntimeRule, Snapshot } from "./snapshot.ts";

/**
 * Rules -> instances -> handlers.
 *
 * A rule whose condition cannot be evaluated does not apply, an instance that cannot be made is left out, and both are
 * counted: one missing attribute must not fail a request. A handler that fails, fails the check: then nobody knows
 * whether the request was allowed, and the plan's fail policy decides.
 *
 * Check: every instance of every rule that applies, side by side. The answer is valid as long as the shortest-lived of
 * theirs; the code is that of the first refusal in rule order (mesh-wide rules, then the namespace's, by name), the
 * message names every refusal. Quotas are charged only after that said OK. A quota's name selects nothing: every quota
 * action that applies is charged, and the least grant counts, so that two limits on one request both hold.
 */
export interface QuotaOrder {
  readonly quota: string;
  readonly amount: number;
  readonly bestEffort: boolean;
}

export interface CheckOrder {
  readonly namespace: string;
  readonly bag: AttributeBag;
  /** Whose deduplication ids these are. */
  readonly caller: string;
  /** "": not deduplicated. */
  readonly deduplicationId: string;
  readonly quotas: readonly QuotaOrder[];
}

export interface CheckAnswer extends CheckOutcome {
  readonly referenced: readonly TrackedReference[];
  readonly quotas: readonly (QuotaOutcome & { readonly quota: string })[];
}

/** What is counted. */
export type DispatchEvent = "match_error" | "instance_error" | "handler_error";

export interface DispatcherOptions {
  readonly onEvent: (event: DispatchEvent, rule: string, error: unknown) => void;
  /** Whether a service has proxies, which then report the inbound side themselves. */
  readonly hasProxy: (host: string) => boolean;
}

/** What a request gets that no rule looks at. */
const NOTHING_APPLIES: CheckOutcome = { code: 0, message: "", validMs: 10_000, validUses: 200 };
const UNLIMITED_QUOTA_VALID_MS = 10_000;

interface Task {
  readonly rule: RuntimeRule;
  readonly handler: Handler;
  readonly linked: LinkedInstance;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Throws InternalError when a handler failed. */
  async check(snapshot: Snapshot, order: CheckOrder): Promise<CheckAnswer> {
    const bag = new TrackingBag(order.bag);
    const tasks = this.#tasksFor(snapshot.rulesFor(order.namespace), bag);
    const outcome = await this.#precondition(tasks, bag);
    const quotas = outcome.code === 0 ? await this.#quotas(tasks, bag, order) : [];
    const exhausted = quotas.filter((result, i) => refused(result, order.quotas[i])).map((result) => result.quota);
    const message = exhausted.length > 0 ? `Quota is exhausted for: ${exhausted.join(", ")}` : outcome.message;
    return { ...outcome, message, referenced: bag.referenced, quotas };
  }

  /** Hands a row to every report handler that wants it. */
  report(
    snapshot: Snapshot,
    namespace: string,
    subjects: readonly { subject: ReportSubject; each: boolean; outbound: boolean }[],
  ): void {
    const perHandler = new Map<Handler, ReportItem[]>();
    const rules = snapshot.rulesFor(namespace);
    for (const { subject, each, outbound } of subjects) {
      for (const entry of rules) {
        if (!this.#sees(entry, subject, outbound) || !this.#applies(entry, subject.bag)) continue;
        this.#collect(entry, subject, each, perHandler);
      }
    }
    for (const [handler, items] of perHandler) {
      try {
        handler.report?.(items);
      } catch (error) {
        this.#options.onEvent("handler_error", handler.name, error);
      }
    }
  }

  #tasksFor(rules: readonly RuntimeRule[], bag: AttributeBag): Task[] {
    return rules
      .filter((rule) => rule.actions.some(({ instances }) => instances.some(({ variety }) => variety !== "REPORT")))
      .filter((rule) => this.#applies(rule, bag))
      .flatMap((rule) =>
        rule.actions.flatMap(({ handler, instances }) => instances.map((linked) => ({ rule, handler, linked }))),
      );
  }

  async #precondition(tasks: readonly Task[], bag: AttributeBag): Promise<CheckOutcome> {
    const running: Promise<{ handler: Handler; outcome: CheckOutcome }>[] = [];
    for (const { rule, handler, linked } of tasks) {
      if (linked.variety !== "CHECK") continue;
      const instance = this.#attempt(rule, () => toCheckInstance(linked, bag));
      if (instance === undefined) continue;
      running.push(checkWith(handler, instance));
    }
    if (running.length === 0) return NOTHING_APPLIES;
    const results = await Promise.allSettled(running);
    let combined: CheckOutcome = {
      code: 0,
      message: "",
      validMs: Number.POSITIVE_INFINITY,
      validUses: Number.POSITIVE_INFINITY,
    };
    const messages: string[] = [];
    for (const result of results) {
      if (result.status === "rejected") throw result.reason;
      const { handler, outcome } = result.value;
      if (outcome.code !== 0) messages.push(`${handler.name}:${outcome.message}`);
      combined = {
        code: combined.code === 0 ? outcome.code : combined.code,
        message: messages.join(", "),
        validMs: Math.min(combined.validMs, outcome.validMs),
        validUses: Math.min(combined.validUses, outcome.validUses),
      };
    }
    return combined;
  }

  async #quotas(
    tasks: readonly Task[],
    bag: AttributeBag,
    order: CheckOrder,
  ): Promise<(QuotaOutcome & { quota: string })[]> {
    if (order.quotas.length === 0) return [];
    const charged = tasks.flatMap(({ rule, handler, linked }) => {
      const { instance } = linked;
      if (instance.template !== "quota") return [];
      const dimensions = this.#attempt(rule, () => evaluateFields(instance.dimensions, bag));
      return dimensions === undefined ? [] : [{ handler, name: linked.name, dimensions }];
    });
    return Promise.all(
      order.quotas.map(async ({ quota, amount, bestEffort }) => {
        const outcomes = await Promise.all(
          charged.map(async ({ handler, name, dimensions }) => {
            const id =
              order.deduplicationId === "" ? undefined : { caller: order.caller, id: order.deduplicationId + quota };
            const ask = { instance: name, dimensions, amount, bestEffort, ...(id && { deduplication: id }) };
            try {
              return (await handler.quota?.(ask)) ?? { granted: 0, validMs: 0 };
            } catch (error) {
              this.#options.onEvent("handler_error", handler.name, error);
              return { granted: 0, validMs: 0 };
            }
          }),
        );
        let least: QuotaOutcome | undefined;
        for (const outcome of outcomes) {
          if (least === undefined || outcome.granted < least.granted) least = outcome;
        }
        return { quota, ...(least ?? { granted: amount, validMs: UNLIMITED_QUOTA_VALID_MS }) };
      }),
    );
  }

  /** A rule that does not ask for the reporter sees each request once: where the destination's proxy reports it. */
  #sees({ rule }: RuntimeRule, { bag }: ReportSubject, outbound: boolean): boolean {
    if (!outbound || rule.readsReporter) return true;
    const host = bag.get("destination.service");
    return typeof host !== "string" || !this.#options.hasProxy(host);
  }

  #applies(entry: RuntimeRule, bag: AttributeBag): boolean {
    try {
      return isMatch(entry, bag);
    } catch (error) {
      this.#options.onEvent("match_error", entry.rule.key, error);
      return false;
    }
  }

  #collect(entry: RuntimeRule, subject: ReportSubject, each: boolean, perHandler: Map<Handler, ReportItem[]>): void {
    for (const { handler, instances } of entry.actions) {
      for (const { name, instance } of instances) {
        let item: ReportItem | undefined;
        if (instance.template === "metric" && isMergeable(instance) !== each) {
          item = this.#attempt(entry, () => evaluateMetric(name, instance, subject, each));
        } else if (instance.template === "logentry" && each) {
          item = this.#attempt(entry, () => evaluateLogEntry(name, instance, subject));
        }
        if (item === undefined) continue;
        const items = perHandler.get(handler);
        if (items === undefined) perHandler.set(handler, [item]);
        else items.push(item);
      }
    }
  }

  #attempt<T>(entry: RuntimeRule, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      this.#options.onEvent("instance_error", entry.rule.key, error);
      return undefined;
    }
  }
}

/** Whether the rule's condition holds. Throws EvaluationError when that cannot be told. */
export function isMatch({ rule }: RuntimeRule, bag: AttributeBag): boolean {
  if ((bag.get("context.protocol") === "tcp") !== rule.tcp) return false;
  return rule.match === undefined || rule.match.evaluate(bag);
}

/** Throws EvaluationError. */
export function toCheckInstance({ name, instance }: LinkedInstance, bag: AttributeBag): CheckInstance {
  if (instance.template === "listentry")
    return { template: "listentry", name, value: evaluateListEntry(instance, bag) };
  return { template: "checknothing", name };
}

async function checkWith(
  handler: Handler,
  instance: CheckInstance,
): Promise<{ handler: Handler; outcome: CheckOutcome }> {
  try {
    const outcome = await handler.check?.(instance);
    return { handler, outcome: outcome ?? NOTHING_APPLIES };
  } catch (error) {
    throw new InternalError(`performing check operation failed: ${handler.name}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function refused(result: QuotaOutcome, order: QuotaOrder | undefined): boolean {
  if (order === undefined || order.amount === 0) return false;
  return result.granted === 0 || (!order.bestEffort && result.granted < order.amount);
}
