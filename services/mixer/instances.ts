import {
  type AttributeBag,
  type CompiledExpression,
  type CompiledFields,
  EvaluationError,
  type ListEntryInstance,
  type LogEntryInstance,
  type MetricInstance,
} from "../../shared/policy/index.ts";
import type { LogItem, MetricItem, MetricSample, RowContext } from "./adapters/adapter.ts";
import { numericValue, type TypedValue } from "./values.ts";

/** What a row of a report says about one summed attribute. */
export interface MergedValues {
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
}

/** A report row as the rules see it. */
export interface ReportSubject {
  readonly bag: AttributeBag;
  /** Requests in the row. */
  readonly count: number;
  readonly timeMs: number;
  /** By attribute; empty for the row of one request. */
  readonly merged: ReadonlyMap<string, MergedValues>;
  readonly row: RowContext;
}

const MERGEABLE: ReadonlySet<string> = new Set(["INT64", "DOUBLE", "DURATION"]);

/**
 * Whether requests can be merged for the metric: its value is a constant, or a number attribute with at most a
 * constant to fall back to. Everything else, and every log entry, needs each request.
 */
export function isMergeable({ value }: MetricInstance): boolean {
  if (value.shape.kind === "constant")
    return numericValue({ type: value.type, value: value.shape.value }) !== undefined;
  return value.shape.kind === "attribute" && MERGEABLE.has(value.type);
}

export function evaluate(expression: CompiledExpression, bag: AttributeBag): TypedValue {
  return { type: expression.type, value: expression.evaluate(bag) };
}

export function evaluateFields(fields: CompiledFields, bag: AttributeBag): Map<string, TypedValue> {
  return new Map(Object.entries(fields).map(([name, expression]) => [name, evaluate(expression, bag)]));
}

export function evaluateListEntry(instance: ListEntryInstance, bag: AttributeBag): TypedValue {
  return evaluate(instance.value, bag);
}

/** Undefined: no request of the row has the value. Throws EvaluationError. */
export function evaluateMetric(
  name: string,
  instance: MetricInstance,
  subject: ReportSubject,
  each: boolean,
): MetricItem | undefined {
  const sample = each ? sampleOfOne(instance, subject) : sampleOfMany(instance, subject);
  if (sample === undefined || sample.count === 0) return undefined;
  const dimensions = evaluateFields(instance.dimensions, subject.bag);
  return { template: "metric", instance: name, timeMs: subject.timeMs, sample, dimensions, row: subject.row };
}

/** Throws EvaluationError. */
export function evaluateLogEntry(
  name: string,
  instance: LogEntryInstance,
  { bag, timeMs, row }: ReportSubject,
): LogItem {
  const time = instance.timestamp?.evaluate(bag);
  const severity = instance.severity?.evaluate(bag);
  return {
    template: "logentry",
    instance: name,
    timeMs: typeof time === "number" ? time : timeMs,
    severity: typeof severity === "string" ? severity : "",
    variables: evaluateFields(instance.variables, bag),
    row,
  };
}

function sampleOfOne(instance: MetricInstance, { bag }: ReportSubject): MetricSample {
  const value = evaluate(instance.value, bag);
  const number = numericValue(value);
  if (number === undefined) throw new EvaluationError(`value ${String(value.value)} is not a number`);
  return { value, count: 1, sum: number };
}

function sampleOfMany(instance: MetricInstance, subject: ReportSubject): MetricSample | undefined {
  const { shape, type } = instance.value;
  if (shape.kind === "constant") return constantSample({ type, value: shape.value }, subject.count);
  if (shape.kind !== "attribute") return undefined;
  const merged = subject.merged.get(shape.attribute);
  const missing = subject.count - (merged?.count ?? 0);
  const fallback = shape.fallback === undefined ? undefined : constantSample({ type, value: shape.fallback }, missing);
  if (merged === undefined || merged.count === 0) return fallback;
  const value: TypedValue = { type, value: merged.sum / merged.count };
  const own: MetricSample = {
    value,
    count: merged.count,
    sum: merged.sum,
    ...(merged.bounds.length > 0 && { histogram: { bounds: merged.bounds, counts: merged.buckets } }),
  };
  return fallback === undefined || missing <= 0 ? own : addConstant(own, fallback);
}

function constantSample(value: TypedValue, count: number): MetricSample {
  return { value, count, sum: (numericValue(value) ?? 0) * count };
}

/** Puts the requests that fell back to a constant into the histogram of the others. */
function addConstant(own: MetricSample, constant: MetricSample): MetricSample {
  const each = constant.sum / constant.count;
  const sum = { value: own.value, count: own.count + constant.count, sum: own.sum + constant.sum };
  if (own.histogram === undefined) return sum;
  const { bounds } = own.histogram;
  const counts = [...own.histogram.counts];
  const found = bounds.findIndex((bound) => each <= bound);
  const bucket = found < 0 ? bounds.length : found;
  counts[bucket] = (counts[bucket] ?? 0) + constant.count;
  return { ...sum, histogram: { bounds, counts } };
}
