import { join } from "node:path";
import {
  type BusLogin,
  type Subjects,
  standardUsers,
  type WorkloadUser,
  workloadUserName,
} from "../../../shared/wire/index.ts";
import { freePorts } from "./ports.ts";
import type { ProcessSpec } from "./processes.ts";

/** One instance of an application service with its sidecar. */
export interface Workload {
  /** Workload and instance name, such as `reviews-v1`. */
  readonly name: string;
  readonly app: "productpage" | "details" | "reviews" | "ratings";
  readonly version: string;
  readonly serviceAccount: string;
  /** What tells this version from others. */
  readonly appEnv?: Readonly<Record<string, string>>;
}

export const NAMESPACE = "default";
export const BOOKINFO_PORT = 9080;

/** Bookinfo's six workloads. Each service has an account of its own, so that none can pass for another. */
export const WORKLOADS: readonly Workload[] = [
  { name: "productpage-v1", app: "productpage", version: "v1", serviceAccount: "bookinfo-productpage" },
  { name: "details-v1", app: "details", version: "v1", serviceAccount: "bookinfo-details" },
  reviews("reviews-v1", "v1", {}),
  reviews("reviews-v2", "v2", { ENABLE_RATINGS: "true", STAR_COLOR: "black" }),
  reviews("reviews-v3", "v3", { ENABLE_RATINGS: "true", STAR_COLOR: "red" }),
  { name: "ratings-v1", app: "ratings", version: "v1", serviceAccount: "bookinfo-ratings" },
];

/** A further instance of reviews v1, which the tour lets join and leave. */
export const SECOND_REVIEWS: Workload = reviews("reviews-v1-second", "v1", {});

function reviews(name: string, version: string, appEnv: Readonly<Record<string, string>>): Workload {
  return { name, app: "reviews", version, serviceAccount: "bookinfo-reviews", appEnv };
}

export const GATEWAY = {
  namespace: "istio-system",
  serviceAccount: "istio-ingress",
  service: "istio-ingress",
} as const;
export const PILOTS = ["pilot-1", "pilot-2"] as const;
export const MIXERS = ["mixer-1", "mixer-2"] as const;
export const CA = "ca";

/** A sidecar's ports, fixed for the demo's life so that a restarted sidecar is found where it was. */
export interface SidecarPorts {
  readonly app: number;
  readonly outbound: number;
  readonly inbound: number;
  readonly admin: number;
  readonly health: number;
  readonly metrics: number;
}

export interface Topology {
  readonly subjects: Subjects;
  readonly natsUrl: string;
  readonly redisUrl: string;
  readonly gatewayUrl: string;
  readonly users: readonly BusLogin[];
  readonly operator: BusLogin;
  /** By workload name. */
  readonly sidecarPorts: ReadonlyMap<string, SidecarPorts>;
  /** In the order of starting: each stage starts when the one before it is ready. */
  readonly stages: readonly (readonly ProcessSpec[])[];
  /** What the tour starts for its second instance of reviews v1. */
  readonly second: readonly ProcessSpec[];
}

export interface TopologyOptions {
  readonly subjects: Subjects;
  /** Where compiled code lies. */
  readonly distDir: string;
  /** State, below it one directory a process. */
  readonly dataDir: string;
  /** Where the sidecars' access logs go. */
  readonly logDir: string;
  readonly natsConfigFile: string;
}

/** Plans every process of the demo, on ports that are free now. */
export async function planTopology(options: TopologyOptions): Promise<Topology> {
  const { subjects } = options;
  const workloads = [...WORKLOADS, SECOND_REVIEWS];
  const ports = await freePorts(12 + 6 * workloads.length);
  const take = () => ports.pop() ?? 0;
  const natsPort = take();
  const redisPort = take();
  const gatewayPort = take();
  const users = planUsers(subjects);
  const password = (name: string) => users.find((user) => user.user === name)?.password ?? "";
  const plan = new Planner(options, `nats://127.0.0.1:${natsPort}`, `redis://127.0.0.1:${redisPort}`, password);
  const sidecarPorts = new Map(
    workloads.map(({ name }): [string, SidecarPorts] => [
      name,
      { app: take(), outbound: take(), inbound: take(), admin: take(), health: take(), metrics: take() },
    ]),
  );
  const ofWorkload = (workload: Workload): ProcessSpec[] => {
    const own = sidecarPorts.get(workload.name);
    return own === undefined ? [] : [plan.sidecar(workload, own), plan.app(workload, own)];
  };
  return {
    subjects,
    natsUrl: plan.natsUrl,
    redisUrl: plan.redisUrl,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    users,
    operator: users.find((user) => user.account === "OPS") ?? fail("no operator"),
    sidecarPorts,
    stages: [
      [plan.nats(natsPort), plan.redis(redisPort)],
      [...PILOTS.map((name) => plan.pilot(name)), ...MIXERS.map((name) => plan.mixer(name)), plan.ca()],
      [plan.gateway(gatewayPort, take), ...WORKLOADS.flatMap(ofWorkload)],
    ],
    second: ofWorkload(SECOND_REVIEWS),
  };
}

function fail(text: string): never {
  throw new Error(text);
}

/** One user per component and workload, each with a random password; instances of one service share a user. */
function planUsers(subjects: Subjects): BusLogin[] {
  return standardUsers({ subjects, workloads: [{ ...GATEWAY, gateway: true }, ...WORKLOADS.map(workloadIdentity)] });
}

