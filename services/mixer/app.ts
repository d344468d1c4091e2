import { hostname } from "node:os";
import { type App, type AppPorts, deferred, systemClock } from "../../shared/base/index.ts";
import {
  type Bus,
  EventLoopWatchdog,
  Leader,
  openBus,
  protoReply,
  serveComponentStatus,
  TableWatcher,
} from "../../shared/bus/index.ts";
import { createKindRegistry } from "../../shared/model/index.ts";
import { buildAdminServer, createLogger, listenOn, Metrics } from "../../shared/obs/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { Subjects, SyncReply, storeUserName } from "../../shared/wire/index.ts";
import { createHandlerFactory } from "./adapters/factory.ts";
import { MetricPool } from "./adapters/metric-pool.ts";
import { CheckHandler } from "./check-handler.ts";
import type { MixerConfig } from "./config.ts";
import { ConfigSet } from "./config-set.ts";
import { Dispatcher } from "./dispatcher.ts";
import { mixerFindings } from "./findings.ts";
import { Grace } from "./grace.ts";
import { linkConfig } from "./linked-config.ts";
import { createMixerMetrics } from "./mixer-metrics.ts";
import { OperatorRequests } from "./operator-requests.ts";
import { Planner } from "./planner.ts";
import { RedisPool } from "./redis-pool.ts";
import { ReportHandler } from "./report-handler.ts";
import { ServiceDirectory } from "./service-directory.ts";
import { SnapshotHolder } from "./snapshot.ts";

/** More checks than this at once are refused, which the plan's fail policy answers faster than a queue would. */
const MAX_CHECKS = 4096;
const MAX_BATCHES = 256;
/** Of people. */
const MAX_REQUESTS = 16;
/** A handler that could not be made is tried again after this: later than what is being closed is gone. */
const RETRY_HANDLERS_MS = 3000;

/**
 * A Mixer has three connections: MESH for checks and reports, STORE for the tables, and one for telemetry only, where
 * a stuck subscriber stalls nothing else. It is ready when it has read the configuration and the services in full.
 */
