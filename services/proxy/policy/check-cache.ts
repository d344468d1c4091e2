import { GRPC_OK, LruMap } from "../../../shared/base/index.ts";
import type { ReferencedAttribute } from "../../../shared/wire/index.ts";
import { detachedText } from "../stream/detached-text.ts";
import type { AttributeReader } from "./attribute-reader.ts";
import { attributeText } from "./attribute-text.ts";

/*
 * Answers to checks, kept under exactly what they depend on. An answer names the attributes that were looked at, and
 * those whose absence mattered; that set is its *shape*. Two requests that agree in a shape get the same answer,
 * whatever else differs. Few shapes exist for one plan (one per path through the rules), so a lookup tries each: it
 * writes down the request's values for the shape and asks the map. A request that has an attribute whose absence the
 * shape demands, or lacks one whose value it demands, does not fit the shape.
 *
 * Signatures are the values themselves, each with its kind and length, rather than a digest: unambiguous, and cheaper
 * than hashing. Allowed and denied answers are kept alike, until their time or number of uses is over. A scope (one
 * plan at one revision) starts empty, so an answer never outlives the rules that made it.
 */

export interface CheckAnswer {
  /** gRPC status code. */
  readonly code: number;
  readonly message: string;
}

interface Entry {
  readonly answer: CheckAnswer;
  readonly expiresMs: number;
  usesLeft: number;
}

interface Shape {
  /** Starts every signature of this shape. */
  readonly prefix: string;
  readonly present: readonly string[];
  readonly absent: readonly string[];
}

/** Default number of answers kept. */
const CAPACITY = 10_000;
const MAX_SHAPES = 64;
/** An answer that depends on longer values is not kept: callers choose those, and would fill the memory with them. */
const MAX_SIGNATURE_CHARS = 4096;

/** The shapes of the answers to one plan at one revision. */
export class CheckScope {
  /** By name. */
  readonly shapes = new Map<string, Shape>();
}

export class CheckCache {
  readonly #entries: LruMap<string, Entry>;
  #nextShape = 1;

  constructor(capacity = CAPACITY) {
    this.#entries = new LruMap(capacity);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Uses up one use of the answer that it finds. `denialsOnly`: an answer that allows does not count. */
  lookup(scope: CheckScope, read: AttributeReader, nowMs: number, denialsOnly = false): CheckAnswer | undefined {
    for (const shape of scope.shapes.values()) {
      const key = signature(shape, read);
      const entry = key === undefined ? undefined : this.#entries.get(key);
      if (key === undefined || entry === undefined) continue;
      if (nowMs >= entry.expiresMs || entry.usesLeft === 0) {
        this.#entries.delete(key);
        continue;
      }
      if (denialsOnly && entry.answer.code === GRPC_OK) continue;
      entry.usesLeft--;
      return entry.answer;
    }
    return undefined;
  }

  /** Keeps an answer for `validMs` and `validUses`; 0 of either keeps nothing. */
  store(
    scope: CheckScope,
    read: AttributeReader,
    nowMs: number,
    answer: CheckAnswer,
    validity: {
      readonly referenced: readonly ReferencedAttribute[];
      readonly validMs: number;
      readonly validUses: number;
    },
  ): void {
    if (!(validity.validMs > 0) || validity.validUses <= 0) return;
    const key = signature(this.#shapeOf(scope, validity.referenced), read);
    // The answer speaks of other values than this request has: Mixer and proxy disagree, so nothing is kept.
    if (key === undefined || key.length > MAX_SIGNATURE_CHARS) return;
    this.#entries.set(detachedText(key), { answer, expiresMs: nowMs + validity.validMs, usesLeft: validity.validUses });
  }

  #shapeOf(scope: CheckScope, referenced: readonly ReferencedAttribute[]): Shape {
    const present = namesOf(referenced, false);
    const absent = namesOf(referenced, true);
    const name = JSON.stringify([present, absent]);
    const known = scope.shapes.get(name);
    if (known !== undefined) return known;
    const shape: Shape = { prefix: `${this.#nextShape++};`, present, absent };
    if (scope.shapes.size >= MAX_SHAPES) {
      const oldest = scope.shapes.keys().next();
      if (!oldest.done) scope.shapes.delete(oldest.value);
    }
    scope.shapes.set(name, shape);
    return shape;
  }
}

function namesOf(referenced: readonly ReferencedAttribute[], absent: boolean): string[] {
  return [...new Set(referenced.filter((item) => item.absent === absent).map((item) => item.attribute))].sort();
}

/** The request's values for a shape; undefined when it does not fit. */
function signature(shape: Shape, read: AttributeReader): string | undefined {
  const { present, absent } = shape;
  for (let i = 0; i < absent.length; i++) {
    if (read(absent[i] as string) !== undefined) return undefined;
  }
  let key = shape.prefix;
  for (let i = 0; i < present.length; i++) {
    const value = read(present[i] as string);
    if (value === undefined) return undefined;
    key += attributeText(value);
  }
  return key;
}
