import type { FollowedTable } from "../../../shared/bus/index.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { DataPlane } from "../plane/data-plane.ts";
import { certificatesView } from "./certificates-view.ts";
import { endpointsView } from "./endpoints-view.ts";
import { redacted } from "./redact.ts";
import { secretsView } from "./secrets-view.ts";
import type { StatsPage } from "./stats-page.ts";
import { trafficView } from "./traffic-view.ts";

/** Envoy's names of what a server may be doing. */
export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING";

export interface ViewSources {
  readonly stats: StatsPage;
  readonly plane: DataPlane;
  readonly followers: readonly FollowedTable[];
  readonly settings: object;
  readonly node: { readonly id: string; readonly cluster: string; readonly metadata: object };
  readonly version: string;
  readonly startedMs: number;
  readonly logLevel: () => string;
  state(): ServerState;
  certificate(): IdentityMaterial | undefined;
}

export const VIEW_NAMES = [
  "bootstrap",
  "certs",
  "clusters",
  "config_dump",
  "endpoints",
  "listeners",
  "logging",
  "mesh",
  "ready",
  "routes",
  "scope",
  "secrets",
  "server_info",
  "stats",
  "tables",
  "traffic",
] as const;

export type ViewName = (typeof VIEW_NAMES)[number];

/** What may be seen of a proxy from outside, as JSON: the same for the admin API and for `proxy.debug`. No keys, no passwords. */
export class Views {
  readonly #sources: ViewSources;

  constructor(sources: ViewSources) {
    this.#sources = sources;
  }

  async show(name: ViewName): Promise<unknown> {
    switch (name) {
      case "bootstrap":
        return { bootstrap: this.#bootstrap() };
      case "certs":
        return certificatesView(this.#sources.certificate(), Date.now());
      case "clusters":
        return { cluster_statuses: await this.#sources.plane.show("clusters") };
      case "config_dump":
        return this.#configDump();
      case "endpoints":
        return { endpoint_statuses: endpointsView(await this.#sources.plane.show("clusters")) };
      case "listeners":
        return { listener_statuses: await this.#sources.plane.show("listeners") };
      case "logging":
        return { level: this.#sources.logLevel() };
      case "mesh":
        return { mesh: (await this.#sources.plane.show("mesh")) ?? null };
      case "ready":
        return { state: this.state };
      case "routes":
        return { route_configs: await this.#sources.plane.show("routes") };
      case "scope":
        return { scope: (await this.#sources.plane.show("mesh"))?.scope ?? null };
      case "secrets":
        return { secrets: secretsView(this.#sources.certificate(), Date.now()) };
      case "server_info":
        return this.#serverInfo();
      case "stats":
        return { stats: await this.#sources.stats.values() };
      case "tables":
        return { tables: this.#tables() };
      case "traffic": {
        const { requests } = await this.#sources.plane.show("figures");
        return trafficView(requests, this.#sources.startedMs, Date.now());
      }
    }
  }

  get state(): ServerState {
    return this.#sources.state();
  }

  get stats(): StatsPage {
    return this.#sources.stats;
  }

  #serverInfo(): unknown {
    const { version, startedMs, node, plane } = this.#sources;
    const uptime = `${Math.floor((Date.now() - startedMs) / 1_000)}s`;
    return {
      version,
      state: this.state,
      uptime_current_epoch: uptime,
      uptime_all_epochs: uptime,
      workers: plane.workers,
      node,
    };
  }

  async #configDump(): Promise<unknown> {
    const { plane } = this.#sources;
    return {
      bootstrap: this.#bootstrap(),
      services: await plane.show("services"),
      mesh: (await plane.show("mesh")) ?? null,
      tables: this.#tables(),
    };
  }

  #bootstrap(): unknown {
    return redacted(this.#sources.settings);
  }

  #tables(): unknown[] {
    return this.#sources.followers.flatMap((follower) =>
      [...follower.followed].map(({ key, state, epoch, sequence, applied }) => ({
        table: follower.table,
        key,
        state,
        epoch,
        sequence,
        applied,
      })),
    );
  }
}