export function buildMixer(config: MixerConfig): App {
  const clock = systemClock;
  const name = config.replica || `${hostname()}-${process.pid}`;
  const log = createLogger({ component: "mixer", level: config.logLevel });
  const metrics = new Metrics("mixer");
  metrics.collectProcess();
  const subjects = new Subjects(config.meshPrefix);
  const user = config.natsUser || "mixer";
  const connection = (busUser: string, purpose: string): Bus =>
    openBus({
      servers: config.natsUrl,
      ...(config.natsUser === "" ? {} : { user: busUser, password: config.natsPassword }),
      name: `${busUser} ${name}${purpose}`,
      inboxPrefix: subjects.inbox(busUser),
      subjects,
      log,
    });
  const closers: (() => unknown)[] = [];

  async function start(): Promise<AppPorts> {
    const watchdog = new EventLoopWatchdog({ clock });
    closers.push(() => watchdog.stop());
    const mesh = connection(user, "");
    const store = connection(storeUserName(user), "");
    const telemetry = connection(user, " telemetry");
    closers.unshift(() => Promise.all([mesh.close(), store.close(), telemetry.close()]));

    const set = new ConfigSet(createKindRegistry(POLICY_KINDS));
    const services = new ServiceDirectory();
    const redis = new RedisPool({ url: config.redisUrl, timeoutMs: config.redisTimeoutMs, subjects, clock, log });
    const counts = createMixerMetrics(metrics, clock, log);
    const pool = new MetricPool(config.maxSeries);
    const grace = new Grace(clock);
    const factory = createHandlerFactory({
      clock,
      log,
      pool,
      telemetry,
      openStore: (serverUrl) => redis.open(serverUrl),
      replicas: config.replicas,
      counts,
    });
    const snapshots = new SnapshotHolder(factory, (closing) => grace.after(closing));
    closers.unshift(async () => {
      grace.close();
      await snapshots.close();
      redis.close();
    });
    const dispatcher = new Dispatcher({ onEvent: counts.dispatch, hasProxy: (host) => services.hasProxy(host) });
    const synced = deferred<void>();
    let serving = false;
    const isSynced = (): boolean => configWatcher.synced && serviceWatcher.synced;

    const planner = new Planner({
      store,
      set,
      services,
      settings: { failOpen: config.failOpen },
      name,
      clock,
      log,
      isSynced,
      onConflict: () => leader.stepDown(),
    });
    let swapPending: (() => void) | undefined;
    let dirty = true;
    const swap = (): void => {
      swapPending = undefined;
      if (!configWatcher.synced) return;
      counts.faults(snapshots.swap(linkConfig(set)));
      dirty = false;
      if (snapshots.broken > 0) swapPending = clock.after(RETRY_HANDLERS_MS, swap);
      planner.changed();
      if (isSynced()) synced.resolve();
    };
    const swapSoon = (): void => {
      swapPending?.();
      swapPending = clock.after(0, swap);
    };
    const configWatcher = new TableWatcher({
      bus: store,
      table: "config",
      clock,
      log,
      onChange(key, value) {
        if (set.apply(key, value)) {
          dirty = true;
          swapSoon();
        } else if (!dirty && configWatcher.synced) snapshots.advance(set.revision);
      },
      onSynced: swapSoon,
    });
    const serviceWatcher = new TableWatcher({
      bus: store,
      table: "service",
      clock,
      log,
      onChange(key, value) {
        if (services.apply(key, value)) planner.changed();
      },
      onSynced() {
        planner.changed();
        if (isSynced()) synced.resolve();
      },
    });
    const leader = new Leader({
      bus: store,
      role: "mixer",
      name,
      clock,
      log,
      onElected: () => planner.begin(),
      onDeposed: () => planner.end(),
    });
    closers.unshift(async () => {
      swapPending?.();
      configWatcher.close();
      serviceWatcher.close();
      await leader.resign();
      planner.end();
    });
    counts.state({
      leading: () => leader.leading,
      revision: () => snapshots.current.revision,
    });

    const admin = buildAdminServer({
      registries: [metrics.registry, pool.registry],
      isReady: () => serving && mesh.connected,
    });
    closers.unshift(() => admin.close());
    const port = await listenOn(admin, config.adminHost, config.metricsPort);

    await Promise.all([mesh.whenConnected(), store.whenConnected()]);
    configWatcher.start();
    serviceWatcher.start();
    leader.start();
    await synced.promise;

    const checks = new CheckHandler({
      subjects,
      snapshots,
      dispatcher,
      clock,
      waitMs: config.checkWaitMs,
      onAnswer: counts.check,
    });
    const requests = new OperatorRequests({ snapshots, dispatcher, replica: name });
    const reports = new ReportHandler({ subjects, snapshots, dispatcher, replica: name, counts: counts.reports });
    const inboxOf = ({ namespace, serviceAccount }: { namespace: string; serviceAccount: string }): string =>
      `${subjects.inbox(namespace, serviceAccount)}.`;
    const ofReporter = (subject: string): string => inboxOf(subjects.parseReport(subject));
    const served = [
      mesh.serve(subjects.allPolicyChecks(), (message) => checks.handle(message), {
        queue: subjects.queue("mixer"),
        maxInFlight: MAX_CHECKS,
        callerInbox: (subject) => inboxOf(subjects.parsePolicyCheck(subject)),
      }),
      mesh.serve(subjects.allReports(), (message) => reports.handle(message), {
        queue: subjects.queue("mixer"),
        maxInFlight: MAX_BATCHES,
        callerInbox: ofReporter,
      }),
      mesh.serve(subjects.allReportsTo(name), (message) => reports.handle(message), {
        maxInFlight: MAX_BATCHES,
        callerInbox: ofReporter,
      }),
      mesh.serve(subjects.mixerCheck(), (message) => requests.check(message), {
        queue: subjects.queue("mixer"),
        maxInFlight: MAX_REQUESTS,
      }),
      mesh.serve(subjects.mixerReport(), (message) => requests.report(message), {
        queue: subjects.queue("mixer"),
        maxInFlight: MAX_REQUESTS,
      }),
      serveComponentStatus({
        mesh,
        store,
        role: "mixer",
        name,
        clock,
        buckets: ["leader", "config", "service", "plan"],
        leading: () => leader.leading,
        revision: () => snapshots.current.revision,
        findings: () => mixerFindings(redis.states, snapshots.current.faults),
      }),
      mesh.serve(subjects.sync("config", ">"), (message) => {
        const answer = planner.answer(subjects.parseSync(message.subject).key);
        return answer && protoReply(SyncReply, answer);
      }),
    ];
    closers.unshift(async () => {
      serving = false;
      for (const subscription of served) subscription.close();
      await Promise.all([mesh.flush().catch(() => undefined), telemetry.flush().catch(() => undefined)]);
    });
    await mesh.flush();
    serving = true;
    return { metrics: port };
  }

  async function stop(): Promise<void> {
    for (const close of closers.splice(0)) await close();
  }

  return { start, stop };
}
