import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCa } from "../../services/ca/app.ts";
import { parseCaConfig } from "../../services/ca/config.ts";
import { buildMixer } from "../../services/mixer/app.ts";
import { parseMixerConfig } from "../../services/mixer/config.ts";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import { buildProxy } from "../../services/proxy/app.ts";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { type App, type AppPorts, systemClock } from "../../shared/base/index.ts";
import { type Bus, TableOwner } from "../../shared/bus/index.ts";
import { Plan, type WorkloadUser, workloadUserName } from "../../shared/wire/index.ts";
import { eventually } from "./eventually.ts";
import { silentLog } from "./log.ts";
import { type NatsFixture, startNats } from "./nats.ts";
import { type RedisFixture, startRedis } from "./redis.ts";

/** The gateway is the mesh's own. */
const GATEWAY: WorkloadUser = {
  namespace: "istio-system",
  serviceAccount: "istio-ingress",
  service: "istio-ingress",
  gateway: true,
};

export interface SmallMeshOptions {
  /** A Mixer and a Redis, in place of a plan that asks nothing. */
  readonly mixer?: boolean;
}

/** A real mesh in one process, on a real bus: Pilot, CA, a plan that asks nothing, and proxies as they are wanted. */
export class SmallMesh {
  readonly nats: NatsFixture;
  readonly folder: string;
  readonly #apps: App[];
  readonly #closers: readonly (() => unknown)[];
  readonly #components: number;
  /** Where there is a Mixer. */
  readonly redis: RedisFixture | undefined;

  private constructor(
    nats: NatsFixture,
    folder: string,
    apps: App[],
    redis: RedisFixture | undefined,
    closers: readonly (() => unknown)[],
  ) {
    this.nats = nats;
    this.folder = folder;
    this.#apps = apps;
    this.#components = apps.length;
    this.redis = redis;
    this.#closers = closers;
  }

  /** Services are of namespace `default` unless they are named `<namespace>/<service>`. */
  static async start(services: readonly string[], options: SmallMeshOptions = {}): Promise<SmallMesh> {
    const workloads = [...services.map(workload), GATEWAY];
    const [nats, folder] = await Promise.all([startNats({ workloads }), mkdtemp(join(tmpdir(), "lateen-mesh-"))]);
    const env = (user: string) => ({
      NATS_URL: nats.url,
      NATS_USER: user,
      NATS_PASSWORD: nats.password(user),
      LATEEN_DATA_DIR: join(folder, user),
      LOG_LEVEL: "error",
    });
    const apps = [buildPilot(parsePilotConfig(env("pilot"), [])), buildCa(parseCaConfig(env("ca"), []))];
    if (options.mixer !== true) {
      const plans = await emptyPlans(nats);
      await Promise.all(apps.map((app) => app.start()));
      return new SmallMesh(nats, folder, apps, undefined, [() => plans.stop()]);
    }
    const redis = await startRedis();
    const settings = { ...env("mixer"), REDIS_URL: redis.url, METRICS_PORT: "0" };
    apps.push(buildMixer(parseMixerConfig(settings, [])));
    await Promise.all(apps.map((app) => app.start()));
    return new SmallMesh(nats, folder, apps, redis, [() => redis.stop()]);
  }

  sidecar(service: string, env: Readonly<Record<string, string>> = {}): Promise<AppPorts> {
    return this.#proxy(this.settings(service, env));
  }

  gateway(env: Readonly<Record<string, string>> = {}): Promise<AppPorts> {
    const own = { PROXY_MODE: "gateway", GATEWAY_PORT: "0", GATEWAY_HOST: "127.0.0.1" };
    return this.#proxy(this.#settings(GATEWAY, { ...own, ...env }));
  }

  operator(): Promise<Bus> {
    return this.nats.connect("operator");
  }

  /** Throws unless it is accepted, at once or later. */
  async apply(resource: object): Promise<void> {
    const bus = await this.operator();
    const answer = await eventually(() =>
      bus.requestJson(bus.subjects.config("apply"), resource, { timeoutMs: 2_000 }).catch(() => undefined),
    );
    const [result] = (answer as { results: { outcome: string }[] }).results;
    if (result === undefined || result.outcome === "rejected") throw new Error(JSON.stringify(answer));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apps.splice(this.#components).map((proxy) => proxy.stop()));
    await Promise.all(this.#apps.map((app) => app.stop()));
    for (const close of this.#closers) await close();
    await this.nats.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Settings of a proxy for that workload, by the names of their environment variables. */
  settings(service: string, env: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
    return this.#settings(workload(service), { MESH_LABELS: `app=${workload(service).service},version=v1`, ...env });
  }

  #settings(user: WorkloadUser, env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const name = workloadUserName(user);
    const instance = env["MESH_INSTANCE"] ?? `${user.service}-1`;
    return {
      NATS_URL: this.nats.url,
      NATS_USER: name,
      NATS_PASSWORD: this.nats.password(name),
      LATEEN_DATA_DIR: join(this.folder, `${name}-${instance}`),
      ACCESS_LOG_DIR: this.folder,
      LOG_LEVEL: "error",
      MESH_NAMESPACE: user.namespace,
      MESH_SERVICE_ACCOUNT: user.serviceAccount,
      MESH_SERVICE: user.service,
      MESH_INSTANCE: instance,
      INBOUND_HOST: "127.0.0.1",
      DRAIN_MIN_MS: "0",
      DRAIN_MAX_MS: "0",
      ...Object.fromEntries(["OUTBOUND", "INBOUND", "ADMIN", "HEALTH", "METRICS"].map((port) => [`${port}_PORT`, "0"])),
      ...env,
    };
  }

  async #proxy(settings: Readonly<Record<string, string>>): Promise<AppPorts> {
    const app = buildProxy(parseProxyConfig(settings, []));
    this.#apps.push(app);
    return await app.start();
  }
}

/** A plan that asks nothing. */
async function emptyPlans(nats: NatsFixture): Promise<TableOwner> {
  const bus = await nats.connectStore("mixer");
  const plans = new TableOwner({ bus, table: "plan", clock: systemClock, log: silentLog, onConflict: () => {} });
  await plans.start();
  await plans.set("default", Plan.encode({ revision: 1 }));
  plans.markComplete();
  return plans;
}

function workload(name: string): WorkloadUser {
  const [service = "", namespace = "default"] = name.split("/").reverse();
  return { namespace, serviceAccount: service, service };
}
