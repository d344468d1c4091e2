import type { AttributeValue } from "../../../shared/model/index.ts";
import { detachedText } from "../stream/detached-text.ts";
import type { CompiledSide, RowShape } from "./compiled-plan.ts";
import { keyOf, type Reported, valuesOf } from "./pair-keys.ts";

/*
 * Where reports wait to be sent. Requests that look the same to every rule are one row: a count, and for each measured
 * attribute a sum and a histogram. So what waits grows with the number of distinct shapes of traffic, not with the
 * traffic, and an outage of the bus costs nothing until there are more shapes than the table has room for. A request
 * that finds no room is counted as dropped; rows that exist go on counting. Single-request rows wait in order: when
 * there is no room the newest is dropped, because the oldest may already be on their way. Room is a number of rows and
 * an amount of text, since callers choose how long a path or a header is.
 *
 * `add` is on the request path: the rows of the pair of peers by their identity, a short string of what is the request's
 * own, one map lookup, a few additions.
 */

export interface MergedSum {
  sum: number;
  /** Requests that had the attribute. */
  count: number;
  /** One per bound, and one above the last. */
  readonly buckets: number[];
}

/** Of the attributes of one of a row's two parts, in their order. */
export type Values = readonly (AttributeValue | undefined)[];

export interface Row<R extends Reported> {
  readonly side: CompiledSide<R>;
  /** One request, for rules that need each. */
  readonly each: boolean;
  /** The same object for all rows between two peers. */
  readonly peers: Values;
  readonly own: Values;
  /** Characters in the values that are this row's alone. */
  readonly textChars: number;
  count: number;
  readonly values: readonly MergedSum[];
  readonly firstMs: number;
  lastMs: number;
}

export interface RowTableOptions {
  /** Merged rows; default 10 000. */
  readonly maxRows?: number;
  /** Rows of single requests; default 10 000. */
  readonly maxEach?: number;
  /** Characters in the attributes of all rows; default 16 Mi. */
  readonly maxTextChars?: number;
}

const NO_VALUES: readonly MergedSum[] = [];

export class RowTable<R extends Reported> {
  readonly #maxRows: number;
  readonly #maxEach: number;
  readonly #maxTextChars: number;
  #textChars = 0;
  /** By pair of peers, then by what is the request's own. */
  #pairs = new Map<string, Map<string, Row<R>>>();
  #merged = 0;
  /** Changes with each take: pairs then look for their rows again. */
  #generation = 0;
  #each: Row<R>[] = [];
  #dropped = 0;

  constructor(options: RowTableOptions = {}) {
    this.#maxRows = options.maxRows ?? 10_000;
    this.#maxEach = options.maxEach ?? 10_000;
    this.#maxTextChars = options.maxTextChars ?? 16 * 1024 * 1024;
  }

  /** Rows that wait. */
  get size(): number {
    return this.#merged + this.#each.length;
  }

  /** Of single requests, among them. */
  get singleRows(): number {
    return this.#each.length;
  }

  /** Reports dropped for want of room, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  add(side: CompiledSide<R>, record: R, nowMs: number): void {
    if (side.merged !== undefined) this.#merge(side, side.merged, record, nowMs);
    if (side.each !== undefined) this.#addEach(side, side.each, record, nowMs);
  }

  /** Takes up to `maxRows` rows out, rows of single requests last. */
  take(maxRows: number): Row<R>[] {
    const taken: Row<R>[] = [];
    this.#generation++;
    for (const [pairKey, rows] of this.#pairs) {
      for (const [key, row] of rows) {
        if (taken.length === maxRows) break;
        taken.push(row);
        rows.delete(key);
      }
      if (rows.size > 0) break;
      this.#pairs.delete(pairKey);
    }
    this.#merged -= taken.length;
    if (taken.length < maxRows && this.#each.length > 0) taken.push(...this.#each.splice(0, maxRows - taken.length));
    for (const row of taken) this.#textChars -= row.textChars;
    return taken;
  }

  /** Gives up what waits, counted as dropped; returns how many reports that were. */
  clear(): number {
    let lost = this.#each.length;
    for (const rows of this.#pairs.values()) for (const row of rows.values()) lost += row.count;
    this.#pairs = new Map();
    this.#merged = 0;
    this.#generation++;
    this.#each = [];
    this.#textChars = 0;
    this.#dropped += lost;
    return lost;
  }

  #merge(side: CompiledSide<R>, shape: RowShape<R>, record: R, nowMs: number): void {
    const { values } = side;
    const pair = shape.pairs.of(record);
    if (pair.generation !== this.#generation) {
      pair.generation = this.#generation;
      pair.rows = this.#rowsOf(pair.key);
    }
    const key = keyOf("", shape.own, record);
    let row = pair.rows.get(key);
    if (row === undefined) {
      const own = detached(valuesOf(shape.own, record));
      const textChars = textLength(pair.values) + textLength(own);
      if (!this.#hasRoom(this.#merged, this.#maxRows, textChars)) return;
      row = {
        side,
        each: false,
        peers: pair.values,
        own,
        textChars,
        count: 0,
        values: values.map(({ bounds }) => ({
          sum: 0,
          count: 0,
          buckets: new Array<number>(bounds.length + 1).fill(0),
        })),
        firstMs: nowMs,
        lastMs: nowMs,
      };
      pair.rows.set(detachedText(key), row);
      this.#merged++;
    }
    row.count++;
    row.lastMs = nowMs;
    for (let i = 0; i < values.length; i++) {
      const { read, bounds } = values[i] as (typeof values)[number];
      const value = read(record);
      if (typeof value === "number" && Number.isFinite(value)) addTo(row.values[i] as MergedSum, bounds, value);
    }
  }

  #rowsOf(pairKey: string): Map<string, Row<R>> {
    let rows = this.#pairs.get(pairKey);
    if (rows === undefined) {
      rows = new Map();
      this.#pairs.set(pairKey, rows);
    }
    return rows;
  }

  #addEach(side: CompiledSide<R>, shape: RowShape<R>, record: R, nowMs: number): void {
    const own = detached(valuesOf(shape.own, record));
    const textChars = textLength(own);
    if (!this.#hasRoom(this.#each.length, this.#maxEach, textChars)) return;
    this.#each.push({
      side,
      each: true,
      peers: shape.pairs.of(record).values,
      own,
      textChars,
      count: 1,
      values: NO_VALUES,
      firstMs: nowMs,
      lastMs: nowMs,
    });
  }

  /** Takes the room for one more row, or counts a drop. */
  #hasRoom(rows: number, maxRows: number, textChars: number): boolean {
    if (rows >= maxRows || this.#textChars + textChars > this.#maxTextChars) {
      this.#dropped++;
      return false;
    }
    this.#textChars += textChars;
    return true;
  }
}

function addTo(merged: MergedSum, bounds: readonly number[], value: number): void {
  merged.sum += value;
  merged.count++;
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
  merged.buckets[bucket] = (merged.buckets[bucket] ?? 0) + 1;
}

/** For as long as the row waits. */
function detached(values: (AttributeValue | undefined)[]): Values {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value === "string") values[i] = detachedText(value);
  }
  return values;
}

function textLength(attributes: Values): number {
  let length = 0;
  for (const value of attributes) {
    if (typeof value === "string") length += value.length;
    else if (typeof value === "object" && !(value instanceof Uint8Array)) {
      for (const key in value) length += key.length + (value[key]?.length ?? 0);
    }
  }
  return length;
}
