import { type Clock, errorMessage } from "../../shared/base/index.ts";
import { type Bus, TableOwner } from "../../shared/bus/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import type { Input, SyncReply } from "../../shared/wire/index.ts";
import type { ConfigSet } from "./config-set.ts";
import type { PlanSettings } from "./plan.ts";
import { PlanBook } from "./plan-book.ts";
import type { ServiceDirectory } from "./service-directory.ts";

/**
 * The leader's side of table `plan`. Any change of the configuration or of the services makes all plans anew, changes
 * close together once; the table writes only bytes that differ. Nothing is written, and above all nothing is removed,
 * before both inputs have been read in full.
 */
export interface PlannerOptions {
  /** A connection into account STORE. */
  readonly store: Bus;
  readonly set: ConfigSet;
  readonly services: ServiceDirectory;
  readonly settings: PlanSettings;
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether configuration and services have been read in full. */
  readonly isSynced: () => boolean;
  readonly onConflict: () => void;
}

/** Changes this close together are planned once. */
const COALESCE_MS = 10;
const RETRY_MS = 1000;
/** Keys that one answer names. */
const MAX_TOUCHED = 1000;

interface Term {
  readonly owner: TableOwner;
  readonly book: PlanBook;
  readonly written: Set<string>;
  /** Source key -> the revision that is in the written plans. */
  applied: ReadonlyMap<string, number>;
}

export class Planner {
  readonly #options: PlannerOptions;
  #term: Term | undefined;
  #working = false;
  #again = false;
  #cancel: (() => void) | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** Takes the table over. Throws UnavailableError. */
  async begin(): Promise<void> {
    const { store, clock, log, onConflict, settings } = this.#options;
    this.end();
    const owner = new TableOwner({ bus: store, table: "plan", clock, log, onConflict });
    const stored = await owner.start();
    const book = new PlanBook(settings);
    book.inherit([...stored].map(([key, { value }]) => [key, value] as const));
    this.#term = { owner, book, written: new Set(stored.keys()), applied: new Map() };
    this.changed(0);
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#term?.owner.stop();
    this.#term = undefined;
  }

  /** Something that plans are made from has changed. */
  changed(delayMs = COALESCE_MS): void {
    if (this.#term === undefined) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#cancel ??= this.#options.clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.#work();
    });
  }

  /** Which plans contain a configuration resource, for whoever waits for it; undefined while not leading. */
  answer(configKey: string): Input<typeof SyncReply> | undefined {
    const term = this.#term;
    if (term === undefined) return undefined;
    const touched = term.book.touchedBy(configKey).slice(0, MAX_TOUCHED);
    return {
      role: "mixer",
      name: this.#options.name,
      owner: true,
      epoch: term.owner.epoch,
      revision: term.applied.get(configKey) ?? 0,
      touched: touched.map(({ key, revision }) => ({ table: "plan", key, revision })),
      reason: this.#options.set.entries.get(configKey)?.fault ?? "",
    };
  }

  async #work(): Promise<void> {
    const term = this.#term;
    if (term === undefined || !this.#options.isSynced()) return;
    this.#working = true;
    this.#again = false;
    let retryMs: number | undefined;
    try {
      await this.#write(term);
    } catch (error) {
      this.#options.log.warn({ reason: errorMessage(error) }, "plans not written; trying again");
      retryMs = RETRY_MS;
    }
    this.#working = false;
    if (this.#again || retryMs !== undefined) this.changed(retryMs);
  }

  async #write(term: Term): Promise<void> {
    const { set, services } = this.#options;
    const applied = new Map([...set.entries.values()].map((entry) => [entry.key, entry.revision]));
    const plans = term.book.update(set, services.services);
    await Promise.all(
      [...plans].map(async ([key, bytes]) => {
        await term.owner.set(key, bytes);
        term.written.add(key);
      }),
    );
    for (const key of term.written) {
      if (plans.has(key)) continue;
      await term.owner.remove(key);
      term.written.delete(key);
    }
    if (this.#term !== term) return;
    term.applied = applied;
    term.owner.markComplete();
  }
}
