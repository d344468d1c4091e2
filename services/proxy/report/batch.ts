import type { AttributeValue, ValueType } from "../../../shared/model/index.ts";
import type {
  AttributeSetInput,
  PackedAttributeInput,
  PackedValueInput,
  ReportRowInput,
} from "../../../shared/wire/index.ts";
import type { ReadAttribute, ReadValue } from "./compiled-plan.ts";
import type { Reported } from "./pair-keys.ts";
import type { MergedSum, Row, Values } from "./row-table.ts";

/** The strings of one batch, each once; rows name them by index. */
class WordTable {
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

/** The rows of one message, put together so that nothing is said twice: strings, and what two peers say of themselves. */
export class Batch<R extends Reported> {
  readonly rows: ReportRowInput[] = [];
  readonly peers: AttributeSetInput[] = [];
  readonly #words = new WordTable();
  readonly #peerIndexes = new Map<Values, number>();
  #bytes = 0;

  get words(): readonly string[] {
    return this.#words.words;
  }

  /** About what it takes on the wire. */
  get bytes(): number {
    return this.#bytes + this.#words.bytes;
  }

  add(row: Row<R>): void {
    const { side, count, each } = row;
    const shape = each ? side.each : side.merged;
    const values: PackedValueInput[] = [];
    for (let i = 0; i < row.values.length; i++) this.#addValue(side.values[i], row.values[i] as MergedSum, values);
    this.rows.push({
      outbound: side.outbound,
      each,
      count,
      peers: this.#peersOf(row.peers, shape?.peers ?? []),
      attributes: this.#pack(row.own, shape?.own ?? []),
      values,
      timeMs: (row.firstMs + row.lastMs) / 2,
    });
    this.#bytes += 32;
  }

  #peersOf(values: Values, attributes: readonly ReadAttribute<R>[]): number {
    if (attributes.length === 0) return 0;
    const known = this.#peerIndexes.get(values);
    if (known !== undefined) return known;
    const index = this.peers.push({ attributes: this.#pack(values, attributes) });
    this.#peerIndexes.set(values, index);
    return index;
  }

  #pack(values: Values, attributes: readonly ReadAttribute<R>[]): PackedAttributeInput[] {
    const packed: PackedAttributeInput[] = [];
    for (let i = 0; i < attributes.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      const { reference, type } = attributes[i] as ReadAttribute<R>;
      const attribute = packAttribute(reference, type, value, this.#words);
      if (attribute !== undefined) packed.push(attribute);
    }
    this.#bytes += packed.length * 24;
    return packed;
  }

  #addValue(value: ReadValue<R> | undefined, merged: MergedSum, packed: PackedValueInput[]): void {
    if (value === undefined || merged.count === 0) return;
    const { sum, count, buckets } = merged;
    packed.push({ name: this.#words.indexOf(value.reference), sum, count, buckets, bounds: [...value.bounds] });
    this.#bytes += 32 + buckets.length * 13;
  }
}

/** Undefined when the value is not of the vocabulary's type. */
function packAttribute(
  reference: string,
  type: ValueType,
  value: AttributeValue,
  words: WordTable,
): PackedAttributeInput | undefined {
  const name = words.indexOf(reference);
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

function isText(type: ValueType): boolean {
  return type === "STRING" || type === "EMAIL_ADDRESS" || type === "URI" || type === "DNS_NAME";
}
