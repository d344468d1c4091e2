import type { AppliedState, FollowState } from "../../../shared/bus/index.ts";
import type { MetricFigures } from "../../../shared/obs/index.ts";
import type { TapAnswer } from "../../../shared/wire/index.ts";
import type { ProxyConfig } from "../config.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import type { DataTable } from "../mesh/tables.ts";
import type { PlaneViewName, PlaneViews } from "../plane/data-plane.ts";
import type { SeriesFigures } from "../request-stats.ts";
import type { TapOrder } from "../tap/tap-filter.ts";

/* All that the primary and a worker say to each other. It is plain data: what has methods does not cross. */

export type BusName = "bus" | "telemetryBus";
export const BUS_NAMES: readonly BusName[] = ["bus", "telemetryBus"];

export interface StartOrder {
  /** Without the credentials of the bus. */
  readonly config: ProxyConfig;
  /** Which worker it is, from 0: whoever replaces it is the same. */
  readonly index: number;
  readonly logLevel: string;
  readonly connected: readonly BusName[];
  readonly material: IdentityMaterial;
}

/** A connection that the primary has accepted. */
export interface Delivery {
  readonly listener: string;
}

/** What one worker has counted. */
export interface WorkerFigures {
  readonly requests: readonly SeriesFigures[];
  readonly metrics: readonly MetricFigures[];
}

/** What workers show: the views of a data plane, with the figures of a process. */
export type WorkerViews = Omit<PlaneViews, "figures">;
export type WorkerViewName = Exclude<PlaneViewName, "figures">;

/** What a worker answers. */
export interface WorkerQuestions {
  readonly start: { readonly argument: StartOrder; readonly answer: Record<string, number> };
  readonly connection: { readonly argument: Delivery; readonly answer: undefined };
  readonly closeListeners: { readonly argument: string | undefined; readonly answer: undefined };
  readonly show: { readonly argument: WorkerViewName; readonly answer: WorkerViews[WorkerViewName] };
  readonly figures: { readonly argument: undefined; readonly answer: WorkerFigures };
  readonly tap: { readonly argument: TapOrder; readonly answer: TapAnswer };
  readonly stop: { readonly argument: undefined; readonly answer: undefined };
}

export interface BindOrder {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface BusQuestion {
  readonly bus: BusName;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** A message of the bus, with the headers that tell what it is. */
export interface BusAnswer {
  readonly subject: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** What the primary answers. */
export interface PrimaryQuestions {
  readonly bind: { readonly argument: BindOrder; readonly answer: number };
  readonly request: { readonly argument: BusQuestion; readonly answer: BusAnswer };
}

/** A key of a table as the primary has it. */
export interface KeyUpdate {
  /** The worker's own number of what it follows. */
  readonly id: number;
  readonly state: FollowState;
  readonly epoch: number;
  readonly sequence: number;
  readonly value: Uint8Array | undefined;
}

/** What the primary tells. */
export type PrimaryNotice =
  | { readonly type: "key"; readonly update: KeyUpdate }
  | { readonly type: "connected"; readonly bus: BusName; readonly connected: boolean }
  | { readonly type: "renew"; readonly material: IdentityMaterial }
  | { readonly type: "announceClose" }
  | { readonly type: "end" }
  | { readonly type: "logLevel"; readonly level: string };

/** What a worker tells. */
export type WorkerNotice =
  | { readonly type: "follow"; readonly id: number; readonly table: DataTable; readonly key: string }
  | { readonly type: "unfollow"; readonly id: number }
  | { readonly type: "applied"; readonly id: number; readonly applied: AppliedState };
