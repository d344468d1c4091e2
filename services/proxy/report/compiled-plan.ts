import { type AttributeValue, referenceType } from "../../../shared/model/index.ts";
import type { Plan, ReportPlan } from "../../../shared/wire/index.ts";
import { PairKeys, type Reported } from "./pair-keys.ts";

/** A compiled look at one attribute reference of a request's record; undefined: absent. */
export type RecordReader<R> = (record: R) => AttributeValue | undefined;

/** Makes the reader of an attribute reference, once per plan. */
export type CompileReader<R> = (reference: string) => RecordReader<R>;

export interface ReadAttribute<R> {
  readonly reference: string;
  readonly read: RecordReader<R>;
}

export interface ReadValue<R> extends ReadAttribute<R> {
  /** Upper bounds of the histogram's buckets, ascending. */
  readonly bounds: readonly number[];
}

/** What to report of the requests of one side. */
export interface CompiledSide<R extends Reported> {
  readonly outbound: boolean;
  /** False: only rows of single requests are wanted. */
  readonly merges: boolean;
  /** Those that the two peers decide first, then the others. */
  readonly groupBy: readonly ReadAttribute<R>[];
  /** The keys of the first, which begin so that rows of different plans and sides never meet. */
  readonly pairs: PairKeys<R>;
  /** The others. */
  readonly own: readonly ReadAttribute<R>[];
  readonly values: readonly ReadValue<R>[];
  /** Attributes of one more row for each request; undefined: nobody wants those. */
  readonly each: readonly ReadAttribute<R>[] | undefined;
}

/** A plan in the form that the request path uses; undefined sides are not reported. */
export interface CompiledReportPlan<R extends Reported> {
  readonly inbound: CompiledSide<R> | undefined;
  readonly outbound: CompiledSide<R> | undefined;
}

/** References that the vocabulary does not know are left out: they could not travel. */
export function compileSide<R extends Reported>(
  plan: ReportPlan | null | undefined,
  outbound: boolean,
  prefix: string,
  compileReader: CompileReader<R>,
): CompiledSide<R> | undefined {
  if (plan === undefined || plan === null) return undefined;
  const read = (references: readonly string[]): ReadAttribute<R>[] =>
    references
      .filter((reference) => referenceType(reference) !== undefined)
      .map((reference) => ({ reference, read: compileReader(reference) }));
  const groupBy = read(plan.groupBy);
  const peers = groupBy.filter(({ reference }) => OF_A_PEER.test(reference));
  const own = groupBy.filter(({ reference }) => !OF_A_PEER.test(reference));
  return {
    outbound,
    merges: plan.groupBy.length > 0 || plan.values.length > 0 || !plan.eachRequest,
    groupBy: [...peers, ...own],
    pairs: new PairKeys(prefix, peers),
    own,
    values: plan.values.map(({ attribute, bounds }) => ({
      reference: attribute,
      read: compileReader(attribute),
      bounds: [...bounds].sort((a, b) => a - b),
    })),
    each: plan.eachRequest ? read(plan.each) : undefined,
  };
}

/** References to a peer's attributes. */
const OF_A_PEER = /^(?:source|destination)\./;

export function compilePlan<R extends Reported>(
  plan: Plan,
  id: number,
  compileReader: CompileReader<R>,
): CompiledReportPlan<R> {
  return {
    inbound: compileSide(plan.inbound, false, `${id}i`, compileReader),
    outbound: compileSide(plan.outbound, true, `${id}o`, compileReader),
  };
}
