import type {
  Endpoint,
  GatewayConfig,
  HostsConfig,
  Plan,
  ServiceConfig,
  WorkloadConfig,
} from "../../shared/wire/index.ts";
import type { PendingRule } from "./pending.ts";

/**
 * Where an explanation takes the mesh's tables from: a running mesh, or files compiled as Pilot would compile them. It is
 * asked for what a proxy would follow, and for nothing else.
 */
export interface MeshSource {
  /** Undefined: there is no such service. */
  service(namespace: string, service: string): Promise<ServiceConfig | undefined>;
  /** Of all shards. Undefined: they are not known (files tell nothing of instances). */
  endpoints(config: ServiceConfig): Promise<readonly Endpoint[] | undefined>;
  hosts(namespace: string): Promise<HostsConfig | undefined>;
  gateway(namespace: string, name: string): Promise<GatewayConfig | undefined>;
  workload(namespace: string): Promise<WorkloadConfig | undefined>;
  /** Of one service. Undefined: it is not known. */
  plan(namespace: string, service: string): Promise<Plan | undefined>;
  /** What is accepted for any of these hosts and waits. */
  pending(hosts: readonly string[]): Promise<readonly PendingRule[]>;
}
