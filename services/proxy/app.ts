import { type App, type AppPorts, type Clock, sleep, systemClock } from "../../shared/base/index.ts";
import { type Bus, EventLoopWatchdog, openBus } from "../../shared/bus/index.ts";
import { createLogger, Metrics } from "../../shared/obs/index.ts";
import { type Plan, type ProxyIdentity, Subjects } from "../../shared/wire/index.ts";
import { AccessLog } from "./access-log.ts";
import { serveDebug } from "./admin/debug.ts";
import { StatsPage } from "./admin/stats-page.ts";
import { AdminSurface } from "./admin/surface.ts";
import { type ServerState, Views } from "./admin/views.ts";
import { type ClientIdentity, Connector } from "./cluster/connector.ts";
import { http1Settings, type ProxyConfig } from "./config.ts";
import { Drain } from "./drain.ts";
import type { Frontend, FrontendParts } from "./frontend.ts";
import { Gateway } from "./gateway/gateway.ts";
import { gatewayNames } from "./gateway/gateway-table.ts";
import { HealthProbe } from "./health-probe.ts";
import { WorkloadCertificates } from "./identity/certificates.ts";
import { clientIdentity } from "./identity/client-identity.ts";
import type { IdentityMaterial } from "./identity/material.ts";
import { Listeners } from "./listeners.ts";
import { LogLevel } from "./log-level.ts";
import { Directory } from "./mesh/directory.ts";
import { instanceVerifier } from "./mesh/instance-verifier.ts";
import { PlanBook } from "./mesh/plan-book.ts";
import { StateStore } from "./mesh/state-store.ts";
import { StatusPublisher } from "./mesh/status.ts";
import { followTables, type Tables } from "./mesh/tables.ts";
import { Overload } from "./overload.ts";
import { CheckClient } from "./policy/check-client.ts";
import { PolicyGate } from "./policy/gate.ts";
import { Registrar } from "./registration.ts";
import type { CompiledReportPlan } from "./report/compiled-plan.ts";
import { Reporter } from "./report/reporter.ts";
import { RequestStats } from "./request-stats.ts";
import { registrationOf, selfPeer } from "./self-peer.ts";
import { Sidecar } from "./sidecar.ts";
import { compileReader } from "./stream/attributes.ts";
import type { Peer, RequestRecord } from "./stream/record.ts";
import { Tracer } from "./trace/tracer.ts";

const VERSION = "0.1.0";
/** How long a start waits for one answer about a plan before it asks again. */
const PLAN_WAIT_MS = 2_000;

export interface ProxyDeps {
  readonly clock?: Clock;
}

/** Wires one proxy; the only place that knows all of its parts. */
export function buildProxy(config: ProxyConfig, deps: ProxyDeps = {}): App {
  return new ProxyApp(config, deps.clock ?? systemClock);
}

class ProxyApp implements App {
  readonly #config: ProxyConfig;
  readonly #clock: Clock;
  readonly #log;
  readonly #logLevel: LogLevel;
  readonly #metrics = new Metrics("proxy");
  readonly #stats = new RequestStats();
  readonly #subjects: Subjects;
  readonly #identity: ProxyIdentity;
  readonly #self: Peer;
  readonly #bus: Bus;
  readonly #telemetryBus: Bus;
  readonly #tables: Tables;
  readonly #state: StateStore;
  readonly #certificates: WorkloadCertificates;
  readonly #directory: Directory;
  readonly #connector: Connector;
  readonly #reporter: Reporter<RequestRecord>;
  readonly #checks: CheckClient;
  readonly #health: HealthProbe;
  readonly #overload: Overload;
  readonly #listeners = new Listeners();
  readonly #closers: (() => Promise<void> | void)[] = [];
  readonly #startedMs: number;
  #client: ClientIdentity | undefined;
  #frontend: Frontend | undefined;
  #drain: Drain | undefined;
  #started = false;
  #stopping = false;

