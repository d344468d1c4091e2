import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Bus, connectBus } from "../../../shared/bus/index.ts";
import { createLogger } from "../../../shared/obs/index.ts";
import { natsServerConfig, Subjects } from "../../../shared/wire/index.ts";
import { ProcessGroup, type ProcessInfo } from "./processes.ts";
import { clearDemoDir, isAlive, readState, writeState } from "./state.ts";
import { planTopology, type Topology } from "./topology.ts";
import { GatewayClient } from "./tour/gateway-client.ts";
import { MeshClient } from "./tour/mesh-client.ts";
import { until } from "./tour/step.ts";
import { runTour } from "./tour/tour.ts";

export interface DemoOptions {
  /** Where the compiled code lies. */
  readonly distDir: string;
  readonly rulesDir: string;
  /** State, logs and data of this demo; wiped at each start. */
  readonly demoDir: string;
  /** The folders in which nats-server and redis-server are looked for, as in PATH. */
  readonly path: string;
}

const SERVER_UP_WITHIN_MS = 20_000;
const PAGE_WITHIN_MS = 60_000;

/** The whole system on this machine, from start to stop. */
export class Demo {
  readonly logDir: string;
  readonly #options: DemoOptions;
  #topology: Topology | undefined;
  #processes: ProcessGroup | undefined;
  #bus: Bus | undefined;
  #gateway: GatewayClient | undefined;
  #mesh: MeshClient | undefined;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.logDir = join(options.demoDir, "log");
  }

  get topology(): Topology {
    if (this.#topology === undefined) throw new Error("the demo has not started");
    return this.#topology;
  }

  get components(): readonly ProcessInfo[] {
    return this.#processes?.infos ?? [];
  }

  /** Resolves when the product page is served through the gateway. */
  async start(): Promise<void> {
    const { demoDir, distDir, rulesDir, path } = this.#options;
    const running = readState(demoDir);
    if (running !== undefined && isAlive(running.launcherPid) && running.launcherPid !== process.pid) {
      throw new Error(`a demo runs in ${demoDir} already (pid ${running.launcherPid})`);
    }
    clearDemoDir(demoDir);
    const dataDir = join(demoDir, "data");
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const subjects = new Subjects("mesh");
    const natsConfigFile = join(demoDir, "nats.conf");
    const topology = await planTopology({ subjects, distDir, dataDir, logDir: this.logDir, natsConfigFile });
    this.#topology = topology;
    const listen = topology.natsUrl.replace("nats://", "");
    const config = natsServerConfig({ subjects, listen, storeDir: join(dataDir, "nats"), users: topology.users });
    writeFileSync(natsConfigFile, config, { mode: 0o600 });

    const processes = new ProcessGroup(this.logDir, path, () => writeState(demoDir, topology, processes.infos));
    this.#processes = processes;
    const [servers = [], ...others] = topology.stages;
    await processes.startAll(servers);
    await Promise.all([accepts(topology.natsUrl), accepts(topology.redisUrl)]);
    this.#bus = await connectBus({
      servers: topology.natsUrl,
      user: topology.operator.user,
      password: topology.operator.password,
      name: "demo",
      inboxPrefix: topology.operator.inbox,
      subjects,
      log: createLogger({ component: "demo", level: "error" }),
      connectTimeoutMs: SERVER_UP_WITHIN_MS,
    });
    for (const stage of others) await processes.startAll(stage);

    this.#mesh = new MeshClient(this.#bus, rulesDir);
    await this.#mesh.applyFiles("ingress");
    this.#mesh.keepApplied();
    const gateway = new GatewayClient(topology.gatewayUrl);
    this.#gateway = gateway;
    const isWhole = async () => {
      const { status, body } = await gateway.productPage();
      return (status === 200 && body.includes("William Shakespeare") && body.includes("Reviewer1")) || undefined;
    };
    await until("the product page with details and reviews", isWhole, { withinMs: PAGE_WITHIN_MS });
  }

  /** Resolves to how many steps failed. */
  runTour(print: (line: string) => void, only: readonly number[]): Promise<number> {
    if (this.#processes === undefined || this.#mesh === undefined || this.#gateway === undefined) {
      throw new Error("the demo has not started");
    }
    return runTour(
      {
        topology: this.topology,
        logDir: this.logDir,
        processes: this.#processes,
        mesh: this.#mesh,
        gateway: this.#gateway,
      },
      print,
      only,
    );
  }

  /** Ends every process that `start` and the tour have started. */
  async stop(): Promise<void> {
    this.#gateway?.close();
    await this.#bus?.close().catch(() => undefined);
    await this.#processes?.teardown();
  }
}

/** Resolves when something accepts connections at the URL's port. */
async function accepts(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const attempt = () =>
    new Promise<true | undefined>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(undefined));
    });
  await until(`something listens at ${url}`, attempt, { withinMs: SERVER_UP_WITHIN_MS });
}
