import { type Clock, errorMessage } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import { GatewayConfig, ServiceConfig, type TouchedKeyInput } from "../../shared/wire/index.ts";
import { type Affected, type Compiler, INGRESS_GATEWAY_KEY } from "./compiler.ts";
import type { EndpointShards } from "./endpoint-shards.ts";
import { type Dependency, type KeyPosition, type Pinned, pin } from "./requirements.ts";

/**
 * Turns what changed into writes, in an order in which no follower is ever sent somewhere that does not exist: first
 * the endpoints that a service's routes need, then the services it sends to, then itself, then gateways; what is gone
 * is removed last, after those that sent there have been written without it.
 *
 * One pass at a time; what changes meanwhile makes up the next. So a burst of changes to one service costs one
 * write, and the reader of `settled` knows that a change is out when the pass that contained it has ended. A service that
 * does not compile, or whose write fails, is logged, counted and tried again, and stops no other.
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
  readonly tables: Readonly<Record<"service" | "endpoints" | "gateway", CompiledTable>>;
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
  readonly #dirtyServices = new Set<string>();
  #dirtyGateway = false;
  /** Resources whose effect is not out yet: key of table `config` -> revision and effect. */
  #unsettled = new Map<string, { revision: number; affected: Affected }>();
  readonly #settled = new Map<string, Settled>();
  readonly #pinned = new Map<string, Pinned>();
  readonly #served = new Set<string>();
  #pass: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
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

  restoreGateway(config: GatewayConfig): void {
    this.#pinned.set(`gateway ${INGRESS_GATEWAY_KEY}`, { shape: gatewayShape(config), requires: config.requires });
  }

  /** Starts to write; until then changes are only collected. */
  async begin(): Promise<void> {
    this.#paused = false;
    this.#dirtyGateway = true;
    this.#wake();
    await this.#pass;
  }

  /** A resource was accepted. */
  configChanged(configKey: string, revision: number, affected: Affected): void {
    this.#unsettled.set(configKey, { revision, affected });
    this.servicesChanged(affected);
  }

  servicesChanged(affected: Affected): void {
    for (const service of affected.services) this.#dirtyServices.add(service);
    if (affected.gateway) this.#dirtyGateway = true;
    this.#wake();
  }

  /** The revision of a resource whose effect is out, and where; undefined when none is. */
  settled(configKey: string): Settled | undefined {
    return this.#settled.get(configKey);
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
    if (this.#paused || this.#stopped || this.#pass !== undefined) return;
    // Leaves the caller's turn first, so that changes of one turn make one pass.
    this.#pass = Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#pass = undefined;
      });
  }

  async #run(): Promise<void> {
    while (!this.#stopped && (this.#dirtyServices.size > 0 || this.#dirtyGateway || this.#unsettled.size > 0)) {
      const services = new Set(this.#dirtyServices);
      const gateway = this.#dirtyGateway;
      const unsettled = this.#unsettled;
      this.#dirtyServices.clear();
      this.#dirtyGateway = false;
      this.#unsettled = new Map();
      const failed = await this.#writeAll(services, gateway);
      for (const [configKey, { revision, affected }] of unsettled) {
        const isOut =
          !affected.services.some((service) => failed.has(service)) && !(affected.gateway && failed.has(""));
        if (isOut) this.#settled.set(configKey, { revision, touched: this.#touched(revision, affected) });
        else if (!this.#unsettled.has(configKey)) this.#unsettled.set(configKey, { revision, affected });
      }
      if (failed.size === 0) continue;
      this.#retryLater(failed);
      return;
    }
  }

  /** Returns the services that failed; "" is the gateway. */
  async #writeAll(services: ReadonlySet<string>, gateway: boolean): Promise<Set<string>> {
    const { compiler, tables, shards } = this.#options;
    const failed = new Set<string>();
    const gone: string[] = [];
    for (const service of this.#inOrder(services)) {
      if (this.#stopped) return failed;
      try {
        if (!(await this.#writeService(service))) gone.push(service);
      } catch (error) {
        this.#fail(failed, service, error);
      }
    }
    if (gateway) {
      try {
        await this.#writeGateway();
      } catch (error) {
        this.#fail(failed, "", error);
      }
    }
    for (const service of gone) {
      try {
        if (!this.#served.has(service)) continue;
        await tables.service.remove(service);
        await shards.remove(service);
        compiler.forget(service);
        this.#served.delete(service);
        this.#pinned.delete(`service ${service}`);
      } catch (error) {
        this.#fail(failed, service, error);
      }
    }
    return failed;
  }

  /** False when the service is gone. */
  async #writeService(key: string): Promise<boolean> {
    const { compiler, shards, tables } = this.#options;
    const compiled = compiler.compileService(key, shards.count(key));
    if (compiled === undefined) return false;
    const { targets, ...body } = compiled;
    for (const target of targets) {
      if (!(await shards.flush(target))) throw new Error(`endpoints of ${target} are not written`);
    }
    const others = targets.filter((target) => target !== key);
    const pinned = this.#pin(`service ${key}`, shapeOf(body), [
      ...others.map((target): Dependency => ({ table: "service", key: target })),
      ...targets
        .flatMap((target) => shards.keys(target))
        .map((shard): Dependency => ({ table: "endpoints", key: shard })),
    ]);
    await tables.service.set(key, ServiceConfig.encode({ ...body, requires: [...pinned.requires] }));
    this.#served.add(key);
    shards.announced(key, body.endpointShards ?? 1);
    this.#options.onCompiled?.(false);
    return true;
  }

  async #writeGateway(): Promise<void> {
    const { targets, ...body } = this.#options.compiler.compileGateway();
    const pinned = this.#pin(
      `gateway ${INGRESS_GATEWAY_KEY}`,
      gatewayShape(body),
      targets.map((target): Dependency => ({ table: "service", key: target })),
    );
    await this.#options.tables.gateway.set(
      INGRESS_GATEWAY_KEY,
      GatewayConfig.encode({ ...body, requires: [...pinned.requires] }),
    );
  }

  #pin(owner: string, shape: string, dependencies: readonly Dependency[]): Pinned {
    const { tables } = this.#options;
    const pinned = pin(shape, dependencies, ({ table, key }) => tables[table].position(key), this.#pinned.get(owner));
    this.#pinned.set(owner, pinned);
    return pinned;
  }

  /** Those that others send to come before them; a circle is cut anywhere. */
  #inOrder(services: ReadonlySet<string>): string[] {
    const ordered: string[] = [];
    const seen = new Set<string>();
    const visit = (service: string): void => {
      if (seen.has(service)) return;
      seen.add(service);
      for (const rule of this.#options.compiler.activation.rulesFor(service)) {
        for (const target of rule.targets) if (services.has(target)) visit(target);
      }
      ordered.push(service);
    };
    for (const service of services) visit(service);
    return ordered;
  }

  #fail(failed: Set<string>, service: string, error: unknown): void {
    failed.add(service);
    this.#options.onCompiled?.(true);
    this.#options.log.error({ service, reason: errorMessage(error) }, "not compiled and written; trying again");
  }

  #retryLater(failed: ReadonlySet<string>): void {
    for (const service of failed) {
      if (service === "") this.#dirtyGateway = true;
      else this.#dirtyServices.add(service);
    }
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#wake());
  }

  #touched(revision: number, affected: Affected): TouchedKeyInput[] {
    const touched = affected.services
      .filter((key) => this.#served.has(key))
      .map((key): TouchedKeyInput => ({ table: "service", key, revision }));
    if (affected.gateway) touched.push({ table: "gateway", key: INGRESS_GATEWAY_KEY, revision });
    return touched;
  }
}

function shapeOf({
  routes,
  policies,
  endpointShards,
}: Pick<Parameters<typeof ServiceConfig.encode>[0], "routes" | "policies" | "endpointShards">): string {
  const parts = { routes: routes ?? [], policies: policies ?? [], endpointShards: endpointShards ?? 0 };
  return Buffer.from(ServiceConfig.encode(parts)).toString("base64");
}

function gatewayShape({ routes }: Pick<Parameters<typeof GatewayConfig.encode>[0], "routes">): string {
  return Buffer.from(GatewayConfig.encode({ routes: routes ?? [] })).toString("base64");
}
