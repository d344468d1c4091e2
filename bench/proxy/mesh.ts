import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lateenVersion } from "../../cli/version.ts";
import { ConfigClient } from "../../client/index.ts";
import { ProcessGroup, type ProcessSpec } from "../../samples/bookinfo/demo/processes.ts";
import { systemClock } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import {
  Registration,
  SyncReply,
  SyncRequest,
  tableKey,
  type WorkloadUser,
  workloadUserName,
} from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, type RedisFixture, startNats, startRedis } from "../../test/harness/index.ts";
import { pinned } from "../harness/process-usage.ts";
import type { Contender, DataPlane } from "./contender.ts";
import { submissionsOf } from "./mesh-rules.ts";
import { untilServing } from "./serving.ts";
import { BENCH_PORT, hostOf, WORK, type Work } from "./work.ts";

/*
 * The mesh around the sidecars under test: real NATS, Pilot, Mixer and CA, and a service for each kind of work. The
 * bench's backend is an instance of each of them: of `secure` behind a sidecar, of the others without one. Their rules
 * give the calling sidecar what the other proxies do by their files.
 */
const CALLER = workload("caller");
const HEARTBEAT_MS = 3_000;
const IN_FORCE_MS = 30_000;
const APPLY_MS = 30_000;

function workload(name: string): WorkloadUser {
  return { namespace: "default", serviceAccount: name, service: name };
}

export interface BenchMeshOptions {
  readonly workDir: string;
  /** PATH for the children. */
  readonly path: string;
  readonly backendPort: number;
  /** The sidecars' processor. */
  readonly cpu: number;
  /** Everything else's. */
  readonly otherCpu: number;
}

export class BenchMesh implements Contender {
  readonly name = "lateen";
  readonly version = lateenVersion();
  readonly #options: BenchMeshOptions;
  readonly #nats: NatsFixture;
  readonly #redis: RedisFixture;
  readonly #processes: ProcessGroup;
  readonly #operator: Bus;
  readonly #stopHeartbeats: (() => void)[] = [];
  /** Revision of the newest rule of each service. */
  readonly #revisions = new Map<string, number>();
  #starts = 0;
  #running: string[] = [];

  private constructor(options: BenchMeshOptions, nats: NatsFixture, redis: RedisFixture, operator: Bus) {
    this.#options = options;
    this.#nats = nats;
    this.#redis = redis;
    this.#operator = operator;
    this.#processes = new ProcessGroup(join(options.workDir, "log"), options.path, () => {});
  }

  /** Starts all but the sidecars. */
  static async open(options: BenchMeshOptions): Promise<BenchMesh> {
    const workloads = [CALLER, ...Object.values(WORK).map(({ service }) => workload(service))];
    const [nats, redis] = await Promise.all([startNats({ workloads }), startRedis()]);
    const mesh = new BenchMesh(options, nats, redis, await nats.connect("operator"));
    await mesh.#startControlPlane();
    return mesh;
  }

