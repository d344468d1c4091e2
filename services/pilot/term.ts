import { type Clock, errorMessage, UnavailableError } from "../../shared/base/index.ts";
import { type Bus, type StoredValue, TableOwner } from "../../shared/bus/index.ts";
import { type KindRegistry, type ParsedResource, type Resource, specOf } from "../../shared/model/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { tableKey } from "../../shared/wire/index.ts";
import { Broadcaster } from "./broadcaster.ts";
import { type Activated, type Affected, affected, merged, NOTHING } from "./compile/affected.ts";
import { Compiler } from "./compile/compiler.ts";
import {
  type ConfigStore,
  configKey,
  isTombstone,
  parseVersion,
  ruleNameOfKey,
  type StoredVersion,
  versionNumber,
} from "./config-store.ts";
import { EndpointShards } from "./endpoint-shards.ts";
import type { Registry, RegistryChange } from "./registry.ts";
import { takeOver } from "./take-over.ts";
import { Turn } from "./turn.ts";

/**
 * One time of leading, from taking the tables over to losing or giving up the lead.
 *
 * It starts from what the tables hold and from what this replica knows, whichever is newer: configuration that the
 * bucket lost (it may be minutes behind after a crash, or gone) is written back from memory and journal; instances
 * that the tables name and nobody has been heard of get a fresh lease. Nothing is written that has not changed, so a
 * change of leader is invisible to followers.
 *
 * Until all is known again nothing is written and nothing that the registry tells is looked at: what is put together of half of the
 * configuration would take instances and routes away that come back a moment later. Resources are read in an order in which
 * each finds what it builds on. It is done in small pieces, because the lead has to be renewed meanwhile.
 *
 * While the tables are being taken over the heads do not say `complete`. A table that was found empty although
 * the mesh is not new says so only when every proxy has had the time to send a heartbeat.
 */
export interface TermOptions {
  /** The connection into account STORE. */
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ConfigStore;
  readonly kinds: KindRegistry;
  readonly registry: Registry;
  /** Whether this mesh has never been configured before. */
  readonly isFirstStart: () => boolean;
  /** Somebody else writes our tables. */
  readonly onConflict: () => void;
  readonly onCompiled?: (failed: boolean) => void;
}

/** One heartbeat period with its jitter, and some. */
const HEARD_ALL_MS = 7_000;
const RECOVERY_MS = 1_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What others build on comes before them; all others in the order of their keys. */
const FOUNDATIONS = ["meshconfig", "serviceentry", "egressrule", "workloadentry", "destinationrule"];

type Owned = "config" | "service" | "endpoints" | "hosts" | "gateway" | "workload";

export class Term {
  readonly compiler: Compiler;
  readonly broadcaster: Broadcaster;
  /** Whether no configuration and no service was found, neither on the bus nor in the journal. */
  foundNothing = false;
  readonly #options: TermOptions;
  readonly #owners: Readonly<Record<Owned, TableOwner>>;
  readonly #shards: EndpointShards;
  readonly #stops: (() => void)[] = [];
  readonly #turn = new Turn();
  #ended = false;

