import { networkInterfaces } from "node:os";
import { createSecureContext } from "node:tls";
import { type App, type AppPorts, type Clock, sleep, systemClock } from "../../shared/base/index.ts";
import { type Bus, EventLoopWatchdog, openBus, TableFollower } from "../../shared/bus/index.ts";
import { serviceHost } from "../../shared/model/index.ts";
import { createLogger, listenOn, Metrics } from "../../shared/obs/index.ts";
import {
  EndpointSet,
  GatewayConfig,
  Plan,
  type ProxyIdentity,
  ServiceConfig,
  Subjects,
  type Table,
} from "../../shared/wire/index.ts";
import { AccessLog } from "./access-log.ts";
import { buildAdmin, buildHealth, buildMetrics } from "./admin/server.ts";
import { Cluster } from "./cluster/cluster.ts";
import { type ClientIdentity, Connector } from "./cluster/connector.ts";
import { Host } from "./cluster/host.ts";
import type { ProxyConfig } from "./config.ts";
import { GatewayTable } from "./gateway/gateway-table.ts";
import { createGatewayListener } from "./gateway/listener.ts";
import { gatewayStack } from "./gateway/stack.ts";
import { HealthProbe } from "./health-probe.ts";
import { WorkloadCertificates } from "./identity/certificates.ts";
import type { IdentityMaterial } from "./identity/material.ts";
import { verifyServerIdentity } from "./identity/peer.ts";
import { InboundListener } from "./inbound/listener.ts";
import { inboundStack } from "./inbound/stack.ts";
import type { Listener } from "./listener.ts";
import { Directory } from "./mesh/directory.ts";
import { PlanBook } from "./mesh/plan-book.ts";
import { StateStore } from "./mesh/state-store.ts";
import { StatusPublisher } from "./mesh/status.ts";
import { createOutboundListener } from "./outbound/listener.ts";
import { Passthrough } from "./outbound/passthrough.ts";
import { outboundStack } from "./outbound/stack.ts";
import { CheckClient, type CheckResult } from "./policy/check-client.ts";
import { Registrar } from "./registration.ts";
import type { CompiledReportPlan } from "./report/compiled-plan.ts";
import { Reporter } from "./report/reporter.ts";
import { RequestStats } from "./request-stats.ts";
import { type AttributeReader, compileReader } from "./stream/attributes.ts";
import type { Peer, RequestRecord } from "./stream/record.ts";

