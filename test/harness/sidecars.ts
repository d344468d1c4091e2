import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCa } from "../../services/ca/app.ts";
import { parseCaConfig } from "../../services/ca/config.ts";
import { buildProxy } from "../../services/proxy/app.ts";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { type App, systemClock } from "../../shared/base/index.ts";
import { TableOwner } from "../../shared/bus/index.ts";
import {
  EndpointSet,
  type Input,
  Plan,
  ServiceConfig,
  type Table,
  tableKey,
  type WorkloadUser,
  workloadUserName,
} from "../../shared/wire/index.ts";
import { silentLog } from "./log.ts";
import { type NatsFixture, startNats } from "./nats.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface SidecarOptions {
  readonly service: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly instance?: string;
  /** Settings by the names of their environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running sidecar. */
export class Sidecar {
  readonly app: App;
  readonly service: string;
  readonly instance: string;
  readonly stateDir: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(
    app: App,
    options: { service: string; instance: string; stateDir: string },
    ports: Readonly<Record<string, number>>,
  ) {
    this.app = app;
    this.service = options.service;
    this.instance = options.instance;
    this.stateDir = options.stateDir;
    this.ports = ports;
  }

  port(name: string): number {
    const port = this.ports[name];
    if (port === undefined) throw new Error(`no port ${name}`);
    return port;
  }

  /** As the application does it: a request to the outbound listener for the host that the authority names. */
  call(
    authority: string,
    path = "/",
    options: { method?: string; body?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = request({
        host: "127.0.0.1",
        port: this.port("outbound"),
        path,
        method: options.method ?? "GET",
        headers: { host: authority, ...options.headers },
        agent: this.#agent,
      });
      call.on("error", reject);
      call.on("response", (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      call.end(options.body);
    });
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.app.stop();
  }
}

export interface SidecarMeshOptions {
  readonly workloads: readonly WorkloadUser[];
}

/** A real bus and CA, the tables written by hand, and sidecars of the product. */
export class SidecarMesh {
  readonly nats: NatsFixture;
  readonly folder: string;
  readonly #owners = new Map<Table, TableOwner>();
  readonly #sidecars = new Set<Sidecar>();
  #ca: App | undefined;

  constructor(nats: NatsFixture, folder: string) {
    this.nats = nats;
    this.folder = folder;
  }

