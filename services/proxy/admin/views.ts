import type { TableFollower } from "../../../shared/bus/index.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { Listeners } from "../listeners.ts";
import type { Directory } from "../mesh/directory.ts";
import { certificatesView } from "./certificates-view.ts";
import { redacted } from "./redact.ts";
import type { StatsPage } from "./stats-page.ts";

/** Envoy's names of what a server may be doing. */
export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING";

export interface ViewSources {
  readonly stats: StatsPage;
  readonly directory: Directory;
  /** Of the application's own ports. */
  readonly applications: () => Iterable<Cluster>;
  readonly listeners: Listeners;
  readonly followers: readonly TableFollower[];
  readonly settings: object;
  readonly node: { readonly id: string; readonly cluster: string; readonly metadata: object };
  readonly version: string;
  readonly startedMs: number;
  readonly logLevel: () => string;
  state(): ServerState;
  certificate(): IdentityMaterial | undefined;
}

export const VIEW_NAMES = [
  "certs",
  "clusters",
  "config_dump",
  "listeners",
  "logging",
  "ready",
  "server_info",
  "stats",
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
      case "certs":
        return certificatesView(this.#sources.certificate(), Date.now());
      case "clusters":
        return { cluster_statuses: [...this.#clusters()].map(clusterView) };
      case "config_dump":
        return this.#configDump();
      case "listeners":
        return { listener_statuses: this.#listeners() };
      case "logging":
        return { level: this.#sources.logLevel() };
      case "ready":
        return { state: this.state };
      case "server_info":
        return this.#serverInfo();
      case "stats":
        return { stats: await this.#sources.stats.values() };
    }
  }

  get state(): ServerState {
    return this.#sources.state();
  }

  get stats(): StatsPage {
    return this.#sources.stats;
  }

  *#clusters(): Iterable<Cluster> {
    yield* this.#sources.applications();
    yield* this.#sources.directory.clusters();
  }

  #listeners(): unknown[] {
    return this.#sources.listeners.active.map(({ name, address, port, listener }) => ({
      name,
      local_address: { socket_address: { address, port_value: port } },
      connections: listener.connections,
    }));
  }

  #serverInfo(): unknown {
    const { version, startedMs, node } = this.#sources;
    const uptime = `${Math.floor((Date.now() - startedMs) / 1_000)}s`;
    return { version, state: this.state, uptime_current_epoch: uptime, uptime_all_epochs: uptime, node };
  }

  #configDump(): unknown {
    const { directory, followers, settings } = this.#sources;
    return {
      bootstrap: redacted(settings),
      services: [...directory.entries].map((entry) => ({
        service: `${entry.name}.${entry.namespace}`,
        state: entry.follow.state,
        applied: entry.follow.applied,
        config: entry.snapshot?.config ?? null,
      })),
      tables: followers.flatMap((follower) =>
        [...follower.followed].map(({ key, state, epoch, sequence, applied }) => ({
          table: follower.table,
          key,
          state,
          epoch,
          sequence,
          applied,
        })),
      ),
    };
  }
}

export interface ClusterView {
  readonly name: string;
  readonly load_balancing: string;
  readonly host_statuses: readonly HostView[];
}

export interface HostView {
  readonly instance: string;
  readonly address: string;
  /** Service port to the port to connect to. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: string;
  readonly weight: number;
  readonly healthy: boolean;
  /** Why it gets no requests. */
  readonly health_flags: readonly string[];
  readonly active_requests: number;
  readonly connections: number;
}

function clusterView(cluster: Cluster): ClusterView {
  return {
    name: cluster.name,
    load_balancing: cluster.policy.loadBalancing,
    host_statuses: cluster.hosts.map((host) => ({
      instance: host.peer.instance,
      address: host.peer.ip,
      ports: Object.fromEntries([...host.ports].map(([number, { port }]) => [number, port])),
      labels: host.peer.labels,
      locality: host.locality,
      weight: host.weight,
      healthy: host.available,
      health_flags: [
        ...(host.healthy ? [] : ["failed_registry_health"]),
        ...(host.checkFailed ? ["failed_active_hc"] : []),
        ...(host.ejected ? ["failed_outlier_check"] : []),
      ],
      active_requests: host.activeRequests,
      connections: host.connections,
    })),
  };
}
