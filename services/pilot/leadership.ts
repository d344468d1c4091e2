import { readFile } from "node:fs/promises";
import { type Clock, ConflictError, errorMessage, UnavailableError } from "../../shared/base/index.ts";
import { type Bus, type BusSubscription, DurableQueue, Leader, type QueueConsumption } from "../../shared/bus/index.ts";
import type { KindRegistry } from "../../shared/model/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { Applier } from "./apply.ts";
import type { ConfigStore } from "./config-store.ts";
import { type HandlerOptions, handleSubmitted, refuseSubmitted, serveChanges } from "./handlers.ts";
import type { Registry } from "./registry.ts";
import { Term } from "./term.ts";

/**
 * Stands for election, and while elected does what only one Pilot may do: owns the tables, accepts changes, works off the
 * submission queue. A replica that loses the lead stops all of that at once and keeps reading and listening, so that
 * it can take over again in the time of reading four tables.
 */
export interface LeadershipOptions {
  readonly replica: string;
  /** The connection into account STORE. */
  readonly storeBus: Bus;
  /** The connection into account MESH. */
  readonly meshBus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ConfigStore;
  readonly kinds: KindRegistry;
  readonly registry: Registry;
  /** What a new mesh starts with, as YAML. */
  readonly defaultConfigFile: string;
  /** Whether this replica has ever seen the mesh configured. */
  readonly isFirstStart: () => boolean;
  readonly onDefaultsInstalled: () => void;
  readonly onCompiled: (failed: boolean) => void;
}

const LEADS_NO_MORE = "this Pilot leads no more; try again";

interface Reign {
  readonly term: Term;
  readonly applier: Applier;
  readonly subscriptions: readonly BusSubscription[];
  readonly consumption: QueueConsumption;
}

export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #leader: Leader;
  #reign: Reign | undefined;
  #generation = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#leader = new Leader({
      bus: options.storeBus,
      role: "pilot",
      name: options.replica,
      clock: options.clock,
      log: options.log,
      onElected: () => this.#begin(),
      onDeposed: () => this.#end(),
    });
  }

  /** The present term; undefined unless this replica leads and has taken the tables over. */
  get term(): Term | undefined {
    return this.#reign?.term;
  }

  /** Whether another replica leads. */
  get following(): boolean {
    return !this.#leader.leading && this.#leader.leaderName !== undefined;
  }

  start(): void {
    this.#leader.start();
  }

  /** Stops accepting, finishes the submission in hand, gives the lead away. */
  async resign(): Promise<void> {
    for (const subscription of this.#reign?.subscriptions ?? []) subscription.close();
    await this.#reign?.consumption.stop();
    await this.#reign?.applier.idle();
    await this.#reign?.term.broadcaster.idle();
    await this.#leader.resign();
    this.#end();
  }

  async #begin(): Promise<void> {
    const generation = ++this.#generation;
    const { storeBus, meshBus, clock, log, store, kinds, registry, isFirstStart, onCompiled } = this.#options;
    const onConflict = () => this.#leader.stepDown();
    const term = await Term.begin({
      bus: storeBus,
      clock,
      log,
      store,
      kinds,
      registry,
      isFirstStart,
      onConflict,
      onCompiled,
    });
    if (generation !== this.#generation) {
      term.end();
      return;
    }
    const applier = new Applier({
      store,
      kinds,
      pendingReason: (resource) => term.compiler.wouldWait(resource),
      odditiesOf: (resource) => term.compiler.odditiesOf(resource),
      write: async (version) => {
        if (this.#generation !== generation) throw new UnavailableError(LEADS_NO_MORE);
        try {
          await term.write(version);
        } catch (error) {
          // Somebody else leads: no conflict of the submitter's.
          throw error instanceof ConflictError ? new UnavailableError(LEADS_NO_MORE, { cause: error }) : error;
        }
      },
    });
    const handlers: HandlerOptions = { bus: meshBus, log, store, kinds };
    if (term.foundNothing) await this.#installDefaults(applier);
    if (generation !== this.#generation) {
      term.end();
      return;
    }
    const queue = new DurableQueue({
      bus: storeBus,
      stream: storeBus.subjects.submitStream(),
      subject: storeBus.subjects.config("submit"),
      durable: "pilot",
      clock,
      log,
    });
    this.#reign = {
      term,
      applier,
      subscriptions: serveChanges(handlers, applier, (rule) => term.compiler.pendingReason(rule)),
      consumption: queue.consume(
        (message) => handleSubmitted(handlers, applier, message),
        () => refuseSubmitted(handlers),
      ),
    };
  }

  #end(): void {
    this.#generation++;
    const reign = this.#reign;
    this.#reign = undefined;
    if (reign === undefined) return;
    for (const subscription of reign.subscriptions) subscription.close();
    void reign.consumption.stop();
    reign.term.end();
  }

  async #installDefaults(applier: Applier): Promise<void> {
    const { defaultConfigFile, log, onDefaultsInstalled } = this.#options;
    try {
      const results = await applier.apply(await readFile(defaultConfigFile, "utf8"));
      for (const { kind, name, outcome, errors } of results) {
        if (outcome === "rejected")
          log.error({ kind, name, path: errors[0]?.path, reason: errors[0]?.reason }, "default resource refused");
      }
      onDefaultsInstalled();
      log.info({ resources: results.length, file: defaultConfigFile }, "default configuration installed");
    } catch (error) {
      log.error({ file: defaultConfigFile, reason: errorMessage(error) }, "default configuration not installed");
    }
  }
}
