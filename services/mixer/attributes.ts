import { WireError } from "../../shared/base/index.ts";
import { DOMAIN, fromWireAttribute, referenceType, resolveHost } from "../../shared/model/index.ts";
import { type AttributeBag, MapBag, type Value } from "../../shared/policy/index.ts";
import type {
  CheckRequest,
  PackedAttribute,
  PackedValue,
  ProxyIdentity,
  ReportBatch,
  ReportRow,
} from "../../shared/wire/index.ts";
import type { Party, RowContext } from "./adapters/adapter.ts";
import type { MergedValues } from "./instances.ts";

/**
 * From the wire to what rules read. A payload cannot say who its sender is: the namespace, service account and principal
 * of the side that reports come from the subject, and a service of another namespace is not believed to be the
 * sender's own.
 */

interface Attributes {
  get(reference: string): Value | undefined;
  set(reference: string, value: Value): unknown;
  delete(reference: string): unknown;
}

/**
 * A row's own attributes over those that it shares with the other rows of its peers. Shared, not copied: a batch may
 * name one long list in thousands of rows, and must not take more memory than it was long.
 */
class RowAttributes implements Attributes {
  readonly #common: ReadonlyMap<string, Value> | undefined;
  /** Undefined: taken away. */
  readonly #own = new Map<string, Value | undefined>();

  constructor(common: ReadonlyMap<string, Value> | undefined) {
    this.#common = common;
  }

  get(reference: string): Value | undefined {
    return this.#own.has(reference) ? this.#own.get(reference) : this.#common?.get(reference);
  }

  set(reference: string, value: Value): void {
    this.#own.set(reference, value);
  }

  delete(reference: string): void {
    this.#own.set(reference, undefined);
  }
}

/** What a check gets from its subject: the same for every check of one proxy, so no answer depends on it. */
export const FIXED_ATTRIBUTES: ReadonlySet<string> = new Set([
  "context.reporter.kind",
  "destination.namespace",
  "destination.principal",
  "destination.serviceAccount",
  "destination.user",
]);

const UNKNOWN = "unknown";

/** Throws nothing: what is not of its attribute's type counts as absent. */
export function checkAttributes(request: CheckRequest, identity: ProxyIdentity): AttributeBag {
  const attributes = new Map<string, Value>();
  for (const [reference, wire] of Object.entries(request.attributes)) {
    const value = fromWireAttribute(reference, wire);
    if (value !== undefined) attributes.set(reference, value);
  }
  overrideIdentity(attributes, identity, "destination");
  attributes.set("context.reporter.kind", "inbound");
  return new MapBag(attributes);
}

export interface DecodedRow {
  readonly bag: AttributeBag;
  /** Namespace of the destination: whose rules apply. */
  readonly namespace: string;
  readonly merged: ReadonlyMap<string, MergedValues>;
  readonly row: RowContext;
}

/** What the rows of one batch refer to. */
export interface BatchParts {
  readonly words: readonly string[];
  /** What pairs of peers say of themselves. */
  readonly peers: readonly ReadonlyMap<string, Value>[];
}

/** Throws WireError for an index out of range. */
export function decodeParts({ words, peers }: Pick<ReportBatch, "words" | "peers">): BatchParts {
  return { words, peers: peers.map(({ attributes }) => unpackAll(attributes, words, new Map<string, Value>())) };
}

/** Throws WireError for an index out of range. */
export function decodeRow(row: ReportRow, { words, peers }: BatchParts, identity: ProxyIdentity): DecodedRow {
  const common = row.peers === 0 ? undefined : peers[row.peers - 1];
  if (row.peers !== 0 && common === undefined) throw new WireError(`report: peers ${row.peers} of ${peers.length}`);
  const attributes = unpackAll(row.attributes, words, new RowAttributes(common));
  overrideIdentity(attributes, identity, row.outbound ? "source" : "destination");
  attributes.set("context.reporter.kind", row.outbound ? "outbound" : "inbound");
  const bag = new MapBag(attributes);
  const merged = new Map(row.values.map((value) => [word(words, value.name), unpackValue(value)]));
  return { bag, merged, ...rowContextOf(bag, row.outbound) };
}

