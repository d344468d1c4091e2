import { type Bus, directGet } from "../../shared/bus/index.ts";
import {
  type Endpoint,
  EndpointSet,
  GatewayConfig,
  HostsConfig,
  type MessageType,
  Plan,
  ServiceConfig,
  type Table,
  tableKey,
  WorkloadConfig,
} from "../../shared/wire/index.ts";
import type { MeshSource } from "./mesh-source.ts";

/** The tables of a running mesh, read as proxies read them: one key each, from the bucket itself. */
export class LiveSource implements MeshSource {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  service(namespace: string, service: string): Promise<ServiceConfig | undefined> {
    return this.#read("service", tableKey(namespace, service), ServiceConfig);
  }

  async endpoints({ namespace, name, endpointShards }: ServiceConfig): Promise<readonly Endpoint[]> {
    const shards = Array.from({ length: endpointShards }, (_, shard) =>
      this.#read("endpoints", tableKey(namespace, name, String(shard)), EndpointSet),
    );
    return (await Promise.all(shards)).flatMap((set) => set?.endpoints ?? []);
  }

  hosts(namespace: string): Promise<HostsConfig | undefined> {
    return this.#read("hosts", tableKey(namespace), HostsConfig);
  }

  gateway(namespace: string, name: string): Promise<GatewayConfig | undefined> {
    return this.#read("gateway", tableKey(namespace, name), GatewayConfig);
  }

  workload(namespace: string): Promise<WorkloadConfig | undefined> {
    return this.#read("workload", tableKey(namespace), WorkloadConfig);
  }

  async plan(namespace: string, service: string): Promise<Plan | undefined> {
    return (
      (await this.#read("plan", tableKey(namespace, service), Plan)) ?? (await this.#read("plan", "default", Plan))
    );
  }

  async #read<T, I>(table: Table, key: string, type: MessageType<T, I>): Promise<T | undefined> {
    const found = await directGet(this.#bus, table, key);
    return found?.kind === "value" ? type.decode(found.value) : undefined;
  }
}
