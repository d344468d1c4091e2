import type { Affected } from "./compile/affected.ts";
import type { CompiledTableName } from "./compile/compiled-tables.ts";

/** Keys by table. */
export type Keys = Record<"service" | CompiledTableName, Set<string>>;

/** What a change affects, table by table. */
export function keysOf(affected: Affected): readonly (readonly [table: keyof Keys, keys: readonly string[]])[] {
  return [
    ["service", affected.services],
    ["hosts", affected.hosts],
    ["gateway", affected.gateways],
    ["workload", affected.workloads],
  ];
}

/** Keys that are to be compiled and written. */
export class DirtyKeys {
  readonly #keys: Keys = { service: new Set(), hosts: new Set(), gateway: new Set(), workload: new Set() };

  get size(): number {
    return Object.values(this.#keys).reduce((sum, keys) => sum + keys.size, 0);
  }

  keys(table: keyof Keys): ReadonlySet<string> {
    return this.#keys[table];
  }

  add(affected: Affected): void {
    for (const [table, keys] of keysOf(affected)) this.addAll(table, keys);
  }

  addAll(table: keyof Keys, keys: Iterable<string>): void {
    for (const key of keys) this.#keys[table].add(key);
  }

  take(other: DirtyKeys): void {
    for (const table of Object.keys(this.#keys) as (keyof Keys)[]) this.addAll(table, other.keys(table));
  }

  /** Whether anything of it is among these keys. */
  hasAny(affected: Affected): boolean {
    return keysOf(affected).some(([table, keys]) => keys.some((key) => this.#keys[table].has(key)));
  }
}
