import {
  GatewayConfig,
  type GatewayRouteInput,
  HostsConfig,
  type Input,
  type NamedHostInput,
  parseTableKey,
  type RequirementInput,
  tableKey,
  WorkloadConfig,
} from "../../../shared/wire/index.ts";
import { type Affected, affected, merged, NOTHING } from "./affected.ts";
import type { Entries } from "./entries.ts";
import type { Gateways } from "./gateways.ts";
import type { HostTables } from "./host-tables.ts";
import { INGRESS_GATEWAY_KEY, type IngressRules } from "./ingress-rules.ts";
import { Revisions } from "./revisions.ts";
import type { RegisteredServices, ServiceSource } from "./services.ts";
import { StringIndex } from "./string-index.ts";
import type { WorkloadSettings } from "./workload-settings.ts";

/** A value of a table beside `service`. */
export interface CompiledValue {
  /** Keys in table `service` that a follower has to hold first. */
  readonly targets: readonly string[];
  /** Of these, those whose instances it chooses from itself, not by their own routes. */
  readonly direct: readonly string[];
  /** Two values of one shape may have the same requirements. */
  readonly shape: string;
  /** What the value leaves out because a message cannot take it all: to be told to people. */
  readonly left: number;
  encode(requires: readonly RequirementInput[]): Uint8Array;
}

/** Tables whose values are compiled, beside `service`; in the order in which they are written. */
export const COMPILED_TABLES = ["hosts", "gateway", "workload"] as const;
export type CompiledTableName = (typeof COMPILED_TABLES)[number];

export interface TableParts {
  readonly registry: RegisteredServices;
  readonly services: Pick<ServiceSource, "has">;
  readonly entries: Entries;
  readonly hosts: HostTables;
  readonly gateways: Gateways;
  readonly ingress: IngressRules;
  readonly settings: WorkloadSettings;
}

/** The values of tables `hosts`, `gateway` and `workload`: put together from the concerns that they are about. */
export class CompiledTables {
  readonly #parts: TableParts;
  readonly #revisions = new Revisions();
  /** Key in table `service` -> keys in table `gateway` that lead there. */
  readonly #gatewaysByTarget = new StringIndex();
  readonly #targetsOfGateway = new Map<string, readonly string[]>();
  readonly #namespaces = new Set<string>();
  /** Many namespaces see the same hosts. */
  readonly #hostsValues = new WeakMap<object, HostsValue>();

  constructor(parts: TableParts) {
    this.#parts = parts;
  }

  /** Takes over what an earlier leader wrote. */
  restore(table: CompiledTableName, key: string, value: Uint8Array): Restored {
    const restored = RESTORE[table](value);
    this.#revisions.restore(`${table} ${key}`, restored.shape, restored.revision);
    return restored;
  }

  /** A resource of this revision affects these keys. */
  touch({ hosts, gateways, workloads }: Affected, revision: number): void {
    for (const key of hosts) this.#revisions.touch(`hosts ${key}`, revision);
    for (const key of gateways) this.#revisions.touch(`gateway ${key}`, revision);
    for (const key of workloads) this.#revisions.touch(`workload ${key}`, revision);
  }

  /** The newest revision that a value contains, as it was compiled last. */
  revisionOf(table: CompiledTableName, key: string): number {
    return this.#revisions.current(`${table} ${key}`);
  }

  /** A registered service or its instances came, went or changed. */
  registryChanged(key: string): Affected {
    const { registry, gateways, entries } = this.#parts;
    const [namespace = ""] = parseTableKey(key);
    return merged(
      gateways.serviceChanged(key, registry.service(key)),
      this.#namespaceChanged(namespace),
      entries.instancesChanged(namespace),
    );
  }

