import { type App, type AppPorts, type Clock, systemClock, VERSION } from "../../shared/base/index.ts";
import { type Bus, EventLoopWatchdog, openBus } from "../../shared/bus/index.ts";
import { createLogger, Metrics } from "../../shared/obs/index.ts";
import { type ProxyIdentity, Subjects } from "../../shared/wire/index.ts";
import type { AdminActions } from "./admin/actions.ts";
import { serveDebug } from "./admin/debug.ts";
import { StatsPage } from "./admin/stats-page.ts";
import { AdminSurface } from "./admin/surface.ts";
import { serveTap } from "./admin/tap.ts";
import { type ServerState, Views } from "./admin/views.ts";
import type { ProxyConfig } from "./config.ts";
import { Drain } from "./drain.ts";
import { HealthProbe } from "./health-probe.ts";
import { WorkloadCertificates } from "./identity/certificates.ts";
import { LogLevel } from "./log-level.ts";
import { isListed } from "./mesh/own-listing.ts";
import { StateStore } from "./mesh/state-store.ts";
import { StatusPublisher } from "./mesh/status.ts";
import { followTables, type Tables } from "./mesh/tables.ts";
import type { DataPlane } from "./plane/data-plane.ts";
import { LocalPlane } from "./plane/local-plane.ts";
import { Registrar } from "./registration.ts";
import { registrationOf, selfPeer } from "./self-peer.ts";
import { WHOLE } from "./share.ts";
import { WorkerPool } from "./workers/pool.ts";
import type { Environment } from "./workers/worker-process.ts";

export interface ProxyDeps {
  readonly clock?: Clock;
  /** What worker processes inherit of; default: nothing. */
  readonly environment?: Environment;
}

/**
 * Wires one proxy. What is here talks to the control plane: bus, tables, certificates, registration, admin. What
 * carries the requests is its data plane: in this process, or in as many workers as the settings ask for.
 */
export function buildProxy(config: ProxyConfig, deps: ProxyDeps = {}): App {
  return new ProxyApp(config, deps);
}

class ProxyApp implements App {
  readonly #config: ProxyConfig;
  readonly #clock: Clock;
  readonly #environment: Environment;
  readonly #log;
  readonly #logLevel: LogLevel;
  readonly #metrics = new Metrics("proxy");
  readonly #subjects: Subjects;
  readonly #identity: ProxyIdentity;
  readonly #bus: Bus;
  readonly #telemetryBus: Bus;
  readonly #tables: Tables;
  readonly #state: StateStore;
  readonly #certificates: WorkloadCertificates;
  readonly #plane: DataPlane;
  readonly #health: HealthProbe;
  readonly #closers: (() => Promise<void> | void)[] = [];
  readonly #startedMs: number;
  #drain: Drain | undefined;
  #started = false;
  #stopping = false;

