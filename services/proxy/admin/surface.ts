import { listenOn } from "../../../shared/obs/index.ts";
import type { AdminActions } from "./actions.ts";
import { buildAdmin, buildHealth, buildMetrics } from "./server.ts";
import type { Views } from "./views.ts";

export interface AdminPorts {
  readonly adminPort: number;
  readonly healthPort: number;
  readonly metricsPort: number;
}

/** The proxy's own HTTP ports: what may change something is on loopback only, the rest is for whoever asks. */
export class AdminSurface {
  readonly #servers;

  constructor(views: Views, actions: AdminActions) {
    this.#servers = {
      admin: buildAdmin(views, actions),
      health: buildHealth(() => views.state === "LIVE"),
      metrics: buildMetrics(views.stats),
    };
  }

  /** Name -> bound port. */
  async listen({ adminPort, healthPort, metricsPort }: AdminPorts): Promise<Record<string, number>> {
    const { admin, health, metrics } = this.#servers;
    return {
      admin: await listenOn(admin, "127.0.0.1", adminPort),
      health: await listenOn(health, "0.0.0.0", healthPort),
      metrics: await listenOn(metrics, "0.0.0.0", metricsPort),
    };
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#servers).map((server) => server.close()));
  }
}
