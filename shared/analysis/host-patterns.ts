/**
 * Values under host names, exact or with a leading wildcard (`*.example.com`, `*-api.example.com`, `*`). A lookup costs as
 * many steps as the host has characters, however many patterns there are.
 */
export class HostPatterns<T> {
  readonly #exact = new Map<string, T[]>();
  /** By what follows the asterisk. */
  readonly #wildcards = new Map<string, T[]>();

  add(pattern: string, value: T): void {
    const [map, key] = pattern.startsWith("*") ? [this.#wildcards, pattern.slice(1)] : [this.#exact, pattern];
    const values = map.get(key);
    if (values === undefined) map.set(key, [value]);
    else values.push(value);
  }

  /** Of this very pattern. */
  under(pattern: string): readonly T[] {
    return (pattern.startsWith("*") ? this.#wildcards.get(pattern.slice(1)) : this.#exact.get(pattern)) ?? [];
  }

  /** All patterns, most specific first, that fit a host or, when it is a pattern itself, cover it. */
  *fitting(host: string): Generator<readonly T[]> {
    const exact = host.startsWith("*") ? undefined : this.#exact.get(host);
    if (exact !== undefined) yield exact;
    if (this.#wildcards.size === 0) return;
    for (let at = host.startsWith("*") ? 1 : 0; at <= host.length; at++) {
      const values = this.#wildcards.get(host.slice(at));
      if (values !== undefined) yield values;
    }
  }

  /** Patterns and their values. */
  *entries(): Generator<readonly [pattern: string, values: readonly T[]]> {
    yield* this.#exact;
    for (const [suffix, values] of this.#wildcards) yield [`*${suffix}`, values];
  }
}

/** Whether some host fits both patterns; either may be exact. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/** Whether every host that fits `b` fits `a` as well. */
export function hostCovers(a: string, b: string): boolean {
  if (!a.startsWith("*")) return a === b;
  return b.startsWith("*") ? b.slice(1).endsWith(a.slice(1)) : b.endsWith(a.slice(1));
}
