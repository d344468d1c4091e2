import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type App, type Clock, errorMessage, sleep, systemClock } from "../../shared/base/index.ts";
import {
  type Bus,
  type BusSubscription,
  EventLoopWatchdog,
  type Finding,
  openBus,
  serveComponentStatus,
  TableWatcher,
} from "../../shared/bus/index.ts";
import { createKindRegistry, type KindRegistry } from "../../shared/model/index.ts";
import { buildAdminServer, createLogger, type Logger, listenOn, Metrics } from "../../shared/obs/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import { Registration, Subjects, storeUserName } from "../../shared/wire/index.ts";
import type { PilotConfig } from "./config.ts";
import { ConfigStore, parseVersion } from "./config-store.ts";
import { serveReads, serveRegistry } from "./handlers.ts";
import { Journal } from "./journal.ts";
import { Leadership } from "./leadership.ts";
import { Registry } from "./registry.ts";
import { serveSync } from "./sync.ts";

export interface PilotDependencies {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly kinds?: KindRegistry;
  /** Kills the process when its event loop hangs; default true. */
  readonly watchdog?: boolean;
}

const PACKAGE_ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DEFAULTS_MARK = "defaults-installed";
const READY_POLL_MS = 20;
const decoder = new TextDecoder();

/** One Pilot replica. */
export function buildPilot(config: PilotConfig, dependencies: PilotDependencies = {}): App {
  const clock = dependencies.clock ?? systemClock;
  const log = dependencies.log ?? createLogger({ component: "pilot", level: config.logLevel });
  const kinds = dependencies.kinds ?? createKindRegistry(POLICY_KINDS);
  const replica = config.replica || `${hostname()}-${process.pid}-${randomBytes(2).toString("hex")}`;
  const subjects = new Subjects(config.meshPrefix);
  const store = new ConfigStore();
  const registry = new Registry({ clock, leaseMs: config.leaseMs, lingerMs: config.serviceLingerMs });
  const metrics = new Metrics("pilot");
  let hasJournal = false;
  let defaultsInstalled = false;
  const journal = new Journal({
    path: join(config.dataDir, "pilot", "journal", "config.jsonl"),
    log,
    content: () => [...(defaultsInstalled ? [{ mark: DEFAULTS_MARK }] : []), ...store.allVersions()],
  });
  const subscriptions: BusSubscription[] = [];
  const closers: (() => unknown)[] = [];
  const stopping = new AbortController();

  const connect = (user: string): Bus => {
    const bus = openBus({
      servers: config.natsUrl,
      ...(config.natsUser !== "" && { user, password: config.natsPassword }),
      name: `${replica} (${user})`,
      inboxPrefix: subjects.inbox(user),
      subjects,
      log,
    });
    closers.push(() => bus.close());
    return bus;
  };

  const readJournal = async (): Promise<void> => {
    for (const entry of await journal.open()) {
      hasJournal = true;
      if (typeof entry === "object" && entry !== null && "mark" in entry)
        defaultsInstalled ||= entry.mark === DEFAULTS_MARK;
      const version = parseVersion(entry, kinds);
      if (version !== undefined) store.observe(version);
    }
    store.onAccepted((_key, version) => journal.append(version));
  };

  const listenToRegistry = (bus: Bus): void => {
    const verdicts = metrics.counter("registrations_total", "Registrations, heartbeats and goodbyes heard.", [
      "result",
    ]);
    subscriptions.push(
      bus.subscribe(subjects.allRegistry(), (message) => {
        const address = subjects.parseRegistry(message.subject);
        // Also of a goodbye: only a message with its type is one of the proxy that the subject names.
        const registration = message.decode(Registration);
        if (address.verb === "deregister") {
          registry.departed(address);
          verdicts.inc({ result: "goodbye" });
        } else {
          verdicts.inc({ result: registry.heard(address, registration) ? "accepted" : "refused" });
        }
      }),
    );
    bus.onState((state) => {
      if (state === "slow-consumer") registry.distrust();
      else registry.setConnected(state === "connected");
    });
    registry.setConnected(bus.connected);
    registry.start();
    closers.push(() => registry.stop());
  };

  const watchConfig = (bus: Bus): TableWatcher => {
    const watcher = new TableWatcher({
      bus,
      table: "config",
      clock,
      log,
      onChange(key, value) {
        // A key that is gone without a tombstone was lost, not deleted: what is known of it stays.
        if (value === undefined) return;
        try {
          const version = parseVersion(JSON.parse(decoder.decode(value)), kinds);
          if (version !== undefined) store.observe(version);
        } catch (error) {
          log.warn({ key, reason: errorMessage(error) }, "a stored resource cannot be read");
        }
      },
    });
    watcher.start();
    closers.push(() => watcher.close());
    return watcher;
  };

  let leadership: Leadership | undefined;
  return {
    async start() {
      if (dependencies.watchdog !== false) {
        const watchdog = new EventLoopWatchdog({ clock });
        closers.push(() => watchdog.stop());
      }
      await readJournal();
      const user = config.natsUser || "pilot";
      const meshBus = connect(user);
      const storeBus = connect(storeUserName(user));
      listenToRegistry(meshBus);
      const watcher = watchConfig(storeBus);
      const compilations = metrics.counter("compilations_total", "Services compiled and written.", ["result"]);
      leadership = new Leadership({
        replica,
        storeBus,
        meshBus,
        clock,
        log,
        store,
        kinds,
        registry,
        defaultConfigFile: resolve(PACKAGE_ROOT, config.defaultConfigFile),
        isFirstStart: () => !hasJournal && !defaultsInstalled && store.size === 0,
        onDefaultsInstalled() {
          defaultsInstalled = true;
          journal.append({ mark: DEFAULTS_MARK });
        },
        onCompiled: (failed) => compilations.inc({ result: failed ? "failed" : "written" }),
      });
      const lead = leadership;
      lead.start();
      subscriptions.push(
        ...serveReads({ bus: meshBus, log, store, kinds }),
        serveRegistry({ bus: meshBus, log, store, kinds }, registry),
        serveSync({ bus: meshBus, replica, store, kinds, leading: () => lead.term }),
        serveComponentStatus({
          mesh: meshBus,
          store: storeBus,
          role: "pilot",
          name: replica,
          clock,
          buckets: ["leader", "config", "service", "endpoints", "hosts", "gateway", "workload"],
          leading: () => lead.term !== undefined,
          revision: () => store.revision,
          findings: () => findings(registry, journal, lead),
        }),
      );
      const isReady = (): boolean =>
        meshBus.connected && storeBus.connected && (lead.term !== undefined || (lead.following && watcher.synced));
      exposeState(metrics, registry, store, journal, lead);
      const admin = buildAdminServer({ registries: [metrics.registry], isReady });
      closers.push(() => admin.close());
      const port = await listenOn(admin, config.adminHost, config.adminPort);
      while (!isReady() && !stopping.signal.aborted)
        await sleep(clock, READY_POLL_MS, stopping.signal).catch(() => undefined);
      return { admin: port };
    },

    async stop() {
      stopping.abort(new Error("stopped"));
      for (const subscription of subscriptions.splice(0)) subscription.close();
      await leadership?.resign();
      for (const close of closers.splice(0).reverse()) await close();
      await journal.close();
    },
  };
}

