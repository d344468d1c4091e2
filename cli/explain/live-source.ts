import { ConfigClient } from "../../client/config-client.ts";
import { type Bus, directGet } from "../../shared/bus/index.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, formatKey, type JsonValue, type ParsedResource } from "../../shared/model/index.ts";
import { POLICY_KINDS } from "../../shared/policy/index.ts";
import {
  type Endpoint,
  EndpointSet,
  GatewayConfig,
  HostsConfig,
  type MessageType,
  type PendingResource,
  Plan,
  ServiceConfig,
  type Table,
  tableKey,
  WorkloadConfig,
} from "../../shared/wire/index.ts";
import { listPending } from "../registry-client.ts";
import type { MeshSource } from "./mesh-source.ts";
import { concerns, type PendingRule } from "./pending.ts";
import { unlessSilent } from "./silence.ts";

/** Of more waiting rules nobody is told whether they are for a host. */
const MAX_PENDING = 50;

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

  /** Pilot knows; while none answers, none is told of. */
  async pending(hosts: readonly string[]): Promise<readonly PendingRule[]> {
    const waiting = await listPending(this.#bus).catch(unlessSilent);
    const known = await Promise.all((waiting ?? []).slice(0, MAX_PENDING).map((each) => this.#resource(each)));
    return known.flatMap(({ pending, parsed }) => {
      const { kind, namespace, name, reason } = pending;
      const isOfHosts = parsed === undefined || concerns(parsed, hosts);
      return isOfHosts ? [{ rule: formatKey({ kind, namespace, name }), reason }] : [];
    });
  }

  /** Without `parsed` where the resource has gone meanwhile. */
  async #resource(pending: PendingResource): Promise<{ pending: PendingResource; parsed: ParsedResource | undefined }> {
    const { kind, namespace, name } = pending;
    const found = await new ConfigClient(this.#bus).get({ kind, namespace, name }).catch(unlessSilent);
    const document = found && parseResource(found as unknown as JsonValue, createKindRegistry(POLICY_KINDS));
    return { pending, parsed: document?.ok ? document.parsed : undefined };
  }

  async #read<T, I>(table: Table, key: string, type: MessageType<T, I>): Promise<T | undefined> {
    const found = await directGet(this.#bus, table, key);
    return found?.kind === "value" ? type.decode(found.value) : undefined;
  }
}
