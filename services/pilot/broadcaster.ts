import { type Clock, errorMessage } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { type Input, type RequirementInput, ServiceConfig, type TouchedKeyInput } from "../../shared/wire/index.ts";
import { type Affected, NOTHING } from "./compile/affected.ts";
import { COMPILED_TABLES, type CompiledTableName } from "./compile/compiled-tables.ts";
import type { Compiler } from "./compile/compiler.ts";
import { DirtyKeys, type Keys, keysOf } from "./dirty-keys.ts";
import type { EndpointShards } from "./endpoint-shards.ts";
import { type Dependency, type KeyPosition, type Pinned, pin } from "./requirements.ts";
import { Turn } from "./turn.ts";
import { targetsFirst } from "./write-order.ts";

/**
 * Turns what changed into writes, in an order in which no follower is ever sent somewhere that does not exist: first
 * the endpoints that a service's routes need, then the services it sends to, then itself, then what leads to it (hosts,
 * gateways); what is gone is removed last and the other way round, after those that sent there have been written without it.
 *
 * One pass at a time; what changes meanwhile makes up the next. So a burst of changes to one service costs one
 * write, and the reader of `settled` knows that a change is out when the pass that contained it has ended. A value that
 * does not compile, or whose write fails, is logged, counted and tried again, and stops no other: but services that
 * send to one that has never been written keep their old routes until it is.
 */
export interface CompiledTable {
  set(key: string, value: Uint8Array): Promise<unknown>;
  remove(key: string): Promise<unknown>;
  position(key: string): KeyPosition | undefined;
}

export interface BroadcasterOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly compiler: Compiler;
  readonly shards: EndpointShards;
  readonly tables: Readonly<Record<"service" | "endpoints" | CompiledTableName, CompiledTable>>;
  /** A service was compiled and written, or a compilation failed. */
  readonly onCompiled?: (failed: boolean) => void;
}

export interface Settled {
  readonly revision: number;
  readonly touched: readonly TouchedKeyInput[];
}

const RETRY_MS = 1000;

export class Broadcaster {
  readonly #options: BroadcasterOptions;
  #dirty = new DirtyKeys();
  /** Resources whose effect is not out yet: key of table `config` -> revision and effect. */
  #unsettled = new Map<string, { revision: number; affected: Affected }>();
  readonly #settled = new Map<string, Settled>();
  readonly #pinned = new Map<string, Pinned>();
  readonly #served = new Set<string>();
  /** Keys of other tables that have a value, as `<table> <key>`. */
  readonly #written = new Set<string>();
  /** What is wrong with a value, by `<table> <key>`. */
  readonly #faults = new Map<string, string>();
  #pass: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  /** Something changed since the pass looked last. */
  #isWoken = false;
  #paused = true;
  #stopped = false;