/** What only Pilot knows of itself. */
function findings(registry: Registry, journal: Journal, { term }: Leadership): readonly Finding[] {
  const pending = term?.compiler.pendingCount ?? 0;
  return [
    journal.failed
      ? { check: "journal", level: "fail", text: "accepted configuration cannot be written to disk" }
      : { check: "journal", level: "ok", text: "accepted configuration is on disk" },
    registry.holding
      ? { check: "leases", level: "warn", text: "too many leases would lapse at once, so none does" }
      : {
          check: "leases",
          level: "ok",
          text: `${registry.instanceCount} instances of ${registry.serviceCount} services are known`,
        },
    ...(term === undefined ? [] : [pendingFinding(pending), brokenFinding([...term.broadcaster.failures()])]),
  ];
}

function brokenFinding(failures: readonly string[]): Finding {
  const [first] = failures;
  if (first === undefined) return { check: "compiled-values", level: "ok", text: "all configuration is written" };
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : "";
  return { check: "compiled-values", level: "fail", text: `not written, or not as a whole: ${first}${more}` };
}

function pendingFinding(pending: number): Finding {
  if (pending === 0) return { check: "pending-rules", level: "ok", text: "every rule is in force" };
  const text = `${pending} ${pending === 1 ? "rule waits" : "rules wait"} for what they name`;
  return { check: "pending-rules", level: "warn", text };
}

function exposeState(
  metrics: Metrics,
  registry: Registry,
  store: ConfigStore,
  journal: Journal,
  leadership: Leadership,
): void {
  metrics.collectProcess();
  const gauge = (name: string, help: string, read: () => number): void => {
    metrics.gauge(name, help, [], (item) => item.set(read()));
  };
  gauge("leading_info", "1 while this replica leads.", () => (leadership.term === undefined ? 0 : 1));
  gauge("services_count", "Services known.", () => registry.serviceCount);
  gauge("instances_count", "Instances with a lease.", () => registry.instanceCount);
  gauge("expiry_held_info", "1 while too many leases would lapse at once, so none does.", () =>
    registry.holding ? 1 : 0,
  );
  gauge("resources_count", "Resources stored, deleted ones included.", () => store.size);
  gauge("config_revision_count", "The newest configuration revision.", () => store.revision);
  gauge(
    "pending_rules_count",
    "Route rules that wait for what they name.",
    () => leadership.term?.compiler.pendingCount ?? 0,
  );
  gauge("journal_failed_info", "1 while the journal cannot be written.", () => (journal.failed ? 1 : 0));
}
