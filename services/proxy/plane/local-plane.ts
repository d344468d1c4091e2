import type { Clock } from "../../../shared/base/index.ts";
import type { Requester } from "../../../shared/bus/index.ts";
import type { Logger, Metrics } from "../../../shared/obs/index.ts";
import type { Plan, ProxyIdentity, TapAnswer } from "../../../shared/wire/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type ClientIdentity, Connector } from "../cluster/connector.ts";
import { http1Settings, type ProxyConfig } from "../config.ts";
import type { Frontend, FrontendParts } from "../frontend.ts";
import { Gateway } from "../gateway/gateway.ts";
import { gatewayNames } from "../gateway/gateway-table.ts";
import { clientIdentity } from "../identity/client-identity.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import { type Bind, Listeners } from "../listeners.ts";
import { Directory } from "../mesh/directory.ts";
import { DnsBook } from "../mesh/dns-book.ts";
import { instanceVerifier } from "../mesh/instance-verifier.ts";
import { PlanBook } from "../mesh/plan-book.ts";
import type { ServiceSnapshot } from "../mesh/service-snapshot.ts";
import type { DataTables } from "../mesh/tables.ts";
import { WorkloadBook } from "../mesh/workload-book.ts";
import { Overload } from "../overload.ts";
import { CheckClient } from "../policy/check-client.ts";
import { PolicyGate } from "../policy/gate.ts";
import type { CompiledReportPlan } from "../report/compiled-plan.ts";
import { Reporter } from "../report/reporter.ts";
import { RequestStats } from "../request-stats.ts";
import { RuntimeSettings } from "../runtime-settings.ts";
import { selfPeer } from "../self-peer.ts";
import type { Share } from "../share.ts";
import { Sidecar } from "../sidecar.ts";
import { compileReader } from "../stream/attributes.ts";
import type { Peer, RequestRecord } from "../stream/record.ts";
import type { TapOrder } from "../tap/tap-filter.ts";
import { Taps } from "../tap/taps.ts";
import type { DataPlane, PlaneViewName, PlaneViews } from "./data-plane.ts";
import { meshView } from "./mesh-view.ts";
import { routeConfigView } from "./route-views.ts";
import { clusterView, listenerView, serviceView } from "./views.ts";

/** How long a start waits for the plan of the proxy's own service: until it is known, the default one holds. */
const PLAN_WAIT_MS = 2_000;
/** And for what the mesh sets for this workload: until then it is as it was started. */
const SETTINGS_WAIT_MS = 2_000;

export interface LocalPlaneOptions {
  readonly config: ProxyConfig;
  /** Of the limits. */
  readonly share: Share;
  readonly tables: DataTables;
  readonly bus: Requester;
  readonly telemetryBus: Requester;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Where connections come from; default: sockets of this process. */
  readonly bind?: Bind;
}

/** The data plane of this process. */
export class LocalPlane implements DataPlane {
  /** It is no other process. */
  readonly workers = [];
  readonly #options: LocalPlaneOptions;
  readonly #stats = new RequestStats();
  readonly #self: Peer;
  readonly #directory: Directory;
  readonly #dns: DnsBook;
  readonly #connector: Connector;
  readonly #reporter: Reporter<RequestRecord>;
  readonly #checks: CheckClient;
  readonly #overload: Overload;
  readonly #listeners: Listeners;
  readonly #taps: Taps;
  #material: IdentityMaterial | undefined;
  #client: ClientIdentity | undefined;
  #frontend: Frontend | undefined;
  #settings: RuntimeSettings | undefined;
  #workload: WorkloadBook | undefined;