const VERSION = "0.1.0";
/** Envoy's bounds. The application's own keep-alive time-out is often 5 s (Node's default): idle ends before that. */
const MESH_POOL = { maxConnections: 1024, maxPending: 1024, idleTimeoutMs: 300_000 } as const;
const APPLICATION_POOL = { maxConnections: 1024, maxPending: 1024, idleTimeoutMs: 4_000 } as const;
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
  readonly #metrics = new Metrics("proxy");
  readonly #subjects: Subjects;
  readonly #identity: ProxyIdentity;
  readonly #self: Peer;
  readonly #bus: Bus;
  readonly #telemetryBus: Bus;
  readonly #tables: Readonly<Record<"service" | "endpoints" | "gateway" | "plan" | "trust", TableFollower>>;
  readonly #state: StateStore;
  readonly #certificates: WorkloadCertificates;
  readonly #directory: Directory;
  readonly #connector: Connector;
  readonly #plans: { book?: PlanBook<CompiledReportPlan<RequestRecord>> } = {};
  readonly #reporter: Reporter<RequestRecord>;
  readonly #checks: CheckClient;
  readonly #health: HealthProbe;
  readonly #stats: RequestStats;
  #watchdog: EventLoopWatchdog | undefined;
  readonly #readers = new Map<string, AttributeReader>();
  readonly #listeners: Listener[] = [];
  readonly #closers: (() => Promise<void> | void)[] = [];
  #accessLog: AccessLog | undefined;
  #client: ClientIdentity | undefined;
  #inbound: InboundListener | undefined;
  #registrar: Registrar | undefined;
  #ready = false;
  #draining = false;

  constructor(config: ProxyConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const { namespace, serviceAccount, instance } = config;
    this.#log = createLogger({ component: "proxy", level: config.logLevel }).child({ instance, namespace });
    this.#subjects = new Subjects(config.meshPrefix);
    this.#identity = { namespace, serviceAccount, proxy: instance };
    this.#self = selfPeer(config);
    this.#bus = this.#openBus("");
    this.#telemetryBus = this.#openBus("-telemetry");
    // What cannot be read is refused here, so that it is neither adopted nor saved.
    const follower = (table: Table, decode?: (value: Uint8Array) => unknown): TableFollower =>
      new TableFollower({
        bus: this.#bus,
        table,
        clock,
        log: this.#log,
        name: `${namespace}/${instance}`,
        ...(decode !== undefined && { decode }),
      });
    this.#tables = {
      service: follower("service", ServiceConfig.decode),
      endpoints: follower("endpoints", EndpointSet.decode),
      gateway: follower("gateway", GatewayConfig.decode),
      plan: follower("plan", Plan.decode),
      trust: follower("trust"),
    };
    const { service: services, endpoints, gateway, plan } = this.#tables;
    this.#state = new StateStore(config.dataDir, [services, endpoints, gateway, plan], this.#log);
    this.#certificates = new WorkloadCertificates({
      identity: { namespace, serviceAccount },
      stateDir: config.dataDir,
      bus: this.#bus,
      trust: this.#tables.trust,
      clock,
      log: this.#log,
      metrics: this.#metrics,
      ttlMs: config.certificateTtlMs,
    });
    this.#connector = new Connector({
      connectTimeoutMs: config.connectTimeoutMs,
      self: this.#self,
      identity: () => this.#client,
      verify: (target, socket) => {
        const certificate = socket.getPeerCertificate();
        const allowed =
          this.#directory.entry(target.peer.namespace, target.peer.service).snapshot?.serviceAccounts ??
          new Set<string>();
        const wrong = verifyServerIdentity(certificate, allowed);
        return wrong === undefined ? { expiresMs: Date.parse(certificate.valid_to) } : { error: wrong.message };
      },
    });
    this.#directory = new Directory({
      self: this.#self,
      services,
      endpoints,
      connector: this.#connector,
      pool: MESH_POOL,
      clock,
    });
    this.#reporter = new Reporter<RequestRecord>({
      bus: this.#telemetryBus,
      identity: this.#identity,
      compileReader,
      clock,
      log: this.#log,
      metrics: this.#metrics,
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
    this.#stats = new RequestStats(this.#metrics.registry);
    this.#metrics.collectProcess();
  }

  async start(): Promise<AppPorts> {
    const config = this.#config;
    const clock = this.#clock;
    this.#watchdog = new EventLoopWatchdog({ clock });
    if (config.accessLog !== "") this.#accessLog = new AccessLog(config.accessLog, clock);
    const restored = await this.#state.load();
    await this.#certificates.load();
    this.#certificates.onChange((material) => this.#adopt(material));
    this.#certificates.start();
    const book = new PlanBook<CompiledReportPlan<RequestRecord>>(this.#tables.plan, (plan: Plan) =>
      this.#reporter.plan(plan),
    );
    this.#plans.book = book;
    const material = await this.#certificates.ready();
    this.#adopt(material);
    // A new proxy must not say that nothing is to be checked before it knows; a restarted one has its tables.
    while (!book.loaded) await book.ready(PLAN_WAIT_MS).catch(() => sleep(clock, 100));
    await book.settled(config.namespace, config.service, PLAN_WAIT_MS);
    this.#directory.pin(config.namespace, config.service);
    const ports = config.mode === "gateway" ? await this.#listenAsGateway() : await this.#listenAsSidecar(material);
    this.#reporter.start();
    this.#state.start(clock);
    this.#health.start();
    const status = this.#startStatus();
    this.#closers.push(() => status.stop());
    Object.assign(ports, await this.#listenForAdmin());
    this.#register(ports);
    this.#ready = true;
    this.#log.info({ restored, ports }, "ready");
    return ports;
  }

  async stop(): Promise<void> {
    this.#ready = false;
    this.#draining = true;
    await this.#drain();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#health.stop();
    // Saved before it is let go: a restart lives on it.
    await this.#state.stop();
    this.#directory.close();
    await this.#reporter.stop();
    await this.#certificates.stop();
    for (const close of this.#closers.reverse()) await close();
    for (const table of Object.values(this.#tables)) table.close();
    this.#accessLog?.close();
    await Promise.all([this.#bus.close(), this.#telemetryBus.close()]);
    await this.#watchdog?.stop();
  }

  /** Leaves the registry, and serves on until callers have seen that. */
  async #drain(): Promise<void> {
    const { namespace, service, instance, drainMinMs, drainMaxMs } = this.#config;
    if (this.#registrar === undefined) return;
    await this.#registrar.deregister();
    for (const listener of this.#listeners) listener.announceClose();
    const own = this.#directory.pin(namespace, service);
    const started = this.#clock.monotonic();
    const elapsed = (): number => this.#clock.monotonic() - started;
    const isListed = (): boolean => [...own.hosts].some((host) => host.peer.instance === instance);
    while (elapsed() < drainMinMs || (isListed() && elapsed() < drainMaxMs)) await sleep(this.#clock, 100);
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
    const { certPem: cert, keyPem: key, rootsPem: ca } = material;
    this.#client = {
      context: createSecureContext({ cert, key, ca, minVersion: "TLSv1.3" }),
      expiresMs: material.notAfterMs,
    };
    this.#inbound?.renew(material);
  }

  async #listenAsSidecar(material: IdentityMaterial): Promise<Record<string, number>> {
    const { namespace, service, outboundHost, outboundPort, inboundHost, inboundPort, outboundPolicy } = this.#config;
    const sinks = this.#sinks();
    let boundOutbound = outboundPort;
    const passthrough = new Passthrough(
      this.#connector,
      MESH_POOL,
      (address, port) => port === boundOutbound && isLoopback(address),
    );
    const stopSweep = this.#clock.every(1_000, () => passthrough.sweep(Date.now()));
    this.#closers.push(stopSweep, () => passthrough.close());
    const outbound = createOutboundListener(
      this.#self,
      outboundStack({ namespace, directory: this.#directory, policy: outboundPolicy, passthrough, sinks }),
      this.#clock,
    );
    const applications = this.#applications();
    this.#inbound = new InboundListener(
      {
        self: this.#self,
        stack: inboundStack({
          check: (record) => this.#check(record),
          sinks,
          application: (port) => applications.get(port),
        }),
        clock: this.#clock,
        log: this.#log,
        isOwnService: (name) => name === service,
      },
      material,
    );
    this.#listeners.push(outbound, this.#inbound.listener);
    const inbound = await this.#inbound.listener.listen(inboundHost, inboundPort);
    boundOutbound = await outbound.listen(outboundHost, outboundPort);
    return { outbound: boundOutbound, inbound };
  }

  async #listenAsGateway(): Promise<Record<string, number>> {
    const { namespace, service, gatewayHost, gatewayPort } = this.#config;
    const table = new GatewayTable(this.#tables.gateway, this.#directory, namespace, service);
    const check = (record: RequestRecord): CheckResult | Promise<CheckResult> => this.#check(record);
    const stack = gatewayStack({ self: this.#self, table, directory: this.#directory, check, sinks: this.#sinks() });
    const listener = createGatewayListener(this.#self, stack, this.#clock);
    this.#listeners.push(listener);
    return { gateway: await listener.listen(gatewayHost, gatewayPort) };
  }

  /** The application's own ports, each as a cluster of one. */
  #applications(): Map<number, Cluster> {
    const clusters = new Map<number, Cluster>();
    for (const { number, address, port } of this.#config.ports) {
      const cluster = new Cluster(`inbound|${number}`);
      const host = new Host(
        this.#self,
        true,
        new Map([[number, { address, port, plaintext: true }]]),
        this.#connector,
        APPLICATION_POOL,
      );
      cluster.update([host], "ROUND_ROBIN");
      this.#closers.push(
        this.#clock.every(1_000, () => host.sweep(Date.now())),
        () => host.close(),
      );
      clusters.set(number, cluster);
    }
    return clusters;
  }

  #sinks(): ((record: RequestRecord) => void)[] {
    const sinks = [
      (record: RequestRecord) => this.#stats.count(record),
      (record: RequestRecord) => this.#report(record),
    ];
    const log = this.#accessLog;
    if (log !== undefined) sinks.push((record) => log.write(record));
    return sinks;
  }

  #report(record: RequestRecord): void {
    const { namespace, service } = record.destination;
    // What was no service is nobody's telemetry.
    if (service === "") return;
    const entry = this.#plans.book?.get(namespace, service);
    if (entry !== undefined) this.#reporter.record(entry.compiled, record.side, record);
  }

  #check(record: RequestRecord): CheckResult | Promise<CheckResult> {
    const { namespace, service } = this.#config;
    const entry = this.#plans.book?.get(namespace, service);
    if (entry === undefined) return { code: 14, message: "the policy plan is not known", source: "fail-closed" };
    return this.#checks.check(entry.plan, entry.plan.revision, (reference) => this.#reader(reference)(record));
  }

  #reader(reference: string): AttributeReader {
    let reader = this.#readers.get(reference);
    if (reader === undefined) {
      if (this.#readers.size > 10_000) this.#readers.clear();
      reader = compileReader(reference);
      this.#readers.set(reference, reader);
    }
    return reader;
  }

  #startStatus(): StatusPublisher {
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
        startedMs: this.#clock.now(),
      },
      clock: this.#clock,
      isDraining: () => this.#draining,
    });
    status.start();
    return status;
  }

  async #listenForAdmin(): Promise<Record<string, number>> {
    const { adminPort, healthPort, metricsPort } = this.#config;
    const isReady = (): boolean => this.#ready;
    const admin = buildAdmin({
      registry: this.#metrics.registry,
      directory: this.#directory,
      followers: Object.values(this.#tables),
      about: { version: VERSION, ...this.#identity, service: this.#config.service, labels: this.#config.labels },
      isReady,
      certificate: () => this.#certificates.current,
      quit: () => process.kill(process.pid, "SIGTERM"),
    });
    const health = buildHealth(isReady);
    const metrics = buildMetrics(this.#metrics.registry);
    this.#closers.push(
      () => admin.close(),
      () => health.close(),
      () => metrics.close(),
    );
    return {
      admin: await listenOn(admin, "127.0.0.1", adminPort),
      health: await listenOn(health, "0.0.0.0", healthPort),
      metrics: await listenOn(metrics, "0.0.0.0", metricsPort),
    };
  }

  #register(ports: Readonly<Record<string, number>>): void {
    const { namespace, serviceAccount, service, instance, labels, mode } = this.#config;
    const addressPort = ports["inbound"] ?? ports["gateway"] ?? 0;
    const declared = mode === "gateway" ? [{ number: 80, protocol: "http" as const }] : this.#config.ports;
    this.#registrar = new Registrar({
      bus: this.#bus,
      identity: { namespace, serviceAccount },
      service,
      instance,
      content: () => ({
        workload: this.#self.workload,
        labels: { ...labels },
        address: this.#self.ip,
        ports: declared.map(({ number, protocol }) => ({ number, protocol, addressPort })),
        plaintext: mode === "gateway",
        version: VERSION,
      }),
      health: this.#health,
      clock: this.#clock,
    });
    this.#registrar.start();
  }
}

function selfPeer(config: ProxyConfig): Peer {
  const { namespace, serviceAccount, service, instance, labels, trustDomain } = config;
  const version = labels["version"];
  return {
    namespace,
    service,
    host: serviceHost({ namespace, service }),
    workload: config.workload || (version === undefined ? service : `${service}-${version}`),
    instance,
    principal: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
    labels,
    ip: config.address || advertisedAddress(config.inboundHost),
    port: config.ports[0]?.number ?? 0,
  };
}

/** Where others reach this machine: the address that is listened on, or the first that is not loopback. */
function advertisedAddress(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { internal, family, address } of addresses ?? []) if (!internal && family === "IPv4") return address;
  }
  return "127.0.0.1";
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}
