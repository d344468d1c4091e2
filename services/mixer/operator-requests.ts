import {
  errorMessage,
  grpcStatusName,
  httpStatusOf,
  InvalidArgumentError,
  type MeshError,
} from "../../shared/base/index.ts";
import { type BusMessage, parseJson, type ServeReply } from "../../shared/bus/index.ts";
import { type AttributeBag, EvaluationError, type Value } from "../../shared/policy/index.ts";
import type { ExplainedAction, ExplainedRule, MixerCheckAnswer, MixerReportAnswer } from "../../shared/wire/index.ts";
import { attributesFromJson, bagOf } from "./attribute-json.ts";
import { rowContextOf } from "./attributes.ts";
import { type Dispatcher, isMatch, toCheckInstance } from "./dispatcher.ts";
import type { MergedValues } from "./instances.ts";
import type { RuntimeAction, RuntimeRule, Snapshot, SnapshotHolder } from "./snapshot.ts";

/*
 * What people ask a Mixer: whether a request with these attributes would pass and which rule says so, and to take a report
 * in as if a proxy had sent it. The verdict is the dispatcher's own. To explain it every rule is looked at once more, and
 * checks are asked again, which changes nothing; quotas are charged only when the question names them.
 */

export interface OperatorRequestsOptions {
  readonly snapshots: SnapshotHolder;
  readonly dispatcher: Dispatcher;
  readonly replica: string;
}

const MAX_QUOTAS = 100;
/** An answer must fit into a message. */
const MAX_RULES = 500;
const MAX_ID_CHARS = 128;

export class OperatorRequests {
  readonly #options: OperatorRequestsOptions;

  constructor(options: OperatorRequestsOptions) {
    this.#options = options;
  }

  /** Throws InvalidArgumentError for a question that cannot be understood. */
  async check(message: BusMessage): Promise<ServeReply> {
    const { snapshots, dispatcher, replica } = this.#options;
    const request = objectOf(message);
    const attributes = attributesFromJson(request["attributes"]);
    const quotas = quotasOf(request["quotas"]);
    const bag = bagOf(attributes);
    const snapshot = snapshots.current;
    const namespace = rowContextOf(bag, false).namespace;
    const verdict = await dispatcher
      .check(snapshot, {
        namespace,
        bag,
        caller: "operator",
        deduplicationId: idOf(request["deduplicationId"]),
        quotas: quotas.map(([quota, amount]) => ({ quota, amount, bestEffort: false })),
      })
      .catch(failedCheck);
    const explained = await this.#explain(snapshot, namespace, bag);
    const answer: MixerCheckAnswer = {
      replica,
      revision: snapshot.revision,
      code: verdict.code,
      status: grpcStatusName(verdict.code),
      httpStatus: httpStatusOf(verdict.code),
      message: verdict.message,
      validMs: verdict.validMs,
      validUses: Number.isFinite(verdict.validUses) ? verdict.validUses : 0,
      referenced: verdict.referenced,
      quotas: verdict.quotas.map(({ quota, granted }) => ({
        quota,
        amount: quotas.find(([name]) => name === quota)?.[1] ?? 0,
        granted,
      })),
      rules: explained.slice(0, MAX_RULES),
      rulesLeftOut: Math.max(0, explained.length - MAX_RULES),
    };
    return { json: answer };
  }

  /** Hands one request's report to the rules. */
  report(message: BusMessage): ServeReply {
    const { snapshots, dispatcher, replica } = this.#options;
    const attributes = attributesFromJson(objectOf(message)["attributes"]);
    const bag = bagOf(attributes);
    const outbound = bag.get("context.reporter.kind") === "outbound";
    const { namespace, row } = rowContextOf(bag, outbound);
    const subject = { bag, count: 1, timeMs: Date.now(), row };
    const snapshot = snapshots.current;
    dispatcher.report(snapshot, namespace, [
      { subject: { ...subject, merged: mergedOf(attributes) }, each: false, outbound },
      { subject: { ...subject, merged: new Map() }, each: true, outbound },
    ]);
    const rules = snapshot
      .rulesFor(namespace)
      .filter((rule) => hasVariety(rule, "REPORT") && applies(rule, bag).applies)
      .map((rule) => ({ ...nameOf(rule), applies: true, why: "", actions: rule.actions.flatMap(reportActions) }));
    const answer: MixerReportAnswer = { replica, revision: snapshot.revision, rules: rules.slice(0, MAX_RULES) };
    return { json: answer };
  }

