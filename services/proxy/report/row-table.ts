import type { AttributeValue } from "../../../shared/model/index.ts";
import type { CompiledSide } from "./compiled-plan.ts";

/*
 * Where reports wait to be sent. Requests that look the same to every rule are one row: a count, and for each measured
 * attribute a sum and a histogram. So what waits grows with the number of distinct shapes of traffic, not with the
 * traffic, and an outage of the bus costs nothing until there are more shapes than the table has room for. A request
 * that finds no room is counted as dropped; rows that exist go on counting. Single-request rows wait in a ring: when it
 * is full the newest is dropped, because the oldest may already be on their way.
 *
 * `add` is on the request path: one string of the group's values, one map lookup, a few additions.
 */

export interface MergedSum {
  sum: number;
  /** Requests that had the attribute. */
  count: number;
  /** One per bound, and one above the last. */
  readonly buckets: number[];
}

export interface Row<R> {
  readonly side: CompiledSide<R>;
  /** One request, for rules that need each. */
  readonly each: boolean;
  /** Values of the side's `groupBy` (or `each`) in order. */
  readonly attributes: readonly (AttributeValue | undefined)[];
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
}

const NO_VALUES: readonly MergedSum[] = [];

export class RowTable<R> {
  readonly #maxRows: number;
  readonly #maxEach: number;
  #rows = new Map<string, Row<R>>();
  #each: Row<R>[] = [];
  #dropped = 0;

  constructor(options: RowTableOptions = {}) {
    this.#maxRows = options.maxRows ?? 10_000;
    this.#maxEach = options.maxEach ?? 10_000;
  }

  /** Rows that wait. */
  get size(): number {
    return this.#rows.size + this.#each.length;
  }

  /** Reports dropped for want of room, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  add(side: CompiledSide<R>, record: R, nowMs: number): void {
    if (side.merges) this.#merge(side, record, nowMs);
    if (side.each !== undefined) this.#addEach(side, record, nowMs);
  }

  /** Takes up to `maxRows` rows out, rows of single requests last. */
  take(maxRows: number): Row<R>[] {
    const taken: Row<R>[] = [];
    if (this.#rows.size <= maxRows) {
      taken.push(...this.#rows.values());
      this.#rows = new Map();
    } else {
      for (const [key, row] of this.#rows) {
        if (taken.length === maxRows) break;
        taken.push(row);
        this.#rows.delete(key);
      }
    }
    if (taken.length < maxRows && this.#each.length > 0) taken.push(...this.#each.splice(0, maxRows - taken.length));
    return taken;
  }

  /** Gives up what waits, counted as dropped; returns how many reports that were. */
  clear(): number {
    let lost = this.#each.length;
    for (const row of this.#rows.values()) lost += row.count;
    this.#rows = new Map();
    this.#each = [];
    this.#dropped += lost;
    return lost;
  }

  #merge(side: CompiledSide<R>, record: R, nowMs: number): void {
    const { groupBy, values } = side;
    let key = side.prefix;
    for (let i = 0; i < groupBy.length; i++) {
      key += keyPart((groupBy[i] as (typeof groupBy)[number]).read(record));
    }
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= this.#maxRows) {
        this.#dropped++;
        return;
      }
      row = {
        side,
        each: false,
        attributes: groupBy.map((attribute) => attribute.read(record)),
        count: 0,
        values: values.map(({ bounds }) => ({
          sum: 0,
          count: 0,
          buckets: new Array<number>(bounds.length + 1).fill(0),
        })),
        firstMs: nowMs,
        lastMs: nowMs,
      };
      this.#rows.set(key, row);
    }
    row.count++;
    row.lastMs = nowMs;
    for (let i = 0; i < values.length; i++) {
      const { read, bounds } = values[i] as (typeof values)[number];
      const value = read(record);
      if (typeof value === "number" && Number.isFinite(value)) addTo(row.values[i] as MergedSum, bounds, value);
    }
  }

  #addEach(side: CompiledSide<R>, record: R, nowMs: number): void {
    if (this.#each.length >= this.#maxEach) {
      this.#dropped++;
      return;
    }
    const attributes = (side.each ?? []).map((attribute) => attribute.read(record));
    this.#each.push({ side, each: true, attributes, count: 1, values: NO_VALUES, firstMs: nowMs, lastMs: nowMs });
  }
}

function addTo(merged: MergedSum, bounds: readonly number[], value: number): void {
  merged.sum += value;
  merged.count++;
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
  merged.buckets[bucket] = (merged.buckets[bucket] ?? 0) + 1;
}

/** Unambiguous when strung together: each kind has its own first letter, and what could hold anything its length. */
function keyPart(value: AttributeValue | undefined): string {
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`;
    case "number":
      return `n${value};`;
    case "boolean":
      return value ? "t" : "f";
    case "undefined":
      return "-";
    default:
      return value instanceof Uint8Array ? `b${Buffer.from(value).toString("hex")};` : mapPart(value);
  }
}

function mapPart(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort();
  let text = `m${keys.length}:`;
  for (const key of keys) text += keyPart(key) + keyPart(map[key]);
  return text;
}
