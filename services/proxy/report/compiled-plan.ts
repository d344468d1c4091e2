import { type AttributeValue, referenceType, type ValueType } from "../../../shared/model/index.ts";
import type { Plan, ReportPlan } from "../../../shared/wire/index.ts";
import { PairKeys, type Reported } from "./pair-keys.ts";

/** A compiled look at one attribute reference of a request's record; undefined: absent. */
export type RecordReader<R> = (record: R) => AttributeValue | undefined;

/** Makes the reader of an attribute reference, once per plan. */
export type CompileReader<R> = (reference: string) => RecordReader<R>;

export interface ReadAttribute<R> {
  readonly reference: string;
  readonly type: ValueType;
  readonly read: RecordReader<R>;
}

export interface ReadValue<R> {
  readonly reference: string;
  readonly read: RecordReader<R>;
  /** Upper bounds of the histogram's buckets, ascending. */
  readonly bounds: readonly number[];
}

/** What a row is made of: what the two peers say, and what is the request's own. */
export interface RowShape<R extends Reported> {
  readonly peers: readonly ReadAttribute<R>[];
  readonly pairs: PairKeys<R>;
  readonly own: readonly ReadAttribute<R>[];
}

/** What to report of the requests of one side. */
export interface CompiledSide<R extends Reported> {
  readonly outbound: boolean;
  /** Of rows of requests that look the same; undefined: nobody wants those. */
  readonly merged: RowShape<R> | undefined;
  readonly values: readonly ReadValue<R>[];
  /** Of one more row for each request; undefined: nobody wants those. */
  readonly each: RowShape<R> | undefined;
}

/** A plan in the form that the request path uses; undefined sides are not reported. */
export interface CompiledReportPlan<R extends Reported> {
  readonly inbound: CompiledSide<R> | undefined;
  readonly outbound: CompiledSide<R> | undefined;
}

/** References to a peer's attributes. */
const OF_A_PEER = /^(?:source|destination)\./;

/** `prefix`: rows of different plans and sides never meet. */
export function compileSide<R extends Reported>(
  plan: ReportPlan | null | undefined,
  outbound: boolean,
  prefix: string,
  compileReader: CompileReader<R>,
): CompiledSide<R> | undefined {
  if (plan === undefined || plan === null) return undefined;
  const merges = plan.groupBy.length > 0 || plan.values.length > 0 || !plan.eachRequest;
  return {
    outbound,
    merged: merges ? shapeOf(plan.groupBy, prefix, compileReader) : undefined,
    values: plan.values.map(({ attribute, bounds }) => ({
      reference: attribute,
      read: compileReader(attribute),
      bounds: [...bounds].sort((a, b) => a - b),
    })),
    each: plan.eachRequest ? shapeOf(plan.each, prefix, compileReader) : undefined,
  };
}

/** References that the vocabulary does not know are left out: they could not travel. */
function shapeOf<R extends Reported>(
  references: readonly string[],
  prefix: string,
  compileReader: CompileReader<R>,
): RowShape<R> {
  const attributes = references.flatMap((reference): ReadAttribute<R>[] => {
    const type = referenceType(reference);
    return type === undefined ? [] : [{ reference, type, read: compileReader(reference) }];
  });
  const peers = attributes.filter(({ reference }) => OF_A_PEER.test(reference));
  return {
    peers,
    pairs: new PairKeys(prefix, peers),
    own: attributes.filter(({ reference }) => !OF_A_PEER.test(reference)),
  };
}

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
