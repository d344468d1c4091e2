import { get } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProcessGroup, type ProcessSpec } from "../../samples/bookinfo/demo/processes.ts";
import { systemClock } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { Registration, type WorkloadUser, workloadUserName } from "../../shared/wire/index.ts";
import { type NatsFixture, type RedisFixture, startNats, startRedis } from "../../test/harness/index.ts";
import { pinned } from "../harness/measure.ts";

/*
 * The mesh around the sidecar under test: real NATS, Pilot, Mixer and CA beside it, and a service `app` with one
 * plaintext endpoint, the bench's backend. The rules give the sidecar what the other proxies do by their files: a
 * decision by the cookie and two headers.
 */
const CALLER: WorkloadUser = { namespace: "default", serviceAccount: "caller", service: "caller" };
const APP: WorkloadUser = { namespace: "default", serviceAccount: "app", service: "app" };
export const APP_PORT = 9080;
export const APP_HOST = `app:${APP_PORT}`;

const HEARTBEAT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;

const RULES = [
  rule("app-jason", 2, { request: { headers: { cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } } }),
  rule("app-default", 1, undefined),
].join("\n---\n");

function rule(name: string, precedence: number, match: object | undefined): string {
  return JSON.stringify({
    apiVersion: "config.istio.io/v1alpha2",
    kind: "RouteRule",
    metadata: { name, namespace: "default" },
    spec: {
      destination: { name: "app" },
      precedence,
      ...(match === undefined ? {} : { match }),
      route: [{ labels: { version: "v1" } }],
      appendHeaders: { "x-forwarded-proto": "http", "x-bench-rule": name },
    },
  });
}

export interface BenchMeshOptions {
  readonly workDir: string;
  /** PATH for the children. */
  readonly path: string;
  readonly backendPort: number;
  /** The sidecar's processor. */
  readonly cpu: number;
  /** Everything else's. */
  readonly otherCpu: number;
}

export class BenchMesh {
  readonly pid: number;
  readonly outboundPort: number;
  readonly #nats: NatsFixture;
  readonly #redis: RedisFixture;
  readonly #processes: ProcessGroup;
  readonly #stopHeartbeat: () => void;

  private constructor(nats: NatsFixture, redis: RedisFixture, processes: ProcessGroup, stopHeartbeat: () => void) {
    this.#nats = nats;
    this.#redis = redis;
    this.#processes = processes;
    this.#stopHeartbeat = stopHeartbeat;
    const { pid, ports } = processes.get("sidecar").info;
    this.pid = pid;
    this.outboundPort = ports["outbound"] ?? 0;
  }

  /** Resolves when the sidecar routes to the backend. */
  static async start(options: BenchMeshOptions): Promise<BenchMesh> {
    const [nats, redis] = await Promise.all([startNats({ workloads: [CALLER, APP] }), startRedis()]);
    const processes = new ProcessGroup(join(options.workDir, "log"), options.path, () => {});
    const spec = (name: string, main: string, cpu: number, env: Record<string, string>): ProcessSpec => {
      const [command, args] = pinned(cpu, process.execPath, [fileURLToPath(new URL(`../../${main}`, import.meta.url))]);
      const bus = {
        NATS_URL: nats.url,
        MESH_PREFIX: nats.subjects.prefix,
        LATEEN_DATA_DIR: join(options.workDir, name),
      };
      return { name, kind: "node", command, args, env: { ...bus, ...env } };
    };
    const user = (name: string) => ({ NATS_USER: name, NATS_PASSWORD: nats.password(name) });
    await processes.startAll([
      spec("pilot", "services/pilot/main.js", options.otherCpu, { ...user("pilot"), ADMIN_PORT: "0" }),
      spec("mixer", "services/mixer/main.js", options.otherCpu, {
        ...user("mixer"),
        REDIS_URL: redis.url,
        METRICS_PORT: "0",
      }),
      spec("ca", "services/ca/main.js", options.otherCpu, { ...user("ca"), ADMIN_PORT: "0" }),
    ]);
    await processes.start(
      spec("sidecar", "services/proxy/main.js", options.cpu, {
        ...user(workloadUserName(CALLER)),
        MESH_NAMESPACE: CALLER.namespace,
        MESH_SERVICE_ACCOUNT: CALLER.serviceAccount,
        MESH_SERVICE: CALLER.service,
        MESH_INSTANCE: "caller-1",
        MESH_LABELS: "app=caller,version=v1",
        MESH_PORTS: `${APP_PORT}:http=127.0.0.1:${options.backendPort}`,
        OUTBOUND_PORT: "0",
        INBOUND_PORT: "0",
        ADMIN_PORT: "0",
        HEALTH_PORT: "0",
        METRICS_PORT: "0",
      }),
    );
    const stopHeartbeat = await registerBackend(nats, options.backendPort);
    await applyRules(await nats.connect("operator"));
    const mesh = new BenchMesh(nats, redis, processes, stopHeartbeat);
    await mesh.#waitForRoute();
    return mesh;
  }

  async stop(): Promise<void> {
    this.#stopHeartbeat();
    await this.#processes.teardown();
    await Promise.all([this.#nats.stop(), this.#redis.stop()]);
  }

  async #waitForRoute(): Promise<void> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const status = await statusOf(this.outboundPort);
      if (status === 200) return;
      if (performance.now() > deadline) throw new Error(`the sidecar does not route to ${APP_HOST}: ${status}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Asks as the application would; `fetch` sends no Host of one's own. */
function statusOf(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/", headers: { host: APP_HOST }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", () => resolve(undefined));
  });
}

/** What a workload's agent would send: the backend as an instance without a sidecar. */
async function registerBackend(nats: NatsFixture, port: number): Promise<() => void> {
  const bus = await nats.connectWorkload(APP);
  const registration = {
    workload: "app-v1",
    labels: { app: "app", version: "v1" },
    address: "127.0.0.1",
    ports: [{ number: APP_PORT, protocol: "http", addressPort: port }],
    healthy: true,
    plaintext: true,
    version: "bench",
  };
  const { namespace, serviceAccount, service } = APP;
  const beat = () => {
    const subject = bus.subjects.registry({ verb: "heartbeat", namespace, serviceAccount, service, instance: "app-1" });
    bus.publish(subject, Registration, registration);
  };
  beat();
  return systemClock.every(HEARTBEAT_MS, beat);
}

async function applyRules(operator: Bus): Promise<void> {
  const answer = await operator.requestJson(operator.subjects.config("apply"), RULES, {
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
  const { results } = answer as { results: { outcome: string; errors: unknown }[] };
  const refused = results.filter(({ outcome }) => outcome === "rejected");
  if (refused.length > 0) throw new Error(`rules were rejected: ${JSON.stringify(refused)}`);
}