  constructor(config: ProxyConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#startedMs = clock.now();
    const { namespace, serviceAccount, instance } = config;
    this.#log = createLogger({ component: "proxy", level: config.logLevel }).child({ instance, namespace });
    this.#logLevel = new LogLevel(this.#log);
    this.#subjects = new Subjects(config.meshPrefix);
    this.#identity = { namespace, serviceAccount, proxy: instance };
    this.#self = selfPeer(config);
    this.#bus = this.#openBus("");
    this.#telemetryBus = this.#openBus("-telemetry");
    const shared = { clock, log: this.#log, metrics: this.#metrics };
    this.#tables = followTables({ bus: this.#bus, clock, log: this.#log, name: `${namespace}/${instance}` });
    const { service: services, endpoints, hosts, gateway, plan } = this.#tables;
    this.#state = new StateStore(config.dataDir, [services, endpoints, hosts, gateway, plan], this.#log);
    this.#certificates = new WorkloadCertificates({
      ...shared,
      identity: { namespace, serviceAccount },
      stateDir: config.dataDir,
      bus: this.#bus,
      trust: this.#tables.trust,
      ttlMs: config.certificateTtlMs,
    });
    this.#connector = new Connector({
      connectTimeoutMs: config.connectTimeoutMs,
      self: this.#self,
      limits: http1Settings(config),
      identity: () => this.#client,
      verify: instanceVerifier(() => this.#directory),
    });
    this.#directory = new Directory({
      self: this.#self,
      ...(config.mode === "gateway" && { gateways: gatewayNames(namespace, config.service) }),
      services,
      endpoints,
      connector: this.#connector,
      locality: config.locality,
      clock,
    });
    this.#reporter = new Reporter<RequestRecord>({
      ...shared,
      bus: this.#telemetryBus,
      identity: this.#identity,
      compileReader,
    });
    this.#checks = new CheckClient({
      bus: this.#bus,
      identity: this.#identity,
      clock,
      deadlineMs: config.checkTimeoutMs,
      hedgeMs: config.checkTimeoutMs / 5,
      metrics: this.#metrics,
    });
    this.#health = new HealthProbe({ url: config.healthUrl, clock });
    this.#overload = new Overload({
      maxHeapPercent: config.overloadHeapPercent,
      maxConnections: config.overloadConnections,
      clock,
      connections: () => this.#listeners.connections,
    });
    this.#metrics.collectProcess();
  }

  async start(): Promise<AppPorts> {
    const clock = this.#clock;
    const watchdog = new EventLoopWatchdog({ clock });
    this.#closers.push(() => watchdog.stop());
    const restored = await this.#state.load();
    await this.#certificates.load();
    this.#certificates.onChange((material) => this.#adopt(material));
    this.#certificates.start();
    const book = new PlanBook<CompiledReportPlan<RequestRecord>>(this.#tables.plan, (plan: Plan) =>
      this.#reporter.plan(plan),
    );
    const material = await this.#certificates.ready();
    this.#adopt(material);
    await this.#learnPlans(book);
    this.#frontend = this.#buildFrontend(book, material);
    const ports = await this.#frontend.listen();
    this.#reporter.start();
    this.#state.start(clock);
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
    await this.#listeners.close();
    this.#health.stop();
    this.#overload.close();
    // Saved before it is let go: a restart lives on it.
    await this.#state.stop();
    this.#directory.close();
    this.#frontend?.close();
    await this.#reporter.stop();
    await this.#certificates.stop();
    for (const close of this.#closers.reverse()) await close();
    for (const table of Object.values(this.#tables)) table.close();
    await Promise.all([this.#bus.close(), this.#telemetryBus.close()]);
  }

  get #serverState(): ServerState {
    if (this.#stopping || this.#drain?.begun === true || this.#health.overruled) return "DRAINING";
    return this.#started ? "LIVE" : "PRE_INITIALIZING";
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

  #adopt(material: IdentityMaterial): void {
    this.#client = clientIdentity(material);
    this.#frontend?.renew(material);
  }

  /** A new proxy must not say that nothing is to be checked before it knows; a restarted one has its tables. */
  async #learnPlans(book: PlanBook<CompiledReportPlan<RequestRecord>>): Promise<void> {
    const { namespace, service } = this.#config;
    while (!book.loaded) await book.ready(PLAN_WAIT_MS).catch(() => sleep(this.#clock, 100));
    await book.settled(namespace, service, PLAN_WAIT_MS);
    this.#directory.pin(namespace, service);
  }

  #buildFrontend(book: PlanBook<CompiledReportPlan<RequestRecord>>, material: IdentityMaterial): Frontend {
    const config = this.#config;
    const { namespace, service, traceFormats, traceSamplingPercent } = config;
    const gate = new PolicyGate({ book, checks: this.#checks, reporter: this.#reporter, namespace, service });
    const parts: FrontendParts = {
      config,
      self: this.#self,
      directory: this.#directory,
      connector: this.#connector,
      gate,
      overload: this.#overload,
      tracer:
        traceFormats.length === 0
          ? undefined
          : new Tracer({ formats: traceFormats, samplingPercent: traceSamplingPercent }),
      listeners: this.#listeners,
      clock: this.#clock,
      log: this.#log,
      sinks: [(record) => this.#stats.count(record), (record) => gate.report(record)],
      logSinks: this.#openAccessLog(),
    };
    return config.mode === "gateway"
      ? new Gateway(parts, this.#tables.gateway)
      : new Sidecar(parts, this.#tables.hosts, material);
  }

  #openAccessLog(): ((record: RequestRecord) => void)[] {
    const { accessLog, accessLogFormat } = this.#config;
    if (accessLog === "") return [];
    const log = new AccessLog(accessLog, accessLogFormat, this.#clock);
    this.#closers.push(() => log.close());
    return [(record) => log.write(record)];
  }

  #startStatus(): void {
    const { namespace, service, instance } = this.#config;
    const status = new StatusPublisher({
      bus: this.#bus,
      identity: this.#identity,
      followers: Object.values(this.#tables).filter((table) => table.table !== "trust"),
      about: {
        namespace,
        service,
        instance,
        workload: this.#self.workload,
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
      stats: new StatsPage(this.#metrics.registry, this.#stats),
      directory: this.#directory,
      applications: () => this.#frontend?.applications ?? [],
      listeners: this.#listeners,
      followers: Object.values(this.#tables),
      settings: this.#config,
      node: { id: this.#identity.proxy, cluster: service, metadata: { ...this.#identity, service, labels, locality } },
      version: VERSION,
      startedMs: this.#startedMs,
      logLevel: () => this.#logLevel.current,
      state: () => this.#serverState,
      certificate: () => this.#certificates.current,
    });
    const surface = new AdminSurface(views, {
      setLogLevel: (level) => this.#logLevel.set(level),
      failHealthCheck: (failed) => this.#health.overrule(failed),
      drainListeners: (options) => void this.#drainListeners(options),
      quit: () => process.kill(process.pid, "SIGTERM"),
    });
    const debug = serveDebug(this.#bus, this.#identity, views);
    this.#closers.push(
      () => debug.close(),
      () => surface.close(),
    );
    return surface.listen(this.#config);
  }

  async #drainListeners(options: { readonly graceful: boolean; readonly inboundOnly: boolean }): Promise<void> {
    if (options.graceful) await this.#drain?.leave();
    await this.#listeners.close(options.inboundOnly ? "inbound" : undefined);
  }

  #register(ports: Readonly<Record<string, number>>): void {
    const { namespace, serviceAccount, service, instance } = this.#config;
    const content = registrationOf(this.#config, this.#self, ports, VERSION);
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
      listeners: this.#listeners,
      own: this.#directory.pin(namespace, service),
      instance,
      clock: this.#clock,
      minMs: this.#config.drainMinMs,
      maxMs: this.#config.drainMaxMs,
    });
  }
}