  constructor(options: LocalPlaneOptions) {
    this.#options = options;
    const { config, share, tables, bus, telemetryBus, clock, log, metrics } = options;
    const { namespace, serviceAccount, instance } = config;
    const identity: ProxyIdentity = { namespace, serviceAccount, proxy: instance };
    this.#self = selfPeer(config);
    this.#taps = new Taps(clock);
    this.#listeners = new Listeners(options.bind);
    this.#connector = new Connector({
      connectTimeoutMs: config.connectTimeoutMs,
      self: this.#self,
      limits: http1Settings(config),
      adminPort: config.adminPort,
      identity: () => this.#client,
      verify: instanceVerifier(() => this.#directory),
    });
    this.#dns = new DnsBook({ clock });
    this.#directory = new Directory({
      self: this.#self,
      dns: this.#dns,
      ...(config.mode === "gateway" && { gateways: gatewayNames(namespace, config.service) }),
      services: tables.service,
      endpoints: tables.endpoints,
      connector: this.#connector,
      locality: config.locality,
      share,
      clock,
    });
    this.#reporter = new Reporter<RequestRecord>({ clock, log, metrics, bus: telemetryBus, identity, compileReader });
    this.#checks = new CheckClient({
      bus,
      identity,
      clock,
      deadlineMs: config.checkTimeoutMs,
      hedgeMs: config.checkTimeoutMs / 5,
      metrics,
    });
    this.#overload = new Overload({
      maxHeapPercent: config.overloadHeapPercent,
      maxConnections: share.part(config.overloadConnections),
      clock,
      connections: () => this.#listeners.connections,
    });
  }

  async start(material: IdentityMaterial): Promise<Record<string, number>> {
    this.renew(material);
    const book = new PlanBook<CompiledReportPlan<RequestRecord>>(this.#options.tables.plan, (plan: Plan) =>
      this.#reporter.plan(plan),
    );
    const settings = new RuntimeSettings(this.#options.config, this.#options.clock);
    this.#settings = settings;
    this.#workload = new WorkloadBook({
      workloads: this.#options.tables.workload,
      self: this.#self,
      clock: this.#options.clock,
      adopt: (told) => settings.adopt(told),
    });
    await Promise.all([this.#learnPlans(book), this.#workload.answered(SETTINGS_WAIT_MS)]);
    // Renewed, maybe, while plans were awaited.
    this.#frontend = this.#buildFrontend(book, settings, this.#material ?? material);
    const ports = await this.#frontend.listen();
    this.#reporter.start();
    return ports;
  }

  renew(material: IdentityMaterial): void {
    this.#material = material;
    this.#client = clientIdentity(material);
    this.#frontend?.renew(material);
  }

  announceClose(): void {
    this.#listeners.announceClose();
  }

  closeListeners(name?: string): Promise<void> {
    return this.#listeners.close(name);
  }

  async stop(): Promise<void> {
    this.#overload.close();
    this.#directory.close();
    this.#dns.close();
    this.#frontend?.close();
    this.#taps.close();
    await this.#reporter.stop();
    this.#workload?.close();
    this.#settings?.close();
  }

  show<N extends PlaneViewName>(name: N): Promise<PlaneViews[N]> {
    const views: { readonly [V in PlaneViewName]: () => PlaneViews[V] } = {
      clusters: () => [...this.#clusters()].map(clusterView),
      listeners: () => this.#listeners.active.map(listenerView),
      services: () => [...this.#directory.entries].map(serviceView),
      routes: () => [...(this.#frontend?.routes ?? []), ...this.#snapshots().map(routeConfigView)],
      mesh: () => this.#settings && meshView(this.#settings.current),
      figures: () => ({ requests: this.#stats.figures(), processes: [] }),
    };
    return Promise.resolve(views[name]());
  }

  tap(order: TapOrder): Promise<TapAnswer> {
    return Promise.resolve(this.#taps.take(order));
  }

  #snapshots(): ServiceSnapshot[] {
    return [...this.#directory.entries].map(({ snapshot }) => snapshot).filter((snapshot) => snapshot !== undefined);
  }

  *#clusters(): Iterable<Cluster> {
    yield* this.#frontend?.clusters ?? [];
    yield* this.#directory.clusters();
  }

  /** A new proxy must not say that nothing is to be checked before it knows; a restarted one has its tables. */
  async #learnPlans(book: PlanBook<CompiledReportPlan<RequestRecord>>): Promise<void> {
    const { namespace, service } = this.#options.config;
    await book.ready();
    await book.settled(namespace, service, PLAN_WAIT_MS);
    this.#directory.pin(namespace, service);
  }

  #buildFrontend(
    book: PlanBook<CompiledReportPlan<RequestRecord>>,
    settings: RuntimeSettings,
    material: IdentityMaterial,
  ): Frontend {
    const { config, share, tables, clock, log } = this.#options;
    const { namespace, service } = config;
    const gate = new PolicyGate({ book, checks: this.#checks, reporter: this.#reporter, namespace, service });
    const parts: FrontendParts = {
      config,
      self: this.#self,
      directory: this.#directory,
      connector: this.#connector,
      gate,
      overload: this.#overload,
      tracer: settings.tracer,
      settings,
      listeners: this.#listeners,
      clock,
      share,
      log,
      sinks: [(record) => this.#stats.count(record), (record) => gate.report(record)],
      logSinks: [(record) => settings.accessLog.write(record), (record) => this.#taps.offer(record)],
    };
    return config.mode === "gateway" ? new Gateway(parts, tables) : new Sidecar(parts, tables.hosts, material);
  }
}