  constructor(options: BroadcasterOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier leader wrote, so that unchanged values keep their bytes. */
  restoreService(key: string, config: ServiceConfig): void {
    const { requires } = config;
    this.#served.add(key);
    this.#pinned.set(`service ${key}`, { shape: shapeOf(config), requires });
  }

  /** The same for a value of another table, of the shape that it had. */
  restore(table: CompiledTableName, key: string, shape: string, requires: readonly RequirementInput[]): void {
    this.#written.add(`${table} ${key}`);
    this.#pinned.set(`${table} ${key}`, { shape, requires });
    // There may be no reason for it any more.
    this.#dirty.addAll(table, [key]);
  }

  /** Starts to write; until then changes are only collected. */
  async begin(): Promise<void> {
    this.#paused = false;
    for (const table of COMPILED_TABLES) this.#dirty.addAll(table, this.#options.compiler.keys(table));
    this.#wake();
    await this.#pass;
  }

  /** A resource was accepted. */
  configChanged(configKey: string, revision: number, affected: Affected): void {
    this.#unsettled.set(configKey, { revision, affected });
    // It has waited until now: what was out was that it waits.
    if (this.#settled.get(configKey)?.revision === revision) this.#settled.delete(configKey);
    this.changed(affected);
  }

  /** What these keys are compiled from has changed. */
  changed(affected: Affected): void {
    this.#dirty.add(affected);
    this.#wake();
  }

  /** The revision of a resource whose effect is out, and where; undefined when none is. */
  settled(configKey: string): Settled | undefined {
    return this.#settled.get(configKey);
  }

  /** Why the effect of a resource is not out; undefined when nothing is wrong. */
  failure(configKey: string): string | undefined {
    for (const [table, keys] of keysOf(this.#unsettled.get(configKey)?.affected ?? NOTHING)) {
      for (const key of keys) {
        const fault = this.#faults.get(`${table} ${key}`);
        if (fault !== undefined) return `${table} ${key}: ${fault}`;
      }
    }
    return undefined;
  }

  /** All values that are not out, or not as a whole, and why. */
  *failures(): Generator<string> {
    for (const [id, reason] of this.#faults) yield `${id}: ${reason}`;
  }

  /** Resolves when all that changed so far is out or waits for a retry. */
  async idle(): Promise<void> {
    while (this.#pass !== undefined) await this.#pass;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
  }

  #wake(): void {
    if (this.#paused || this.#stopped) return;
    this.#isWoken = true;
    if (this.#pass !== undefined) return;
    // Leaves the caller's turn first, so that changes of one turn make one pass.
    this.#pass = Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#pass = undefined;
        // Between the pass's last look and now.
        if (this.#isWoken) this.#wake();
      });
  }

  async #run(): Promise<void> {
    this.#isWoken = false;
    while (!this.#stopped && (this.#dirty.size > 0 || this.#unsettled.size > 0)) {
      this.#isWoken = false;
      const dirty = this.#dirty;
      const unsettled = this.#unsettled;
      this.#dirty = new DirtyKeys();
      this.#unsettled = new Map();
      const failed = await this.#writeAll(dirty);
      for (const [configKey, { revision, affected }] of unsettled) {
        const isOut = !failed.hasAny(affected);
        if (isOut) this.#settled.set(configKey, { revision, touched: this.#touched(revision, affected) });
        else if (!this.#unsettled.has(configKey)) this.#unsettled.set(configKey, { revision, affected });
      }
      if (failed.size === 0) continue;
      this.#retryLater(failed);
      break;
    }
  }

  /** Returns what failed. */
  async #writeAll(dirty: DirtyKeys): Promise<DirtyKeys> {
    const { compiler, tables, shards } = this.#options;
    const failed = new DirtyKeys();
    const gone: string[] = [];
    const turn = new Turn();
    const attempt = async (table: keyof Keys, key: string, step: () => Promise<void>): Promise<void> => {
      await turn.pause();
      if (this.#stopped) return;
      try {
        await step();
      } catch (error) {
        failed.addAll(table, [key]);
        this.#faults.set(`${table} ${key}`, errorMessage(error));
        this.#options.onCompiled?.(true);
        this.#options.log.error({ table, key, reason: errorMessage(error) }, "not compiled and written; trying again");
      }
    };
    for (const service of targetsFirst(dirty.keys("service"), (key) => this.#targetsOf(key))) {
      await attempt("service", service, async () => {
        if (!(await this.#writeService(service, failed.keys("service")))) gone.push(service);
        this.#faults.delete(`service ${service}`);
      });
    }
    for (const table of COMPILED_TABLES) {
      for (const key of dirty.keys(table)) await attempt(table, key, () => this.#writeValue(table, key));
    }
    for (const service of gone) {
      if (!this.#served.has(service)) continue;
      await attempt("service", service, async () => {
        await tables.service.remove(service);
        await shards.remove(service);
        compiler.forget(service);
        this.#served.delete(service);
        this.#pinned.delete(`service ${service}`);
      });
    }
    return failed;
  }

  /** False when the service is gone; `failed`: those that could not be written. */
  async #writeService(key: string, failed: ReadonlySet<string>): Promise<boolean> {
    const { compiler, shards, tables } = this.#options;
    const compiled = compiler.compileService(key, shards.count(key));
    if (compiled === undefined) return false;
    const { targets, ...body } = compiled;
    for (const target of targets) {
      if (!(await shards.flush(target))) throw new Error(`endpoints of ${target} are not written`);
    }
    const others = targets.filter((target) => target !== key);
    for (const target of others) {
      if (failed.has(target) && tables.service.position(target) === undefined)
        throw new Error(`service ${target}, which it sends to, is not written`);
    }
    const pinned = this.#pin(`service ${key}`, shapeOf(body), [
      ...others.map((target): Dependency => ({ table: "service", key: target })),
      ...this.#endpointsOf(targets),
    ]);
    await tables.service.set(key, ServiceConfig.encode({ ...body, requires: [...pinned.requires] }));
    this.#served.add(key);
    if (body.endpointShards === 0) await shards.remove(key);
    else shards.announced(key, body.endpointShards ?? 1);
    this.#options.onCompiled?.(false);
    return true;
  }

  /** Writes a value of a table beside `service`, or removes it when there is to be none. */
  async #writeValue(table: CompiledTableName, key: string): Promise<void> {
    const { compiler, tables } = this.#options;
    const id = `${table} ${key}`;
    const compiled = compiler.compile(table, key);
    if (compiled !== undefined) {
      const { targets, direct, shape, left } = compiled;
      const pinned = this.#pin(id, shape, [
        ...targets.map((target): Dependency => ({ table: "service", key: target })),
        ...this.#endpointsOf(direct),
      ]);
      await tables[table].set(key, compiled.encode(pinned.requires));
      this.#written.add(id);
      this.#noteLeft(table, key, left);
    } else {
      if (this.#written.has(id)) await tables[table].remove(key);
      this.#written.delete(id);
      this.#pinned.delete(id);
      this.#faults.delete(id);
    }
  }

  /** People are told once of what a value leaves out, and again when it is more or less. */
  #noteLeft(table: CompiledTableName, key: string, left: number): void {
    const id = `${table} ${key}`;
    const fault = left === 0 ? undefined : `too much for one message: the youngest ${left} are left out`;
    if (fault === this.#faults.get(id)) return;
    if (fault === undefined) this.#faults.delete(id);
    else {
      this.#faults.set(id, fault);
      this.#options.log.error({ table, key }, fault);
    }
  }

  #endpointsOf(services: readonly string[]): Dependency[] {
    const { compiler, shards } = this.#options;
    const written = services.filter((service) => compiler.hasEndpoints(service));
    return written.flatMap((service) => shards.keys(service)).map((key) => ({ table: "endpoints", key }));
  }

  #pin(owner: string, shape: string, dependencies: readonly Dependency[]): Pinned {
    const { tables } = this.#options;
    const pinned = pin(shape, dependencies, ({ table, key }) => tables[table].position(key), this.#pinned.get(owner));
    this.#pinned.set(owner, pinned);
    return pinned;
  }

  /** Nothing for one about which the compiler throws: that is told when it is compiled. */
  #targetsOf(service: string): Iterable<string> {
    try {
      return this.#options.compiler.targetsOf(service);
    } catch {
      return [];
    }
  }

  #retryLater(failed: DirtyKeys): void {
    this.#dirty.take(failed);
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#wake());
  }

  #touched(revision: number, affected: Affected): TouchedKeyInput[] {
    const touched: TouchedKeyInput[] = [];
    for (const [table, keys] of keysOf(affected)) {
      for (const key of new Set(keys)) {
        const isWritten = table === "service" ? this.#served.has(key) : this.#written.has(`${table} ${key}`);
        // A value that the resource did not change keeps the revision that it had.
        if (isWritten && this.#options.compiler.revisionOf(table, key) >= revision)
          touched.push({ table, key, revision });
      }
    }
    return touched;
  }
}

/** Of the configuration in it; who wants to know when that is applied is to learn it of what it requires too. */
function shapeOf({
  routes = [],
  views = [],
  policies = [],
  endpointShards = 0,
  revision = 0,
}: Pick<Input<typeof ServiceConfig>, "routes" | "views" | "policies" | "endpointShards" | "revision">): string {
  const parts = { routes, views, policies, endpointShards, revision };
  return Buffer.from(ServiceConfig.encode(parts)).toString("base64");
}
