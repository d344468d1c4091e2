import { formatReference } from "../../model/index.ts";
import type { AttributeBag, ReferenceText, Value, ValueMap } from "./types.ts";

/** What a bag asks for its values: a map, or whatever stands for one. */
interface Lookup {
  get(reference: ReferenceText): Value | undefined;
}

/**
 * A bag over values by attribute reference, as they come from the wire: `request.path`, whole maps, and single keys of
 * maps (`request.headers[x-user]`). Single keys count over a whole map.
 */
export class MapBag implements AttributeBag {
  readonly #values: Lookup;

  constructor(values: Lookup) {
    this.#values = values;
  }

  /** From plain properties by reference. */
  static of(values: Readonly<Record<ReferenceText, Value>>): MapBag {
    return new MapBag(new Map(Object.entries(values)));
  }

  get(attribute: string): Value | undefined {
    return this.#values.get(attribute);
  }

  getKey(attribute: string, key: string): string | undefined {
    const single = this.#values.get(formatReference(attribute, key));
    if (typeof single === "string") return single;
    const map = this.#values.get(attribute) as ValueMap | undefined;
    return map !== undefined && typeof map === "object" && Object.hasOwn(map, key) ? map[key] : undefined;
  }
}

/** One attribute that an evaluation looked at. */
export interface TrackedReference {
  readonly attribute: ReferenceText;
  /** The attribute was not there, and the outcome depends on that. */
  readonly absent: boolean;
}

/** Remembers what was looked at, whole or per key, so that an answer can be used again for requests equal in just that. */
export class TrackingBag implements AttributeBag {
  readonly #inner: AttributeBag;
  readonly #seen = new Map<ReferenceText, boolean>();

  constructor(inner: AttributeBag) {
    this.#inner = inner;
  }

  get(attribute: string): Value | undefined {
    const value = this.#inner.get(attribute);
    this.#seen.set(attribute, value === undefined);
    return value;
  }

  getKey(attribute: string, key: string): string | undefined {
    const value = this.#inner.getKey(attribute, key);
    this.#seen.set(formatReference(attribute, key), value === undefined);
    return value;
  }

  /** Everything looked at so far, in the order of its first look. */
  get referenced(): readonly TrackedReference[] {
    return Array.from(this.#seen, ([attribute, absent]) => ({ attribute, absent }));
  }
}
