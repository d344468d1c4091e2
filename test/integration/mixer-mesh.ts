import { parseAllDocuments } from "yaml";
import { buildMixer } from "../../services/mixer/app.ts";
import { parseMixerConfig } from "../../services/mixer/config.ts";
import { type App, systemClock } from "../../shared/base/index.ts";
import { type Bus, TableOwner } from "../../shared/bus/index.ts";
import {
  CheckRequest,
  CheckResponse,
  type Input,
  ReportAck,
  ReportBatch,
  ServiceConfig,
  tableKey,
  type WorkloadUser,
} from "../../shared/wire/index.ts";
import { type NatsFixture, type RedisFixture, silentLog, startNats, startRedis } from "../harness/index.ts";

export const RATINGS: WorkloadUser = { namespace: "default", serviceAccount: "bookinfo-ratings", service: "ratings" };

/** A bus and a Redis, a stand-in for Pilot that writes the tables, and any number of Mixers. */
export class MixerMesh {
  readonly nats: NatsFixture;
  readonly redis: RedisFixture;
  readonly workload: Bus;
  readonly #config: TableOwner;
  readonly #services: TableOwner;
  readonly #mixers = new Set<App>();
  revision = 0;

  constructor(nats: NatsFixture, redis: RedisFixture, workload: Bus, config: TableOwner, services: TableOwner) {
    this.nats = nats;
    this.redis = redis;
    this.workload = workload;
    this.#config = config;
    this.#services = services;
  }

  static async start(): Promise<MixerMesh> {
    const nats = await startNats({ workloads: [RATINGS] });
    const redis = await startRedis();
    const pilot = await nats.connectStore("pilot");
    const owner = (table: "config" | "service") =>
      new TableOwner({ bus: pilot, table, clock: systemClock, log: silentLog, onConflict: () => {} });
    const [config, services] = [owner("config"), owner("service")];
    for (const table of [config, services]) {
      await table.start();
      table.markComplete();
    }
    return new MixerMesh(nats, redis, await nats.connectWorkload(RATINGS), config, services);
  }

  /** Starts a Mixer and returns the port of its metrics. */
  async startMixer(replica: string, settings: Record<string, string> = {}): Promise<{ app: App; metricsPort: number }> {
    const env = {
      NATS_URL: this.nats.url,
      NATS_USER: "mixer",
      NATS_PASSWORD: this.nats.password("mixer"),
      REDIS_URL: this.redis.url,
      METRICS_PORT: "0",
      REPLICA: replica,
      LOG_LEVEL: "error",
      ...settings,
    };
    const app = buildMixer(parseMixerConfig(env, []));
    this.#mixers.add(app);
    const ports = await app.start();
    return { app, metricsPort: ports["metrics"] ?? 0 };
  }

  async stopMixer(app: App): Promise<void> {
    this.#mixers.delete(app);
    await app.stop();
  }

  async apply(yaml: string): Promise<number> {
    for (const document of parseAllDocuments(yaml)) {
      const resource = document.toJS() as { kind: string; metadata: { name: string; namespace?: string } };
      await this.#put(resource, {});
    }
    return this.revision;
  }

  async remove(kind: string, namespace: string, name: string): Promise<number> {
    await this.#put({ kind, metadata: { name, namespace } }, { deleted: true });
    return this.revision;
  }

  async addService(namespace: string, name: string): Promise<void> {
    const host = `${name}.${namespace}.svc.cluster.local`;
    const ports = [{ number: 9080, protocol: "http" }];
    // Whose proxies report what reaches it.
    const serviceAccounts = [`spiffe://cluster.local/ns/${namespace}/sa/${name}`];
    await this.#services.set(
      tableKey(namespace, name),
      ServiceConfig.encode({ namespace, name, host, ports, serviceAccounts, endpointShards: 1 }),
    );
  }

  async removeService(namespace: string, name: string): Promise<void> {
    await this.#services.remove(tableKey(namespace, name));
  }

  check(request: Input<typeof CheckRequest>, timeoutMs = 2000): Promise<CheckResponse> {
    const subject = this.nats.subjects.policyCheck({ ...RATINGS, proxy: "ratings-1" });
    return this.workload.request(subject, CheckRequest, request, CheckResponse, { timeoutMs });
  }

  report(batch: Input<typeof ReportBatch>, replica?: string): Promise<ReportAck> {
    const identity = { ...RATINGS, proxy: "ratings-1" };
    const { subjects } = this.nats;
    const subject = replica === undefined ? subjects.report(identity) : subjects.reportTo(identity, replica);
    return this.workload.request(subject, ReportBatch, batch, ReportAck, { timeoutMs: 2000 });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#mixers].map((app) => app.stop()));
    this.#config.stop();
    this.#services.stop();
    await this.nats.stop();
    await this.redis.stop();
  }

  async #put(resource: { kind: string; metadata: { name: string; namespace?: string } }, extra: object): Promise<void> {
    this.revision++;
    const namespace = resource.metadata.namespace ?? "default";
    const metadata = { ...resource.metadata, namespace, resourceVersion: String(this.revision) };
    const text = JSON.stringify({ apiVersion: "config.istio.io/v1alpha2", ...resource, metadata, ...extra });
    const key = this.nats.subjects.configKey(resource.kind, namespace, resource.metadata.name);
    await this.#config.set(key, Buffer.from(text));
  }
}
