import type { AttributeValue } from "../../../shared/model/index.ts";
import { attributeText } from "../policy/attribute-text.ts";
import type { ReadAttribute } from "./compiled-plan.ts";
import type { Row } from "./row-table.ts";

/** What is reported: each of a call's two sides is an object that never changes and is the same for many calls. */
export interface Reported {
  readonly source: object;
  readonly destination: object;
}

/** One pair of callers and called ones under one side of a plan. */
export interface Pair<R extends Reported> {
  /** What the attributes of the two say, as one text. */
  readonly key: string;
  /** The same as values, in the order of the attributes. */
  readonly values: readonly (AttributeValue | undefined)[];
  /** Which of the table's takes `rows` belongs to. */
  generation: number;
  rows: Map<string, Row<R>>;
}

/**
 * What a row says of the two peers, which is the same for every request between them. It is most of the row, and it is
 * worked out once for each pair of objects, so that a request adds only what is its own.
 */
export class PairKeys<R extends Reported> {
  readonly #prefix: string;
  readonly #attributes: readonly ReadAttribute<R>[];
  readonly #pairs = new WeakMap<object, WeakMap<object, Pair<R>>>();

  /** `attributes`: those that only the two peers decide. */
  constructor(prefix: string, attributes: readonly ReadAttribute<R>[]) {
    this.#prefix = prefix;
    this.#attributes = attributes;
  }

  of(record: R): Pair<R> {
    let destinations = this.#pairs.get(record.source);
    if (destinations === undefined) {
      destinations = new WeakMap();
      this.#pairs.set(record.source, destinations);
    }
    let pair = destinations.get(record.destination);
    if (pair === undefined) {
      const key = keyOf(this.#prefix, this.#attributes, record);
      pair = { key, values: valuesOf(this.#attributes, record), generation: -1, rows: new Map() };
      destinations.set(record.destination, pair);
    }
    return pair;
  }
}

export function valuesOf<R>(attributes: readonly ReadAttribute<R>[], record: R): (AttributeValue | undefined)[] {
  const values = new Array<AttributeValue | undefined>(attributes.length);
  for (let i = 0; i < attributes.length; i++) values[i] = (attributes[i] as ReadAttribute<R>).read(record);
  return values;
}

/** Values strung together so that different ones never give the same text. */
export function keyOf<R>(prefix: string, attributes: readonly ReadAttribute<R>[], record: R): string {
  let key = prefix;
  for (let i = 0; i < attributes.length; i++) {
    const value: AttributeValue | undefined = (attributes[i] as ReadAttribute<R>).read(record);
    key += attributeText(value);
  }
  return key;
}
