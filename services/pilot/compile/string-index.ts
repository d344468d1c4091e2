/** Which values belong to a key, each once. A key without values takes no room. */
export class StringIndex {
  readonly #values = new Map<string, Set<string>>();

  add(key: string, value: string): void {
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, new Set([value]));
    else values.add(value);
  }

  remove(key: string, value: string): void {
    const values = this.#values.get(key);
    values?.delete(value);
    if (values?.size === 0) this.#values.delete(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): Iterable<string> {
    return this.#values.get(key) ?? [];
  }

  keys(): Iterable<string> {
    return this.#values.keys();
  }
}
