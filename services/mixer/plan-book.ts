import { type Input, Plan, tableKey } from "../../shared/wire/index.ts";
import type { ConfigSet } from "./config-set.ts";
import { type LinkedConfig, linkConfig, type Source } from "./linked-config.ts";
import { type PlannedContent, type PlannedService, type PlanSettings, planFor } from "./plan.ts";

export const DEFAULT_PLAN_KEY = "default";

interface Page {
  readonly revision: number;
  readonly bytes: Uint8Array;
  /** Source key -> its revision. */
  readonly sources: ReadonlyMap<string, number>;
}

export interface Touched {
  readonly key: string;
  readonly revision: number;
}

/**
 * All plans with their revisions. A plan's revision is that of the newest change that touched it: a resource that is
 * part of it, or was until that change. It never goes back, so a proxy that keys its cache by it never finds an
 * answer of before the change. Revisions of plans that a former leader wrote are the floor; what was deleted while
 * nobody led may have touched any of them.
 */
export class PlanBook {
  readonly #settings: PlanSettings;
  #pages = new Map<string, Page>();
  readonly #floor = new Map<string, number>();
  /** Where a resource was part of a plan until its newest revision. */
  readonly #left = new Map<string, { readonly revision: number; readonly keys: Set<string> }>();

  constructor(settings: PlanSettings) {
    this.#settings = settings;
  }

  /** Takes over what the table holds, as bytes of `Plan` by key. */
  inherit(stored: Iterable<readonly [key: string, bytes: Uint8Array]>): void {
    for (const [key, bytes] of stored) {
      try {
        this.#floor.set(key, Plan.decode(bytes).revision);
      } catch {
        this.#floor.set(key, 0);
      }
    }
  }

  /** Makes all plans anew and returns them, encoded, by key. */
  update(set: ConfigSet, services: Iterable<PlannedService>): ReadonlyMap<string, Uint8Array> {
    const config = linkConfig(set);
    const pages = new Map<string, Page>();
    pages.set(DEFAULT_PLAN_KEY, this.#page(DEFAULT_PLAN_KEY, undefined, config, set));
    for (const service of services) {
      const key = tableKey(service.namespace, service.service);
      pages.set(key, this.#page(key, service, config, set));
    }
    this.#pages = pages;
    return new Map([...pages].map(([key, page]) => [key, page.bytes]));
  }

  /** The plans that contain the resource, or contained it until its newest revision. */
  touchedBy(source: string): Touched[] {
    const left = this.#left.get(source)?.keys;
    const touched: Touched[] = [];
    for (const [key, page] of this.#pages) {
      if (page.sources.has(source) || left?.has(key)) touched.push({ key, revision: page.revision });
    }
    return touched;
  }

  #page(key: string, service: PlannedService | undefined, config: LinkedConfig, set: ConfigSet): Page {
    const content = planFor(config, service, this.#settings);
    const before = this.#pages.get(key);
    const revision = Math.max(
      1,
      before === undefined ? this.#firstRevision(key, content, set) : this.#nextRevision(key, before, content, set),
    );
    const plan: Input<typeof Plan> = { ...content.plan, revision };
    const sources = new Map(content.sources.map((source) => [source.key, source.revision]));
    return { revision, bytes: Plan.encode(plan), sources };
  }

  #firstRevision(key: string, content: PlannedContent, set: ConfigSet): number {
    const floor = this.#floor.get(key);
    const newest = newestOf(content.sources);
    if (floor === undefined) return newest;
    let deleted = 0;
    for (const entry of set.entries.values()) if (entry.deleted) deleted = Math.max(deleted, entry.revision);
    return Math.max(floor, newest, deleted);
  }

  #nextRevision(key: string, before: Page, content: PlannedContent, set: ConfigSet): number {
    let revision = Math.max(before.revision, newestOf(content.sources));
    const present = new Set(content.sources.map((source) => source.key));
    for (const source of before.sources.keys()) {
      if (present.has(source)) continue;
      const now = set.entries.get(source)?.revision ?? set.revision;
      revision = Math.max(revision, now);
      const left = this.#left.get(source);
      if (left?.revision === now) left.keys.add(key);
      else this.#left.set(source, { revision: now, keys: new Set([key]) });
    }
    const unexplained =
      revision === before.revision &&
      !sameBytes(Plan.encode({ ...content.plan, revision: before.revision }), before.bytes);
    return unexplained ? Math.max(revision, set.revision) : revision;
  }
}

function newestOf(sources: readonly Source[]): number {
  return sources.reduce((newest, source) => Math.max(newest, source.revision), 0);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