  /** A service came, went or changed: gateways may lead there. */
  targetChanged(key: string): Affected {
    return affected({ gateways: [...this.#gatewaysByTarget.get(key)] });
  }

  /** All keys that there are to be in a table. */
  keys(table: CompiledTableName): string[] {
    const { gateways, settings } = this.#parts;
    switch (table) {
      case "hosts":
        return [...this.#namespaces].map((namespace) => tableKey(namespace));
      case "gateway":
        return [...new Set([INGRESS_GATEWAY_KEY, ...gateways.keys()])];
      case "workload":
        return settings.namespaces().map((namespace) => tableKey(namespace));
    }
  }

  /** Undefined when there is to be no such key. */
  compile(table: CompiledTableName, key: string): CompiledValue | undefined {
    const compiled = { hosts: this.#hosts, gateway: this.#gateway, workload: this.#workload }[table].call(this, key);
    if (compiled === undefined) this.#revisions.forget(`${table} ${key}`);
    return compiled;
  }

  #hosts(key: string): CompiledValue | undefined {
    const [namespace = ""] = parseTableKey(key);
    if (!this.#namespaces.has(namespace)) return undefined;
    const { hosts, left } = this.#parts.hosts.compile(namespace);
    if (hosts.length === 0) return undefined;
    const value = this.#hostsValues.get(hosts) ?? new HostsValue(hosts);
    this.#hostsValues.set(hosts, value);
    return this.#value("hosts", key, value.shape, (revision) => value.encode(revision), { left });
  }

  #gateway(key: string): CompiledValue | undefined {
    const { gateways, ingress, services } = this.#parts;
    const [namespace = "", name = ""] = parseTableKey(key);
    if (!gateways.has(key) && key !== INGRESS_GATEWAY_KEY) {
      this.#leadsTo(key, []);
      return undefined;
    }
    const { servers, routes: full, left } = gateways.content(key, namespace);
    const older = key === INGRESS_GATEWAY_KEY ? ingress.routes() : [];
    const named = full.flatMap(targetsOfRoute);
    this.#leadsTo(key, [...named, ...older.map(({ target }) => target)]);
    const direct = [...new Set(named)].filter((target) => services.has(target)).sort();
    const targets = [...new Set([...direct, ...older.map(({ target }) => target)])].sort();
    const body = {
      servers: [...servers],
      routes: [...full, ...older.map(({ route }) => route)],
    };
    return this.#value(
      "gateway",
      key,
      gatewayShape(body),
      (revision, requires) => GatewayConfig.encode({ namespace, name, ...body, requires: [...requires], revision }),
      { targets, direct, left },
    );
  }

  #workload(key: string): CompiledValue | undefined {
    const [namespace = ""] = parseTableKey(key);
    const body = this.#parts.settings.compile(namespace);
    if (body === undefined) return undefined;
    const value = { ...body, sidecars: [...body.sidecars] };
    return this.#value("workload", key, workloadShape(value), (revision) =>
      WorkloadConfig.encode({ ...value, revision }),
    );
  }

  #value(
    table: CompiledTableName,
    key: string,
    shape: string,
    encode: (revision: number, requires: readonly RequirementInput[]) => Uint8Array,
    { targets = [], direct = [], left = 0 }: Partial<Pick<CompiledValue, "targets" | "direct" | "left">> = {},
  ): CompiledValue {
    const revision = this.#revisions.settle(`${table} ${key}`, shape);
    return { targets, direct, shape, left, encode: (requires) => encode(revision, requires) };
  }

  #namespaceChanged(namespace: string): Affected {
    const [first] = this.#parts.registry.servicesOf(namespace);
    if ((first !== undefined) === this.#namespaces.has(namespace)) return NOTHING;
    if (first === undefined) this.#namespaces.delete(namespace);
    else this.#namespaces.add(namespace);
    return affected({ hosts: [tableKey(namespace)] });
  }

  #leadsTo(gateway: string, targets: readonly string[]): void {
    for (const target of this.#targetsOfGateway.get(gateway) ?? []) this.#gatewaysByTarget.remove(target, gateway);
    const named = [...new Set(targets)];
    for (const target of named) this.#gatewaysByTarget.add(target, gateway);
    if (named.length === 0) this.#targetsOfGateway.delete(gateway);
    else this.#targetsOfGateway.set(gateway, named);
  }
}

/** The same hosts are written for many namespaces, mostly at one revision. */
class HostsValue {
  readonly shape: string;
  readonly #hosts: readonly NamedHostInput[];
  #encoded: { readonly revision: number; readonly bytes: Uint8Array } | undefined;

  constructor(hosts: readonly NamedHostInput[]) {
    this.#hosts = hosts;
    this.shape = hostsShape({ hosts: [...hosts] });
  }

  encode(revision: number): Uint8Array {
    if (this.#encoded?.revision !== revision)
      this.#encoded = { revision, bytes: HostsConfig.encode({ hosts: [...this.#hosts], revision }) };
    return this.#encoded.bytes;
  }
}

/** What is known of a value that an earlier leader wrote. */
export interface Restored {
  readonly shape: string;
  readonly revision: number;
  readonly requires: readonly RequirementInput[];
}

const RESTORE: Readonly<Record<CompiledTableName, (value: Uint8Array) => Restored>> = {
  hosts(value) {
    const { hosts, revision } = HostsConfig.decode(value);
    return { shape: hostsShape({ hosts }), revision, requires: [] };
  },
  gateway(value) {
    const { servers, routes, revision, requires } = GatewayConfig.decode(value);
    return { shape: gatewayShape({ servers, routes }), revision, requires };
  },
  workload(value) {
    const { revision, ...body } = WorkloadConfig.decode(value);
    return { shape: workloadShape(body), revision, requires: [] };
  },
};

function hostsShape({ hosts }: Pick<Input<typeof HostsConfig>, "hosts">): string {
  return textOf(HostsConfig.encode({ hosts: hosts ?? [] }));
}

/** Two values of one shape lead to the same services. */
export function gatewayShape({ routes, servers }: Pick<Input<typeof GatewayConfig>, "routes" | "servers">): string {
  return textOf(GatewayConfig.encode({ routes: routes ?? [], servers: servers ?? [] }));
}

function workloadShape({ mesh, sidecars }: Pick<Input<typeof WorkloadConfig>, "mesh" | "sidecars">): string {
  return textOf(WorkloadConfig.encode({ mesh: mesh ?? null, sidecars: sidecars ?? [] }));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function targetsOfRoute({ route }: GatewayRouteInput): string[] {
  const named = [...(route?.destinations ?? []), ...(route?.mirrors ?? [])].map(({ destination }) => destination);
  return named.map((destination) => tableKey(destination?.namespace ?? "", destination?.service ?? ""));
}
