import type { Clock } from "../../../shared/base/index.ts";
import { type Bus, type FollowedTable, TableFollower } from "../../../shared/bus/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import {
  EndpointSet,
  GatewayConfig,
  HostsConfig,
  Plan,
  ServiceConfig,
  WorkloadConfig,
} from "../../../shared/wire/index.ts";

/** The tables that requests are carried by. */
export const DATA_TABLES = ["service", "endpoints", "hosts", "gateway", "workload", "plan"] as const;

export type DataTable = (typeof DATA_TABLES)[number];
export type DataTables = Readonly<Record<DataTable, FollowedTable>>;

/** What a proxy follows, by the table's name. */
export type Tables = Readonly<Record<DataTable | "trust", TableFollower>>;

/** `name`: the proxy's, in logs. */
export function followTables(options: { bus: Bus; clock: Clock; log: Logger; name: string }): Tables {
  // What cannot be read is refused here, so that it is neither adopted nor saved.
  const follow = (table: keyof Tables, decode?: (value: Uint8Array) => unknown): TableFollower =>
    new TableFollower({ ...options, table, ...(decode !== undefined && { decode }) });
  return {
    service: follow("service", ServiceConfig.decode),
    endpoints: follow("endpoints", EndpointSet.decode),
    hosts: follow("hosts", HostsConfig.decode),
    gateway: follow("gateway", GatewayConfig.decode),
    workload: follow("workload", WorkloadConfig.decode),
    plan: follow("plan", Plan.decode),
    trust: follow("trust"),
  };
}
