import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import type { App } from "../../shared/base/index.ts";
import { silentLog } from "./log.ts";
import type { NatsFixture } from "./nats.ts";

/** Replicas of Pilot in this process, each with a folder of its own that outlives its restarts. */
export class Pilots {
  readonly #nats: NatsFixture;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #running = new Map<string, App>();

  private constructor(nats: NatsFixture, folder: string, settings: Readonly<Record<string, string>>) {
    this.#nats = nats;
    this.#folder = folder;
    this.#settings = settings;
  }

  /** None runs yet. `settings`: of each, by the names of their environment variables. */
  static async prepare(nats: NatsFixture, settings: Readonly<Record<string, string>> = {}): Promise<Pilots> {
    return new Pilots(nats, await mkdtemp(join(tmpdir(), "lateen-pilots-")), settings);
  }

  async start(name: string): Promise<void> {
    const env = {
      NATS_URL: this.#nats.url,
      NATS_USER: "pilot",
      NATS_PASSWORD: this.#nats.password("pilot"),
      LATEEN_DATA_DIR: join(this.#folder, name),
      REPLICA: name,
      ...this.#settings,
    };
    const pilot = buildPilot(parsePilotConfig(env, []), { log: silentLog, watchdog: false });
    this.#running.set(name, pilot);
    await pilot.start();
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  /** Stops all, one after the other, and removes their folders. */
  async remove(): Promise<void> {
    for (const name of [...this.#running.keys()]) await this.stop(name);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
