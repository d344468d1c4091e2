import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import type { App } from "../../shared/base/index.ts";
import { silentLog } from "./log.ts";
import type { NatsFixture } from "./nats.ts";

/** A real Pilot in this process, with a folder of its own that outlives restarts. */
export class PilotFixture {
  readonly folder: string;
  readonly #nats: NatsFixture;
  #app: App | undefined;

  constructor(nats: NatsFixture, folder: string) {
    this.#nats = nats;
    this.folder = folder;
  }

  async start(): Promise<void> {
    const config = parsePilotConfig(
      {
        NATS_URL: this.#nats.url,
        NATS_USER: "pilot",
        NATS_PASSWORD: this.#nats.password("pilot"),
        LATEEN_DATA_DIR: join(this.folder, "pilot"),
        METRICS_PORT: "0",
      },
      [],
    );
    this.#app = buildPilot(config, { log: silentLog, watchdog: false });
    await this.#app.start();
  }

  async stop(): Promise<void> {
    await this.#app?.stop();
    this.#app = undefined;
  }

  /** Stops it and removes its folder. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export async function startPilot(nats: NatsFixture): Promise<PilotFixture> {
  const pilot = new PilotFixture(nats, await mkdtemp(join(tmpdir(), "lateen-pilot-")));
  await pilot.start();
  return pilot;
}
