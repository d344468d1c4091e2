/**
 * Which configuration revision each compiled value contains. A value keeps its revision as long as it says the same, so that
 * what touched it without changing it, and a change of leader, do not write it again.
 */
export class Revisions {
  readonly #kept = new Map<string, { readonly shape: string; readonly revision: number }>();
  readonly #touched = new Map<string, number>();

  /** Takes over what an earlier leader wrote. */
  restore(key: string, shape: string, revision: number): void {
    this.#kept.set(key, { shape, revision });
  }

  /** A resource of this revision has, or had, a say in the value. */
  touch(key: string, revision: number): void {
    this.#touched.set(key, Math.max(this.#touched.get(key) ?? 0, revision));
  }

  /**
   * The revision of the value as it is now, `shape` being all that it says. `atLeast`: of what shows elsewhere (in endpoints) and
   * is to be waited for here.
   */
  settle(key: string, shape: string, atLeast = 0): number {
    const kept = this.#kept.get(key);
    if (kept?.shape === shape && kept.revision >= atLeast) return kept.revision;
    const revision = Math.max(kept?.revision ?? 0, this.#touched.get(key) ?? 0, atLeast);
    this.#kept.set(key, { shape, revision });
    return revision;
  }

  /** Of the value as it was settled last; 0 when there is none. */
  current(key: string): number {
    return this.#kept.get(key)?.revision ?? 0;
  }

  forget(key: string): void {
    this.#kept.delete(key);
    this.#touched.delete(key);
  }
}