  private constructor(options: TermOptions) {
    this.#options = options;
    const { clock, log, registry } = options;
    this.#owners = {
      config: this.#own("config", () => this.#configContent()),
      service: this.#own("service", () => this.#lost()),
      endpoints: this.#own("endpoints", () => this.#lost()),
      hosts: this.#own("hosts", () => this.#lost()),
      gateway: this.#own("gateway", () => this.#lost()),
      workload: this.#own("workload", () => this.#lost()),
    };
    this.compiler = new Compiler(registry, { findRevision: (rule, revision) => this.#findRevision(rule, revision) });
    this.#shards = new EndpointShards({
      clock,
      log,
      table: this.#owners.endpoints,
      endpoints: (key) => this.compiler.endpoints(key),
      onGrown: (service) => this.broadcaster.changed(affected({ services: [service] })),
    });
    this.broadcaster = new Broadcaster({
      clock,
      log,
      compiler: this.compiler,
      shards: this.#shards,
      tables: this.#owners,
      ...(options.onCompiled && { onCompiled: options.onCompiled }),
    });
  }

  /** Takes the tables over; throws when the bus fails meanwhile. */
  static async begin(options: TermOptions): Promise<Term> {
    const term = new Term(options);
    try {
      await term.#takeOver();
      return term;
    } catch (error) {
      term.end();
      throw error;
    }
  }

  /** Stores a new version: when this returns it is accepted and broadcast. Throws when it is not. */
  async write(version: StoredVersion): Promise<void> {
    const key = configKey({ kind: version.kind, ...version.metadata });
    await this.#owners.config.set(key, encodeVersion(version));
    this.#options.store.observe(version);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stop of this.#stops) stop();
    this.broadcaster.stop();
    this.#shards.stop();
    for (const owner of Object.values(this.#owners)) owner.stop();
  }

  async #takeOver(): Promise<void> {
    const { config, service, endpoints, hosts, gateway, workload } = this.#owners;
    const { store, registry, log } = this.#options;
    const [configs, services, endpointSets, hostTables, gateways, workloads] = await Promise.all([
      config.start(),
      service.start(),
      endpoints.start(),
      hosts.start(),
      gateway.start(),
      workload.start(),
    ]);
    const isFirstStart = this.#options.isFirstStart() && configs.size === 0 && services.size === 0;
    this.foundNothing = isFirstStart;
    await this.#takeOverConfig(configs);
    config.markComplete();
    await takeOver(
      { service: services, endpoints: endpointSets, hosts: hostTables, gateway: gateways, workload: workloads },
      {
        compiler: this.compiler,
        broadcaster: this.broadcaster,
        shards: this.#shards,
        registry,
        guarded: (what, step) => this.#guarded(what, step),
        turn: this.#turn,
      },
    );
    const meanwhile: RegistryChange[] = [];
    const stopNoting = registry.onChange((change) => meanwhile.push(change));
    this.#stops.push(stopNoting);
    await this.#compileAll();
    for (const key of [...this.compiler.allKeys().services]) {
      await this.#turn.pause();
      if (this.compiler.hasEndpoints(key)) this.#guarded(`service ${key}`, () => this.#shards.touchAll(key));
    }
    if (this.#ended) throw new UnavailableError("the lead was lost while the tables were taken over");
    stopNoting();
    for (const change of meanwhile) this.#registryChanged(change);
    this.#stops.push(
      store.onAccepted((key, version) => this.#accepted(key, version)),
      registry.onChange((change) => this.#registryChanged(change)),
    );
    this.#shards.begin();
    // Also those for which there is no reason any more.
    this.broadcaster.changed(merged(this.compiler.allKeys(), affected({ services: [...services.keys()] })));
    await this.broadcaster.begin();
    const complete = () => {
      for (const owner of [service, endpoints, hosts, gateway, workload]) owner.markComplete();
    };
    if (isFirstStart || services.size > 0) complete();
    else this.#stops.push(this.#options.clock.after(HEARD_ALL_MS, complete));
    log.info({ resources: store.size, services: registry.serviceCount, instances: registry.instanceCount }, "leading");
  }

  /** Brings store and bucket to the newer of both, resource by resource. */
  async #takeOverConfig(values: ReadonlyMap<string, StoredValue>): Promise<void> {
    const { store, kinds, log } = this.#options;
    const found = new Map<string, number>();
    for (const [key, { value }] of values) {
      await this.#turn.pause();
      this.#guarded(`config ${key}`, () => {
        const version = parseVersion(JSON.parse(decoder.decode(value)), kinds);
        if (version === undefined) return;
        found.set(key, versionNumber(version));
        store.observe(version);
      });
    }
    let restored = 0;
    for (const [key, version] of store.newestVersions()) {
      if ((found.get(key) ?? 0) >= versionNumber(version)) continue;
      await this.#owners.config.set(key, encodeVersion(version));
      restored++;
    }
    if (restored > 0) log.warn({ restored }, "the bus had lost configuration; restored it");
  }

  async #compileAll(): Promise<void> {
    for (const key of [...this.#options.registry.keys()]) {
      await this.#turn.pause();
      this.#guarded(`service ${key}`, () => this.#changed(this.compiler.serviceChanged(key, true)));
    }
    const rules = new Set<string>();
    for (const [key, version] of [...this.#options.store.newestVersions()].sort(byFoundation)) {
      await this.#turn.pause();
      if (this.#ended) return;
      if (!isTombstone(version)) rules.add(ruleNameOfKey(key));
      this.#accepted(key, version);
    }
    for (const rule of this.compiler.activeRules()) {
      if (!rules.has(rule)) this.#changed(this.compiler.remove(rule, this.#options.store.revision));
    }
  }

  #accepted(key: string, version: StoredVersion): void {
    this.#guarded(`config ${key}`, () => {
      const revision = versionNumber(version);
      const affected = isTombstone(version) ? this.compiler.remove(ruleNameOfKey(key), revision) : this.#put(version);
      this.#touchEndpoints(affected);
      this.broadcaster.configChanged(key, revision, affected);
      this.#activated(affected);
      this.#tell(ruleNameOfKey(key));
    });
  }

  /** What is in force and yet has no effect. */
  #tell(rule: string): void {
    for (const note of this.compiler.notes(rule)) this.#options.log.warn({ rule }, note);
  }

  #put(resource: Resource): Affected {
    const definition = this.#options.kinds.get(resource.kind);
    if (definition === undefined || definition.class !== "traffic") return NOTHING;
    const parsed: ParsedResource = { resource, definition, parsed: specOf(definition, resource) };
    return this.compiler.put(parsed);
  }

  /** An earlier revision, as far as the history reaches. */
  #findRevision(rule: string, revision: number): ParsedResource | undefined {
    const [kind = "", namespace = "", name = ""] = rule.split("/");
    const { store, kinds, log } = this.#options;
    const found = store.history({ kind, namespace, name }).find((version) => versionNumber(version) === revision);
    const definition = found && kinds.get(found.kind);
    if (found === undefined || definition === undefined || isTombstone(found)) return undefined;
    try {
      return { resource: found, definition, parsed: specOf(definition, found) };
    } catch (error) {
      log.warn({ rule, revision, reason: errorMessage(error) }, "an earlier revision is not valid any more");
      return undefined;
    }
  }

  #registryChanged({ service, shape, instances }: RegistryChange): void {
    this.#guarded(`service ${service}`, () => {
      if (this.compiler.hasEndpoints(service)) this.#shards.touch(service, instances);
      this.#changed(this.compiler.serviceChanged(service, shape));
    });
  }

  #changed(affected: Affected): void {
    this.#touchEndpoints(affected);
    this.#activated(affected);
    this.broadcaster.changed(affected);
  }

  #touchEndpoints({ endpoints = [] }: Affected): void {
    for (const { service, instances } of endpoints) {
      if (this.compiler.hasEndpoints(service)) this.#shards.touch(service, instances);
    }
  }

  /** Rules that waited are in force now: whoever asks for them learns where. */
  #activated({ activated = [] }: Affected): void {
    for (const item of activated) this.#nowInForce(item);
  }

  #nowInForce({ rule, affected }: Activated): void {
    const [kind = "", namespace = "", name = ""] = rule.split("/");
    const newest = this.#options.store.newest({ kind, namespace, name });
    if (newest === undefined) return;
    this.broadcaster.configChanged(tableKey(kind, namespace, name), versionNumber(newest), affected);
    this.#options.log.info({ rule }, "the rule is in force");
    this.#tell(rule);
  }

  #own(table: Owned, restore: () => Iterable<readonly [string, Uint8Array]>): TableOwner {
    const { bus, clock, log, onConflict } = this.#options;
    return new TableOwner({ bus, table, clock, log, onConflict, restore });
  }

  *#configContent(): Iterable<readonly [string, Uint8Array]> {
    for (const [key, version] of this.#options.store.newestVersions()) yield [key, encodeVersion(version)];
  }

  /** A bucket was made anew: positions in it mean nothing any more, so all that requires them is written again. */
  #lost(): Iterable<readonly [string, Uint8Array]> {
    this.#stops.push(this.#options.clock.after(RECOVERY_MS, () => this.broadcaster.changed(this.compiler.allKeys())));
    return [];
  }

  /** One bad value must not stop the others. */
  #guarded(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#options.log.error({ what, reason: errorMessage(error) }, "left out, because it cannot be understood");
    }
  }
}

function byFoundation([a]: readonly [key: string, unknown], [b]: readonly [key: string, unknown]): number {
  return rankOf(a) - rankOf(b) || (a < b ? -1 : 1);
}

function rankOf(configKey: string): number {
  const rank = FOUNDATIONS.indexOf(configKey.slice(0, configKey.indexOf(".")));
  return rank < 0 ? FOUNDATIONS.length : rank;
}

function encodeVersion(version: StoredVersion): Uint8Array {
  return encoder.encode(JSON.stringify(version));
}
