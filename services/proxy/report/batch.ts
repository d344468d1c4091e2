import { type AttributeValue, referenceType } from "../../../shared/model/index.ts";
import type { PackedAttributeInput, PackedValueInput, ReportRowInput } from "../../../shared/wire/index.ts";
import type { ReadValue } from "./compiled-plan.ts";
import type { MergedSum, Row } from "./row-table.ts";

/** The strings of one batch, each once; rows name them by index. */
export class WordTable {
  readonly words: string[] = [];
  readonly #indexes = new Map<string, number>();
  #bytes = 0;

  /** About how many bytes the words take on the wire. */
  get bytes(): number {
    return this.#bytes;
  }

  indexOf(word: string): number {
    const known = this.#indexes.get(word);
    if (known !== undefined) return known;
    const index = this.words.length;
    this.words.push(word);
    this.#indexes.set(word, index);
    this.#bytes += Buffer.byteLength(word) + 4;
    return index;
  }
}

/** A row for the wire, its strings put into the table. */
export function packRow<R>(row: Row<R>, words: WordTable): ReportRowInput {
  const { side } = row;
  const readers = row.each ? (side.each ?? []) : side.groupBy;
  const attributes: PackedAttributeInput[] = [];
  for (const [i, { reference }] of readers.entries()) {
    const value = row.attributes[i];
    const packed = value === undefined ? undefined : packAttribute(reference, value, words);
    if (packed !== undefined) attributes.push(packed);
  }
  return {
    outbound: side.outbound,
    each: row.each,
    count: row.count,
    attributes,
    values: row.values.flatMap((merged, i) => packValue(side.values[i], merged, words)),
    timeMs: (row.firstMs + row.lastMs) / 2,
  };
}

function packValue<R>(value: ReadValue<R> | undefined, merged: MergedSum, words: WordTable): PackedValueInput[] {
  if (value === undefined || merged.count === 0) return [];
  const { sum, count, buckets } = merged;
  return [{ name: words.indexOf(value.reference), sum, count, buckets, bounds: [...value.bounds] }];
}

/** Undefined when the value is not of the vocabulary's type. */
function packAttribute(reference: string, value: AttributeValue, words: WordTable): PackedAttributeInput | undefined {
  const name = words.indexOf(reference);
  const type = referenceType(reference);
  switch (typeof value) {
    case "string":
      return isText(type) ? { name, string: words.indexOf(value) } : undefined;
    case "boolean":
      return type === "BOOL" ? { name, bool: value } : undefined;
    case "number":
      switch (type) {
        case "INT64":
          return { name, int64: value };
        case "DOUBLE":
          return { name, double: value };
        case "TIMESTAMP":
          return { name, timestampMs: value };
        case "DURATION":
          return { name, durationMs: value };
        default:
          return undefined;
      }
    default:
      if (value instanceof Uint8Array) return type === "IP_ADDRESS" ? { name, ipAddress: value } : undefined;
      if (type !== "STRING_MAP") return undefined;
      return {
        name,
        stringMap: { words: Object.entries(value).flatMap(([key, text]) => [words.indexOf(key), words.indexOf(text)]) },
      };
  }
}

function isText(type: ReturnType<typeof referenceType>): boolean {
  return type === "STRING" || type === "EMAIL_ADDRESS" || type === "URI" || type === "DNS_NAME";
}
