import { StringIndex } from "./string-index.ts";

/** What a resource names and nobody has. */
export interface Missing {
  /** Hosts, or `<kind>/<namespace>/<name>` of resources: when something about one changes, it is worth another look. */
  readonly awaits: readonly string[];
  /** In words. */
  readonly reason: string;
}

/**
 * Resources whose newest revision is not in force yet.
 *
 * One that names a service or a version that nobody has registered would send requests nowhere. Refusing it would force an order
 * on people ("first deploy, then apply") that nobody keeps. So it is accepted and waits: until all that it names exists, the
 * revision in force before stays in force. Once in force it stays, even when instances vanish: a version that scales to
 * zero must not silently hand its traffic to another.
 */
export class Waiting<T> {
  readonly #items = new Map<string, Missing & { readonly item: T }>();
  readonly #awaiting = new StringIndex();

  get size(): number {
    return this.#items.size;
  }

  set(rule: string, item: T, missing: Missing): void {
    this.delete(rule);
    this.#items.set(rule, { ...missing, item });
    for (const name of missing.awaits) this.#awaiting.add(name, rule);
  }

  delete(rule: string): void {
    const waiting = this.#items.get(rule);
    if (waiting === undefined) return;
    this.#items.delete(rule);
    for (const name of waiting.awaits) this.#awaiting.remove(name, rule);
  }

  /** Why a rule waits; undefined when it does not. */
  reason(rule: string): string | undefined {
    return this.#items.get(rule)?.reason;
  }

  /** What waits for something about this host or resource, by rule. */
  for(name: string): (readonly [rule: string, item: T])[] {
    return [...this.#awaiting.get(name)].flatMap((rule) => {
      const waiting = this.#items.get(rule);
      return waiting === undefined ? [] : [[rule, waiting.item] as const];
    });
  }

  /** Every host and resource that something waits for. */
  names(): Iterable<string> {
    return this.#awaiting.keys();
  }
}

/** What is missing, put together; undefined when nothing is. */
export class MissingParts {
  readonly #awaits = new Set<string>();
  readonly #reasons = new Set<string>();

  add(reason: string, ...awaits: readonly string[]): void {
    this.#reasons.add(reason);
    for (const name of awaits) this.#awaits.add(name);
  }

  get result(): Missing | undefined {
    if (this.#reasons.size === 0) return undefined;
    return { awaits: [...this.#awaits], reason: [...this.#reasons].join("; ") };
  }
}