  async startCa(): Promise<void> {
    this.#ca = buildCa(
      parseCaConfig({ ...this.#login("ca"), LATEEN_DATA_DIR: join(this.folder, "ca"), LOG_LEVEL: "error" }, []),
    );
    await this.#ca.start();
  }

  async stopCa(): Promise<void> {
    await this.#ca?.stop();
    this.#ca = undefined;
  }

  async startTables(): Promise<void> {
    const [pilot, mixer] = [await this.nats.connectStore("pilot"), await this.nats.connectStore("mixer")];
    for (const table of ["service", "endpoints", "hosts", "gateway", "workload", "plan"] as const) {
      const bus = table === "plan" ? mixer : pilot;
      const owner = new TableOwner({ bus, table, clock: systemClock, log: silentLog, onConflict: () => undefined });
      await owner.start();
      this.#owners.set(table, owner);
    }
    await this.write("plan", "default", Plan.encode({ revision: 1 }));
    for (const owner of this.#owners.values()) owner.markComplete();
  }

  async write(table: Table, key: string, value: Uint8Array): Promise<void> {
    await this.#owners.get(table)?.set(key, value);
  }

  async remove(table: Table, key: string): Promise<void> {
    await this.#owners.get(table)?.remove(key);
  }

  /** A service of namespace default with one route to all of its instances, unless `config` says otherwise. */
  async writeService(name: string, config: Input<typeof ServiceConfig> = {}): Promise<void> {
    const value = ServiceConfig.encode({
      namespace: "default",
      name,
      host: `${name}.default.svc.cluster.local`,
      ports: [{ number: 9080, protocol: "http" }],
      serviceAccounts: [`spiffe://cluster.local/ns/default/sa/${name}`],
      endpointShards: 1,
      routes: [
        {
          rule: "default",
          destinations: [{ destination: { namespace: "default", service: name }, weight: 100 }],
          timeout: { timeoutMs: 15_000 },
        },
      ],
      revision: 1,
      ...config,
    });
    await this.write("service", tableKey("default", name), value);
  }

  /** Instance 1 of a service, an application without a sidecar. */
  async writeApplication(name: string, port: number): Promise<void> {
    const endpoint = {
      instance: `${name}-1`,
      address: "127.0.0.1",
      ports: [{ number: 9080, protocol: "http", addressPort: port }],
      healthy: true,
      plaintext: true,
    };
    await this.write("endpoints", tableKey("default", name, "0"), EndpointSet.encode({ endpoints: [endpoint] }));
  }

  /** The instances of a service: these sidecars. */
  async writeEndpoints(name: string, sidecars: readonly Sidecar[]): Promise<void> {
    const endpoints = sidecars.map((sidecar) => ({
      instance: sidecar.instance,
      workload: `${sidecar.service}-v1`,
      principal: `spiffe://cluster.local/ns/default/sa/${sidecar.service}`,
      address: "127.0.0.1",
      ports: [{ number: 9080, protocol: "http", addressPort: sidecar.port("inbound") }],
      labels: { app: sidecar.service, version: "v1" },
      healthy: true,
    }));
    await this.write("endpoints", tableKey("default", name, "0"), EndpointSet.encode({ endpoints }));
  }

  /** What a sidecar is started with. */
  settings({ service, namespace = "default", instance = `${service}-1`, env }: SidecarOptions): Record<string, string> {
    return {
      ...this.#login(workloadUserName({ namespace, serviceAccount: service, service })),
      MESH_NAMESPACE: namespace,
      MESH_SERVICE_ACCOUNT: service,
      MESH_SERVICE: service,
      MESH_INSTANCE: instance,
      MESH_LABELS: `app=${service},version=v1`,
      LATEEN_DATA_DIR: join(this.folder, `${namespace}-${instance}`),
      LOG_LEVEL: "error",
      OUTBOUND_PORT: "0",
      INBOUND_PORT: "0",
      INBOUND_HOST: "127.0.0.1",
      ADMIN_PORT: "0",
      HEALTH_PORT: "0",
      METRICS_PORT: "0",
      DRAIN_MIN_MS: "1",
      DRAIN_MAX_MS: "1",
      ...env,
    };
  }

  async startSidecar(options: SidecarOptions): Promise<Sidecar> {
    const settings = this.settings(options);
    const app = buildProxy(parseProxyConfig(settings, []));
    const ports = (await app.start()) as Readonly<Record<string, number>>;
    const { MESH_INSTANCE: instance = "", LATEEN_DATA_DIR: stateDir = "" } = settings;
    const sidecar = new Sidecar(app, { service: options.service, instance, stateDir }, ports);
    this.#sidecars.add(sidecar);
    return sidecar;
  }

  async stopSidecar(sidecar: Sidecar): Promise<void> {
    this.#sidecars.delete(sidecar);
    await sidecar.stop();
  }

  async stop(): Promise<void> {
    for (const sidecar of [...this.#sidecars]) await this.stopSidecar(sidecar);
    for (const owner of this.#owners.values()) owner.stop();
    await this.stopCa();
    await this.nats.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #login(user: string): Record<string, string> {
    return { NATS_URL: this.nats.url, NATS_USER: user, NATS_PASSWORD: this.nats.password(user) };
  }
}

export async function startSidecarMesh(options: SidecarMeshOptions): Promise<SidecarMesh> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-sidecars-"));
  const mesh = new SidecarMesh(await startNats({ workloads: options.workloads }), folder);
  await mesh.startTables();
  await mesh.startCa();
  return mesh;
}