  constructor(config: ProxyConfig, { clock = systemClock, environment = {} }: ProxyDeps) {
    this.#environment = environment;
    this.#config = config;
    this.#clock = clock;
    this.#startedMs = clock.now();
    const { namespace, serviceAccount, instance } = config;
    this.#log = createLogger({ component: "proxy", level: config.logLevel }).child({ instance, namespace });
    this.#logLevel = new LogLevel(this.#log);
    this.#subjects = new Subjects(config.meshPrefix);
    this.#identity = { namespace, serviceAccount, proxy: instance };
    this.#bus = this.#openBus("");
    this.#telemetryBus = this.#openBus("-telemetry");
    this.#tables = followTables({ bus: this.#bus, clock, log: this.#log, name: `${namespace}/${instance}` });
    const { trust, ...data } = this.#tables;
    this.#state = new StateStore(config.dataDir, Object.values(data), this.#log);
    this.#certificates = new WorkloadCertificates({
      clock,
      log: this.#log,
      metrics: this.#metrics,
      identity: { namespace, serviceAccount },
      stateDir: config.dataDir,
      bus: this.#bus,
      trust,
      ttlMs: config.certificateTtlMs,
    });
    this.#plane = this.#buildPlane();
    this.#health = new HealthProbe({
      url: config.healthUrl,
      clock,
      periodMs: config.healthPeriodMs,
      timeoutMs: config.healthTimeoutMs,
      failureThreshold: config.healthFailures,
      successThreshold: config.healthSuccesses,
    });
    this.#metrics.collectProcess();
  }

  async start(): Promise<AppPorts> {
    const watchdog = new EventLoopWatchdog({ clock: this.#clock });
    this.#closers.push(() => watchdog.stop());
    const restored = await this.#state.load();
    await this.#certificates.load();
    this.#certificates.start();
    const material = await this.#certificates.ready();
    this.#certificates.onChange((renewed) => this.#plane.renew(renewed));
    const ports = await this.#plane.start(material);
    this.#state.start(this.#clock);
    this.#health.start();
    this.#startStatus();
    Object.assign(ports, await this.#startAdmin());
    this.#register(ports);
    this.#started = true;
    this.#log.info({ restored, ports }, "ready");
    return ports;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#drain?.leave();
    await this.#plane.closeListeners();
    this.#health.stop();
    // Saved before it is let go: a restart lives on it.
    await this.#state.stop();
    await this.#plane.stop();
    await this.#certificates.stop();
    for (const close of this.#closers.reverse()) await close();
    for (const table of Object.values(this.#tables)) table.close();
    await Promise.all([this.#bus.close(), this.#telemetryBus.close()]);
  }

  get #serverState(): ServerState {
    if (this.#stopping || this.#drain?.begun === true || this.#health.overruled) return "DRAINING";
    return this.#started ? "LIVE" : "PRE_INITIALIZING";
  }

  #buildPlane(): DataPlane {
    const parts = {
      config: this.#config,
      tables: this.#tables,
      bus: this.#bus,
      telemetryBus: this.#telemetryBus,
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
    };
    if (this.#config.concurrency === 1) return new LocalPlane({ ...parts, share: WHOLE });
    return new WorkerPool({ ...parts, environment: this.#environment, logLevel: this.#logLevel });
  }

  #openBus(suffix: string): Bus {
    const { natsUrl, natsUser, natsPassword, namespace, serviceAccount, instance } = this.#config;
    return openBus({
      servers: natsUrl,
      ...(natsUser !== "" && { user: natsUser, password: natsPassword }),
      name: `${namespace}/${instance}${suffix}`,
      inboxPrefix: this.#subjects.inbox(namespace, serviceAccount, `${instance}${suffix}`),
      subjects: this.#subjects,
      log: this.#log,
    });
  }

  #startStatus(): void {
    const { namespace, service, instance } = this.#config;
    const status = new StatusPublisher({
      bus: this.#bus,
      identity: this.#identity,
      followers: Object.values(this.#tables).filter((table) => table.table !== "trust"),
      about: {
        namespace,
        serviceAccount: this.#identity.serviceAccount,
        service,
        instance,
        workload: selfPeer(this.#config).workload,
        version: VERSION,
        startedMs: this.#startedMs,
      },
      clock: this.#clock,
      isDraining: () => this.#serverState === "DRAINING",
    });
    this.#closers.push(() => status.stop());
    status.start();
  }

  async #startAdmin(): Promise<Record<string, number>> {
    const { service, labels, locality } = this.#config;
    const views = new Views({
      stats: new StatsPage(this.#metrics, this.#plane),
      plane: this.#plane,
      followers: Object.values(this.#tables),
      settings: this.#config,
      node: { id: this.#identity.proxy, cluster: service, metadata: { ...this.#identity, service, labels, locality } },
      version: VERSION,
      startedMs: this.#startedMs,
      logLevel: () => this.#logLevel.current,
      state: () => this.#serverState,
      certificate: () => this.#certificates.current,
    });
    const actions: AdminActions = {
      setLogLevel: (level) => this.#logLevel.set(level),
      failHealthCheck: (failed) => this.#health.overrule(failed),
      drainListeners: (options) => void this.#drainListeners(options),
      quit: () => process.kill(process.pid, "SIGTERM"),
    };
    const surface = new AdminSurface(views, actions);
    const tap = serveTap(this.#bus, this.#identity, this.#plane, this.#clock);
    const debug = serveDebug(this.#bus, this.#identity, views, actions);
    this.#closers.push(
      () => debug.close(),
      () => tap.close(),
      () => surface.close(),
    );
    return surface.listen(this.#config);
  }

  async #drainListeners(options: { readonly graceful: boolean; readonly inboundOnly: boolean }): Promise<void> {
    if (options.graceful) await this.#drain?.leave();
    await this.#plane.closeListeners(options.inboundOnly ? "inbound" : undefined);
  }

  #register(ports: Readonly<Record<string, number>>): void {
    const { namespace, serviceAccount, service, instance, drainMinMs, drainMaxMs } = this.#config;
    const content = registrationOf(this.#config, selfPeer(this.#config), ports, VERSION);
    const registrar = new Registrar({
      bus: this.#bus,
      identity: { namespace, serviceAccount },
      service,
      instance,
      content: () => content,
      health: this.#health,
      clock: this.#clock,
    });
    registrar.start();
    this.#drain = new Drain({
      registrar,
      plane: this.#plane,
      isListed: () => isListed(this.#tables.endpoints, namespace, service, instance),
      clock: this.#clock,
      minMs: drainMinMs,
      maxMs: drainMaxMs,
    });
  }
}