  async close(): Promise<void> {
    for (const stop of this.#stopHeartbeats) stop();
    await this.#processes.teardown();
    await Promise.all([this.#nats.stop(), this.#redis.stop()]);
  }

  async start(work: Work): Promise<DataPlane> {
    if (!this.#revisions.has(work.service)) await this.#introduce(work);
    this.#starts++;
    const receiving = work.hops === 2 ? [await this.#startSidecar(workload(work.service), "receiver")] : [];
    const calling = await this.#startSidecar(CALLER, "caller");
    const port = calling.ports["outbound"] ?? 0;
    await untilServing(port, hostOf(work), this.name);
    await this.#untilInForce(work, this.#revisions.get(work.service) ?? 0);
    return { pids: [calling, ...receiving].map(({ pid }) => pid), hops: work.hops, port };
  }

  async stop(): Promise<void> {
    await this.#processes.stop(this.#running);
    this.#running = [];
  }

  /** Applies rules, and returns their revision. On a starved machine Pilot may lose its lead for a moment. */
  async apply(documents: string): Promise<number> {
    const client = new ConfigClient(this.#operator);
    const results = await eventually(() => client.apply(documents), { withinMs: APPLY_MS });
    const refused = results.filter(({ outcome }) => outcome === "rejected");
    if (refused.length > 0) throw new Error(`rules were rejected: ${JSON.stringify(refused.slice(0, 3))}`);
    return Math.max(...results.map(({ revision }) => revision));
  }

  /** The configuration revision of a service by which the calling sidecar routes now. */
  async revisionInForce(work: Work): Promise<number> {
    const subject = this.#operator.subjects.sync("service", tableKey("default", work.service));
    const replies = await this.#operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 5, maxMs: 500 });
    const name = `${CALLER.namespace}/${this.#instance("caller")}`;
    return replies.find((reply) => reply.name === name)?.revision ?? -1;
  }

  async #untilInForce(work: Work, revision: number): Promise<void> {
    await eventually(async () => (await this.revisionInForce(work)) >= revision, { withinMs: IN_FORCE_MS });
  }

  /** Makes a service known, with its rules; one without a sidecar also with its instance. */
  async #introduce(work: Work): Promise<void> {
    if (work.hops === 1) this.#stopHeartbeats.push(await this.#register(work));
    for (const documents of submissionsOf(work)) this.#revisions.set(work.service, await this.apply(documents));
  }

  /** What a workload's agent would send: the backend as an instance without a sidecar. */
  async #register(work: Work): Promise<() => void> {
    const identity = workload(work.service);
    const bus = await this.#nats.connectWorkload(identity);
    const registration = {
      workload: `${work.service}-v1`,
      labels: { app: work.service, version: "v1" },
      address: "127.0.0.1",
      ports: [{ number: BENCH_PORT, protocol: "http", addressPort: this.#options.backendPort }],
      healthy: true,
      plaintext: true,
      version: "bench",
    };
    const subject = bus.subjects.registry({ verb: "heartbeat", ...identity, instance: `${work.service}-1` });
    const beat = () => bus.publish(subject, Registration, registration);
    beat();
    return systemClock.every(HEARTBEAT_MS, beat);
  }

  /** A new process each time, with nothing left of the one before. */
  async #startSidecar(identity: WorkloadUser, name: "caller" | "receiver") {
    const instance = this.#instance(name);
    this.#running.push(instance);
    return this.#processes.start(
      this.#spec(instance, "services/proxy/main.js", this.#options.cpu, {
        ...this.#login(workloadUserName(identity)),
        MESH_NAMESPACE: identity.namespace,
        MESH_SERVICE_ACCOUNT: identity.serviceAccount,
        MESH_SERVICE: identity.service,
        MESH_INSTANCE: instance,
        MESH_LABELS: `app=${identity.service},version=v1`,
        MESH_PORTS: `${BENCH_PORT}:http=127.0.0.1:${this.#options.backendPort}`,
        INBOUND_HOST: "127.0.0.1",
        OUTBOUND_PORT: "0",
        INBOUND_PORT: "0",
        ADMIN_PORT: "0",
        HEALTH_PORT: "0",
        METRICS_PORT: "0",
        DRAIN_MIN_MS: "1",
        DRAIN_MAX_MS: "1",
      }),
    );
  }

  #instance(name: "caller" | "receiver"): string {
    return `${name}-${this.#starts}`;
  }

  async #startControlPlane(): Promise<void> {
    const { otherCpu } = this.#options;
    await this.#processes.startAll([
      this.#spec("pilot", "services/pilot/main.js", otherCpu, { ...this.#login("pilot"), ADMIN_PORT: "0" }),
      this.#spec("mixer", "services/mixer/main.js", otherCpu, {
        ...this.#login("mixer"),
        REDIS_URL: this.#redis.url,
        METRICS_PORT: "0",
      }),
      this.#spec("ca", "services/ca/main.js", otherCpu, { ...this.#login("ca"), ADMIN_PORT: "0" }),
    ]);
  }

  #spec(name: string, main: string, cpu: number, env: Record<string, string>): ProcessSpec {
    const [command, args] = pinned(cpu, process.execPath, [fileURLToPath(new URL(`../../${main}`, import.meta.url))]);
    const shared = {
      NATS_URL: this.#nats.url,
      MESH_PREFIX: this.#nats.subjects.prefix,
      LATEEN_DATA_DIR: join(this.#options.workDir, name),
    };
    return { name, kind: "node", command, args, env: { ...shared, ...env } };
  }

  #login(user: string): Record<string, string> {
    return { NATS_USER: user, NATS_PASSWORD: this.#nats.password(user) };
  }
}