function workloadIdentity({ app, serviceAccount }: Workload): WorkloadUser {
  return { namespace: NAMESPACE, serviceAccount, service: app };
}

/** Makes the command line of each process. */
class Planner {
  readonly natsUrl: string;
  readonly redisUrl: string;
  readonly #options: TopologyOptions;
  readonly #password: (user: string) => string;

  constructor(options: TopologyOptions, natsUrl: string, redisUrl: string, password: (user: string) => string) {
    this.#options = options;
    this.natsUrl = natsUrl;
    this.redisUrl = redisUrl;
    this.#password = password;
  }

  nats(port: number): ProcessSpec {
    const args = ["-c", this.#options.natsConfigFile, "-a", "127.0.0.1", "-p", String(port)];
    return { name: "nats", kind: "server", command: "nats-server", args, env: {} };
  }

  redis(port: number): ProcessSpec {
    const args = [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      this.#options.dataDir,
    ];
    return { name: "redis", kind: "server", command: "redis-server", args, env: {} };
  }

  pilot(name: string): ProcessSpec {
    return this.#node(name, "services/pilot/main.js", [], {
      ...this.#bus("pilot"),
      REPLICA: name,
      ADMIN_PORT: "0",
    });
  }

  mixer(name: string): ProcessSpec {
    const env = { ...this.#bus("mixer"), REPLICA: name, REDIS_URL: this.redisUrl, METRICS_PORT: "0" };
    return this.#node(name, "services/mixer/main.js", [], env);
  }

  ca(): ProcessSpec {
    return this.#node(CA, "services/ca/main.js", [], { ...this.#bus("ca"), ADMIN_PORT: "0" });
  }

  gateway(port: number, takePort: () => number): ProcessSpec {
    const env = {
      ...this.#bus(workloadUserName(GATEWAY)),
      PROXY_MODE: "gateway",
      GATEWAY_PORT: String(port),
      MESH_NAMESPACE: GATEWAY.namespace,
      MESH_SERVICE_ACCOUNT: GATEWAY.serviceAccount,
      MESH_SERVICE: GATEWAY.service,
      MESH_INSTANCE: "istio-ingress-1",
      MESH_LABELS: "istio=ingressgateway",
      GATEWAY_HOST: "127.0.0.1",
      INBOUND_HOST: "127.0.0.1",
      INBOUND_PORT: String(takePort()),
      OUTBOUND_PORT: String(takePort()),
      ADMIN_PORT: String(takePort()),
      HEALTH_PORT: String(takePort()),
      METRICS_PORT: String(takePort()),
      ...CHECK_BUDGET,
    };
    return this.#node("istio-ingress", "services/proxy/main.js", [], env);
  }

  sidecar(workload: Workload, ports: SidecarPorts): ProcessSpec {
    const app = `http://127.0.0.1:${ports.app}`;
    const env = {
      ...this.#bus(workloadUserName(workloadIdentity(workload))),
      MESH_NAMESPACE: NAMESPACE,
      MESH_SERVICE_ACCOUNT: workload.serviceAccount,
      MESH_SERVICE: workload.app,
      MESH_INSTANCE: workload.name,
      MESH_WORKLOAD: `${workload.app}-${workload.version}`,
      MESH_LABELS: `app=${workload.app},version=${workload.version}`,
      MESH_PORTS: `${BOOKINFO_PORT}:http=127.0.0.1:${ports.app}`,
      HEALTH_URL: `${app}/health`,
      OUTBOUND_PORT: String(ports.outbound),
      INBOUND_HOST: "127.0.0.1",
      INBOUND_PORT: String(ports.inbound),
      ADMIN_PORT: String(ports.admin),
      HEALTH_PORT: String(ports.health),
      METRICS_PORT: String(ports.metrics),
      ACCESS_LOG: accessLogFile(this.#options.logDir, workload.name),
      ...CHECK_BUDGET,
    };
    return this.#node(sidecarName(workload), "services/proxy/main.js", [], env);
  }

  app({ name, app, version, appEnv }: Workload, ports: SidecarPorts): ProcessSpec {
    return this.#node(name, "samples/bookinfo/src/main.js", [app], {
      PORT: String(ports.app),
      SERVICE_VERSION: version,
      HTTP_PROXY: `http://127.0.0.1:${ports.outbound}`,
      ...appEnv,
    });
  }

  #bus(user: string): Record<string, string> {
    return {
      NATS_URL: this.natsUrl,
      NATS_USER: user,
      NATS_PASSWORD: this.#password(user),
      MESH_PREFIX: this.#options.subjects.prefix,
    };
  }

  #node(name: string, script: string, args: readonly string[], env: Readonly<Record<string, string>>): ProcessSpec {
    const { distDir, dataDir } = this.#options;
    const own = "NATS_URL" in env ? { ...env, LATEEN_DATA_DIR: join(dataDir, name) } : env;
    return {
      name,
      kind: "node",
      command: process.execPath,
      args: ["--enable-source-maps", join(distDir, script), ...args],
      env: own,
    };
  }
}

/** Two dozen processes share the machine: a check may have to wait for its turn on the processor. */
const CHECK_BUDGET = { CHECK_TIMEOUT_MS: "1000" };

export function sidecarName(workload: Workload): string {
  return `${workload.name}-proxy`;
}

/** The access log of a workload's sidecar. */
export function accessLogFile(logDir: string, workload: string): string {
  return join(logDir, `${workload}-access.log`);
}
