/**
 * Values by the hosts that they are for, exact or with a wildcard in front (`*.example.com`, `*-api.example.com`, `*`). Finding
 * those that fit a host looks at its endings only, so it costs no more when there are many patterns.
 */
export class HostPatterns<T> {
  /** By the exact host. */
  readonly #exact = new Map<string, Set<T>>();
  /** By what follows the asterisk. */
  readonly #endings = new Map<string, Set<T>>();

  add(pattern: string, value: T): void {
    const [index, key] = this.#place(pattern);
    const values = index.get(key);
    if (values === undefined) index.set(key, new Set([value]));
    else values.add(value);
  }

  remove(pattern: string, value: T): void {
    const [index, key] = this.#place(pattern);
    const values = index.get(key);
    values?.delete(value);
    if (values?.size === 0) index.delete(key);
  }

  /** Those that fit, by pattern: the host itself first, then wildcards from the longest ending to the shortest. */
  fitting(host: string): readonly (readonly [pattern: string, values: ReadonlySet<T>])[] {
    const found: [string, ReadonlySet<T>][] = [];
    const exact = this.#exact.get(host);
    if (exact !== undefined) found.push([host, exact]);
    if (this.#endings.size === 0) return found;
    for (let start = 0; start < host.length; start++) {
      const code = host.charCodeAt(start);
      if (code !== DOT && code !== DASH) continue;
      // The asterisk stands for something, so an ending is never the whole host.
      const values = start === 0 ? undefined : this.#endings.get(host.slice(start));
      if (values !== undefined) found.push([`*${host.slice(start)}`, values]);
    }
    // A wildcard host is its own.
    const own = host.startsWith("*") ? this.#endings.get(host.slice(1)) : undefined;
    if (own !== undefined && !found.some(([, values]) => values === own)) found.unshift([host, own]);
    const all = host === "*" ? undefined : this.#endings.get("");
    if (all !== undefined) found.push(["*", all]);
    return found;
  }

  #place(pattern: string): [index: Map<string, Set<T>>, key: string] {
    return isWildcard(pattern) ? [this.#endings, pattern.slice(1)] : [this.#exact, pattern];
  }
}

const DOT = 0x2e;
const DASH = 0x2d;

export function isWildcard(pattern: string): boolean {
  return pattern.startsWith("*");
}

/** Whether a host, or a wildcard as a whole, is among those that a pattern stands for. */
export function fits(pattern: string, host: string): boolean {
  if (!isWildcard(pattern)) return pattern === host;
  return pattern === "*" || pattern === host || (host.length >= pattern.length && host.endsWith(pattern.slice(1)));
}