  async #explain(snapshot: Snapshot, namespace: string, bag: AttributeBag): Promise<ExplainedRule[]> {
    const rules = snapshot.rulesFor(namespace).filter((rule) => hasVariety(rule, "CHECK") || hasVariety(rule, "QUOTA"));
    return await Promise.all(
      rules.map(async (rule): Promise<ExplainedRule> => {
        const verdict = applies(rule, bag);
        const actions = verdict.applies
          ? await Promise.all(rule.actions.flatMap((action) => explainedActions(action, bag)))
          : [];
        return { ...nameOf(rule), ...verdict, actions };
      }),
    );
  }
}

function explainedActions({ handler, instances }: RuntimeAction, bag: AttributeBag): Promise<ExplainedAction>[] {
  return instances
    .filter(({ variety }) => variety !== "REPORT")
    .map(async (linked): Promise<ExplainedAction> => {
      const { name: instance, variety } = linked;
      const action = { handler: handler.name, instance, variety };
      if (variety === "QUOTA") return action;
      try {
        const outcome = await handler.check?.(toCheckInstance(linked, bag));
        return { ...action, status: grpcStatusName(outcome?.code ?? 0), message: outcome?.message ?? "" };
      } catch (error) {
        const why = error instanceof EvaluationError ? "the instance cannot be made and is left out" : "failed";
        return { ...action, status: "UNKNOWN", message: `${why}: ${errorMessage(error)}` };
      }
    });
}

function reportActions({ handler, instances }: RuntimeAction): ExplainedAction[] {
  return instances.flatMap(({ name: instance, variety }) =>
    variety === "REPORT" ? [{ handler: handler.name, instance, variety }] : [],
  );
}

function nameOf({ rule }: RuntimeRule): Pick<ExplainedRule, "namespace" | "name" | "revision"> {
  return { namespace: rule.namespace, name: rule.name, revision: rule.revision };
}

function hasVariety({ actions }: RuntimeRule, wanted: string): boolean {
  return actions.some(({ instances }) => instances.some(({ variety }) => variety === wanted));
}

function applies(rule: RuntimeRule, bag: AttributeBag): Pick<ExplainedRule, "applies" | "why"> {
  try {
    if (isMatch(rule, bag)) return { applies: true, why: "" };
    return { applies: false, why: "its condition does not hold" };
  } catch (error) {
    return { applies: false, why: `its condition cannot be evaluated: ${errorMessage(error)}` };
  }
}

/** What a proxy would see as no answer. */
function failedCheck(error: unknown): Awaited<ReturnType<Dispatcher["check"]>> {
  const { message } = error as MeshError;
  return { code: 13, message, validMs: 0, validUses: 0, referenced: [], quotas: [] };
}

/** Every number of the one request, as a row of one. */
function mergedOf(attributes: ReadonlyMap<string, Value>): Map<string, MergedValues> {
  const merged = new Map<string, MergedValues>();
  for (const [name, value] of attributes) {
    if (typeof value === "number") merged.set(name, { count: 1, sum: value, bounds: [], buckets: [] });
  }
  return merged;
}

function objectOf(message: BusMessage): Readonly<Record<string, unknown>> {
  const request = parseJson(message);
  if (typeof request === "object" && request !== null && !Array.isArray(request))
    return request as Record<string, unknown>;
  throw new InvalidArgumentError('send {"attributes": {...}}');
}

function quotasOf(quotas: unknown): [string, number][] {
  if (quotas === undefined) return [];
  if (typeof quotas !== "object" || quotas === null || Array.isArray(quotas))
    throw new InvalidArgumentError("quotas: give an object of names and amounts");
  const entries = Object.entries(quotas);
  if (entries.length > MAX_QUOTAS)
    throw new InvalidArgumentError(`quotas: ${entries.length} are more than ${MAX_QUOTAS}`);
  return entries.map(([name, amount]) => {
    if (!Number.isSafeInteger(amount) || (amount as number) < 1)
      throw new InvalidArgumentError(`quotas.${name}: ${JSON.stringify(amount)} is not a whole number of at least 1`);
    return [name, amount as number];
  });
}

function idOf(id: unknown): string {
  if (id === undefined) return "";
  if (typeof id === "string" && id.length <= MAX_ID_CHARS) return id;
  throw new InvalidArgumentError(`deduplicationId: give text of at most ${MAX_ID_CHARS} characters`);
}
