import { hostname } from "node:os";
import { type App, type AppPorts, deferred, systemClock } from "../../shared/base/index.ts";
import {
  EventLoopWatchdog,
  type Finding,
  Leader,
  openBus,
  serveComponentStatus,
  TableOwner,
  TableWatcher,
} from "../../shared/bus/index.ts";
import { buildAdminServer, createLogger, listenOn, Metrics } from "../../shared/obs/index.ts";
import { Subjects, storeUserName } from "../../shared/wire/index.ts";
import { openAuthority } from "./authority.ts";
import type { CaConfig } from "./config.ts";
import { SigningHandlers } from "./handlers.ts";
import { Signer } from "./signer.ts";
import { BUNDLE_KEY, bundleHolds, mergedBundle } from "./trust.ts";

/*
 * The leading CA keeps its root in the published trust bundle. Every CA, leading or not, signs exactly while its own
 * root stands in that bundle: a certificate that no peer would trust is worse than none. So replicas either share the
 * folder with the root, or one of them waits until it leads and has added its own. A bundle that cannot be read just
 * now changes nothing: what was published stays in force with everybody who has seen it.
 */

export function buildCa(config: CaConfig): App {
  const clock = systemClock;
  const name = config.replica || `${hostname()}-${process.pid}`;
  const log = createLogger({ component: "ca", level: config.logLevel });
  const metrics = new Metrics("ca");
  metrics.collectProcess();
  const subjects = new Subjects(config.meshPrefix);
  const user = config.natsUser || "ca";
  const connection = (busUser: string) =>
    openBus({
      servers: config.natsUrl,
      ...(config.natsUser === "" ? {} : { user: busUser, password: config.natsPassword }),
      name: `${busUser} ${name}`,
      inboxPrefix: subjects.inbox(busUser),
      subjects,
      log,
    });
  const closers: (() => unknown)[] = [];

  async function start(): Promise<AppPorts> {
    const watchdog = new EventLoopWatchdog({ clock });
    closers.push(() => watchdog.stop());
    const authority = await openAuthority({
      dataDir: config.dataDir,
      trustDomain: config.trustDomain,
      rootTtlMs: config.rootTtlMs,
      clock,
    });
    metrics.gauge("root_expiry_seconds", "Seconds until the root expires.", [], (gauge) =>
      gauge.set((authority.notAfterMs - clock.now()) / 1000),
    );
    const mesh = connection(user);
    const store = connection(storeUserName(user));
    closers.unshift(() => Promise.all([mesh.close(), store.close()]));
    const signer = new Signer({ authority, clock, defaultTtlMs: config.certTtlMs, maxTtlMs: config.maxCertTtlMs });
    const signing = new SigningHandlers({ bus: mesh, authority, signer, metrics, log });
    closers.unshift(() => signing.close());
    const admin = buildAdminServer({ registries: [metrics.registry], isReady: () => signing.serving });
    closers.unshift(() => admin.close());
    const adminPort = await listenOn(admin, config.adminHost, config.adminPort);

    let owner: TableOwner | undefined;
    const published = deferred<void>();
    const watcher = new TableWatcher({
      bus: store,
      table: "trust",
      clock,
      log,
      onChange(key, bundle, position) {
        if (key !== BUNDLE_KEY || bundle === undefined) return;
        if (bundleHolds(bundle, authority.root)) {
          if (!signing.serving) log.info("own root is in the trust bundle: signing");
          signing.open();
          published.resolve();
        } else {
          log.warn("own root is not in the trust bundle: not signing until this CA leads and adds it");
          signing.close();
          // Written over by somebody else: lead anew, which adds it again.
          const written = owner?.position(BUNDLE_KEY);
          if (written?.epoch === position.epoch && position.sequence > written.sequence) leader.stepDown();
        }
      },
    });
    closers.unshift(() => watcher.close());

    const leader = new Leader({
      bus: store,
      role: "ca",
      name,
      clock,
      log,
      async onElected() {
        const bundle = (before: Uint8Array | undefined) =>
          mergedBundle(before, authority.trustDomain, authority.root, clock.now());
        let current: Uint8Array | undefined;
        const term = new TableOwner({
          bus: store,
          table: "trust",
          clock,
          log,
          onConflict: () => leader.stepDown(),
          restore: () => [[BUNDLE_KEY, bundle(current)]],
        });
        owner = term;
        current = bundle((await term.start()).get(BUNDLE_KEY)?.value);
        await term.set(BUNDLE_KEY, current);
        term.markComplete();
      },
      onDeposed() {
        owner?.stop();
        owner = undefined;
      },
    });
    closers.unshift(async () => {
      await leader.resign();
      owner?.stop();
    });
    metrics.gauge("leading", "1 while this replica leads.", [], (gauge) => gauge.set(leader.leading ? 1 : 0));

    const status = serveComponentStatus({
      mesh,
      store,
      role: "ca",
      name,
      clock,
      buckets: ["leader", "trust"],
      leading: () => leader.leading,
      revision: () => 0,
      findings: () => [signingFinding(signing.serving), rootFinding(authority.notAfterMs, clock.now())],
    });
    closers.unshift(() => status.close());
    await Promise.all([mesh.whenConnected(), store.whenConnected()]);
    leader.start();
    watcher.start();
    await published.promise;
    await mesh.flush();
    return { admin: adminPort };
  }

  async function stop(): Promise<void> {
    for (const close of closers.splice(0)) await close();
  }

  return { start, stop };
}

const DAY_MS = 86_400_000;
/** A new root needs to be everywhere before the old one ends. */
const ROOT_WARN_DAYS = 60;

function signingFinding(serving: boolean): Finding {
  return serving
    ? { check: "signing", level: "ok", text: "its root is in the trust bundle, so it signs" }
    : { check: "signing", level: "fail", text: "its root is not in the trust bundle, so it does not sign" };
}

function rootFinding(notAfterMs: number, nowMs: number): Finding {
  const days = Math.floor((notAfterMs - nowMs) / DAY_MS);
  const text = `the root is valid until ${new Date(notAfterMs).toISOString().slice(0, 10)} (${days} days)`;
  return { check: "root", level: days < 1 ? "fail" : days < ROOT_WARN_DAYS ? "warn" : "ok", text };
}
