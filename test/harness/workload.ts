import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type { SmallMesh } from "./small-mesh.ts";

const SIDECAR = fileURLToPath(new URL("../../services/proxy/main.js", import.meta.url));
const APPLICATION = fileURLToPath(new URL("echo-main.js", import.meta.url));
/** Of the service that it serves. */
const SERVICE_PORT = 9080;

/** A busy machine may take its time. */
const START_WITHIN_MS = 60_000;

/** One instance of a service as it runs in production: an application and its sidecar, each a process. */
export class Workload {
  readonly instance: string;
  readonly #mesh: SmallMesh;
  readonly #service: string;
  readonly #env: Readonly<Record<string, string>>;
  #application: Child | undefined;
  #sidecar: Child | undefined;
  #ports: Readonly<Record<string, number>> = {};

  /** `env`: settings of the sidecar beside those of the mesh. */
  constructor(mesh: SmallMesh, service: string, instance: string, env: Readonly<Record<string, string>> = {}) {
    this.#mesh = mesh;
    this.#service = service;
    this.instance = instance;
    this.#env = env;
  }

  /** Resolves when both are ready; leaves nothing behind when they are not to be. */
  async start(): Promise<this> {
    try {
      await this.#launch();
    } catch (error) {
      await Promise.all([this.#sidecar?.kill(), this.#application?.kill()]);
      throw error;
    }
    return this;
  }

  async #launch(): Promise<void> {
    this.#application = new Child(process.execPath, [APPLICATION], { INSTANCE: this.instance });
    const application = await portsOf(this.#application);
    const settings = this.#mesh.settings(this.#service, {
      ...this.#env,
      MESH_INSTANCE: this.instance,
      MESH_PORTS: `${SERVICE_PORT}:http=127.0.0.1:${application["http"]}`,
    });
    this.#sidecar = new Child(process.execPath, [SIDECAR], { ...settings });
    this.#ports = await portsOf(this.#sidecar);
  }

  /** Asks the sidecar's admin API. */
  admin(path: string, method = "GET"): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#ports["admin"]}${path}`, { method });
  }

  /** Whether the sidecar has ended by itself, as well as one can. */
  get quit(): boolean {
    return this.#sidecar?.running === false && this.#sidecar.process.exitCode === 0;
  }

  /** SIGTERM to the sidecar, and to the application when that has drained; throws when either ends in another way. */
  async stop(): Promise<void> {
    const ended: Child[] = [];
    for (const child of [this.#sidecar, this.#application]) {
      if (child === undefined || !child.running) continue;
      await child.kill("SIGTERM");
      ended.push(child);
    }
    const bad = ended.find((child) => child.process.exitCode !== 0);
    if (bad !== undefined) throw new Error(`${this.instance} ended badly:\n${bad.output}`);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}

/** From the line that a process prints when it is ready. */
async function portsOf(child: Child): Promise<Readonly<Record<string, number>>> {
  const [line] = await child.waitFor(/^\{"ready":true.*\}$/m, START_WITHIN_MS);
  return (JSON.parse(line) as { ports: Record<string, number> }).ports;
}
