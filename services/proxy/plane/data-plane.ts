import type { MetricFigures } from "../../../shared/obs/index.ts";
import type { TapAnswer } from "../../../shared/wire/index.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { SeriesFigures } from "../request-stats.ts";
import type { TapOrder } from "../tap/tap-filter.ts";
import type { MeshView } from "./mesh-view.ts";
import type { RouteConfigView } from "./route-views.ts";
import type { ClusterView, ListenerView, ServiceView } from "./views.ts";

/** All that has been counted. */
export interface Figures {
  readonly requests: readonly SeriesFigures[];
  /** The metrics of other processes than this one. */
  readonly processes: readonly (readonly MetricFigures[])[];
}

export interface WorkerView {
  readonly pid: number;
  readonly uptime: string;
  /** Given to it so far. */
  readonly connections: number;
  /** How often it has been replaced. */
  readonly restarts: number;
}

/** What can be seen of a data plane, by name. */
export interface PlaneViews {
  readonly clusters: readonly ClusterView[];
  readonly listeners: readonly ListenerView[];
  readonly services: readonly ServiceView[];
  readonly routes: readonly RouteConfigView[];
  /** Undefined: nobody can tell yet. */
  readonly mesh: MeshView | undefined;
  readonly figures: Figures;
}

export type PlaneViewName = keyof PlaneViews;

/**
 * The half of a proxy that carries requests, as the half sees it that talks to the control plane: one in the same process,
 * or several workers. It knows no bus, no certificates' making, no registry.
 */
export interface DataPlane {
  /** Takes requests once it resolves; name of a listener -> bound port. */
  start(material: IdentityMaterial): Promise<Record<string, number>>;
  /** The certificate has changed. */
  renew(material: IdentityMaterial): void;
  /** From now on every answer says `Connection: close`. */
  announceClose(): void;
  /** No new connections; those that there are end after their request. `name`: only of that listener. */
  closeListeners(name?: string): Promise<void>;
  show<N extends PlaneViewName>(name: N): Promise<PlaneViews[N]>;
  /** What a watcher of live requests has not seen yet. */
  tap(order: TapOrder): Promise<TapAnswer>;
  /** Other processes that it consists of. */
  readonly workers: readonly WorkerView[];
  /** Lets everything go and delivers the last reports; the listeners are closed by then. */
  stop(): Promise<void>;
}