/** The parties of a request, and the namespace whose rules apply to it. */
export function rowContextOf(bag: AttributeBag, outbound: boolean): Pick<DecodedRow, "namespace" | "row"> {
  const destination = bag.get("destination.service");
  const name = typeof destination === "string" ? resolveHost(destination, "") : undefined;
  const namespace = text(bag, "destination.namespace") ?? name?.namespace ?? "";
  const code = bag.get("response.code");
  return {
    namespace,
    row: {
      reporter: outbound ? "source" : "destination",
      source: party(bag, "source"),
      destination: {
        ...party(bag, "destination"),
        namespace: namespace === "" ? UNKNOWN : namespace,
        service: name?.service ?? (typeof destination === "string" && destination !== "" ? destination : UNKNOWN),
      },
      code: typeof code === "number" ? code : 0,
    },
  };
}

function overrideIdentity(attributes: Attributes, identity: ProxyIdentity, side: "source" | "destination"): void {
  const { namespace, serviceAccount } = identity;
  const path = `${DOMAIN}/ns/${namespace}/sa/${serviceAccount}`;
  attributes.set(`${side}.namespace`, namespace);
  attributes.set(`${side}.serviceAccount`, serviceAccount);
  attributes.set(`${side}.user`, path);
  attributes.set(`${side}.principal`, `spiffe://${path}`);
  const service = attributes.get(`${side}.service`);
  if (typeof service === "string" && resolveHost(service, namespace)?.namespace !== namespace)
    attributes.delete(`${side}.service`);
}

function party(bag: AttributeBag, side: "source" | "destination"): Party {
  return {
    namespace: text(bag, `${side}.namespace`) ?? UNKNOWN,
    workload: text(bag, `${side}.workload`) ?? text(bag, `${side}.name`) ?? UNKNOWN,
    version: bag.getKey(`${side}.labels`, "version") ?? UNKNOWN,
    principal: text(bag, `${side}.principal`) ?? "",
  };
}

function text(bag: AttributeBag, attribute: string): string | undefined {
  const value = bag.get(attribute);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function unpackAll<A extends Attributes>(packed: readonly PackedAttribute[], words: readonly string[], into: A): A {
  for (const each of packed) {
    const reference = word(words, each.name);
    const value = unpack(each, reference, words);
    if (value !== undefined) into.set(reference, value);
  }
  return into;
}

function word(words: readonly string[], index: number): string {
  const found = words[index];
  if (found === undefined) throw new WireError(`report: word ${index} of ${words.length}`);
  return found;
}

function unpack(packed: PackedAttribute, reference: string, words: readonly string[]): Value | undefined {
  if (packed.value === "string") {
    return fromWireAttribute(reference, asWire({ value: "string", string: word(words, packed.string ?? 0) }));
  }
  if (packed.value !== "stringMap") return fromWireAttribute(reference, asWire(packed));
  if (referenceType(reference) !== "STRING_MAP") return undefined;
  const indexes = packed.stringMap?.words ?? [];
  const map: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < indexes.length; i += 2) map[word(words, indexes[i] ?? 0)] = word(words, indexes[i + 1] ?? 0);
  return map;
}

type Wire = Parameters<typeof fromWireAttribute>[1];

/** Packed scalars have the names of the plain ones. */
function asWire(packed: object): Wire {
  return packed as Wire;
}

function unpackValue(value: PackedValue): MergedValues {
  const { count, sum, bounds, buckets } = value;
  if (bounds.length > 0 && buckets.length !== bounds.length + 1)
    throw new WireError("report: buckets do not fit their bounds");
  return { count, sum, bounds, buckets };
}
