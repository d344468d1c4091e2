import assert from "node:assert/strict";
import { type Affected, merged, NOTHING } from "../../services/pilot/compile/affected.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import type { Oddity } from "../../services/pilot/compile/concern.ts";
import { parseSubmission } from "../../shared/model/documents.ts";
import {
  accepted,
  createKindRegistry,
  formatKey,
  keyOf,
  type Labels,
  type ParsedResource,
  serviceHost,
} from "../../shared/model/index.ts";
import { ServiceConfig, tableKey } from "../../shared/wire/index.ts";

const KINDS = createKindRegistry();

/** A registry that is only a table: `name.namespace` -> label sets of its instances. */
export class ServiceTable {
  readonly instances = new Map<string, Labels[]>();
  /** Keys of those that are gateways. */
  readonly gateways = new Set<string>();
  ports = [{ number: 9080, protocol: "http" }];

  /** `name` or `name.namespace`; returns its key. */
  add(service: string, ...labels: Labels[]): string {
    const [name = "", namespace = "default"] = service.split(".");
    const key = tableKey(namespace, name);
    this.instances.set(key, [...(this.instances.get(key) ?? []), ...labels]);
    return key;
  }

  keys(): Iterable<string> {
    return this.instances.keys();
  }

  namespaces(): Iterable<string> {
    return new Set([...this.keys()].map((key) => key.split(".")[0] ?? ""));
  }

  *servicesOf(namespace: string) {
    for (const key of this.keys()) {
      const service = this.service(key);
      if (service?.namespace === namespace) yield service;
    }
  }

  has(key: string): boolean {
    return this.instances.has(key);
  }

  service(key: string) {
    if (!this.has(key)) return undefined;
    const [namespace = "", name = ""] = key.split(".");
    const principals = [`spiffe://cluster.local/ns/${namespace}/sa/${name}`];
    const endpoints = (this.instances.get(key) ?? []).map((labels, i) => ({ instance: `${name}-${i}`, labels }));
    return { namespace, name, ports: this.ports, principals, endpoints, gateway: this.gateways.has(key) };
  }

  carries(key: string, labels: Labels): boolean {
    const wanted = Object.entries(labels);
    const fits = (has: Labels) => wanted.every(([name, value]) => has[name] === value);
    return this.has(key) && (wanted.length === 0 || (this.instances.get(key) ?? []).some(fits));
  }
}

/** Resources as people write them, through the compiler, to what proxies read. */
export class CompiledMesh {
  readonly table: ServiceTable;
  readonly compiler: Compiler;
  /** Every version, the newest last. */
  readonly #history = new Map<string, ParsedResource[]>();
  readonly #keepsHistory: boolean;
  #revision: number;

  constructor(table = new ServiceTable(), revision = 0, keepsHistory = true) {
    this.table = table;
    this.#revision = revision;
    this.#keepsHistory = keepsHistory;
    this.compiler = new Compiler(table, {
      findRevision: (rule, wanted) =>
        this.#keepsHistory
          ? this.#history.get(rule)?.find(({ resource }) => resource.metadata.resourceVersion === String(wanted))
          : undefined,
    });
  }

  get revision(): number {
    return this.#revision;
  }

  /** Documents become resources, each at a revision and a time of its own unless given; what they affect together. */
  apply(yaml: string, createdAt?: string, revision?: number): Affected {
    const results = parseSubmission(yaml, KINDS).map((document) => {
      assert.ok(document.ok, JSON.stringify(document));
      const { parsed } = document;
      const rule = formatKey(keyOf(parsed.resource));
      const versions = this.#history.get(rule) ?? [];
      this.#revision = revision ?? this.#revision + 1;
      const created =
        versions[0]?.resource.metadata.creationTimestamp ?? createdAt ?? new Date(this.#revision).toISOString();
      const version = { ...parsed, resource: accepted(parsed.resource, this.#revision, created) };
      this.#history.set(rule, [...versions, version]);
      return this.compiler.put(version);
    });
    return merged(NOTHING, ...results);
  }

  /** What is odd about documents that are not applied yet. */
  oddities(yaml: string): Oddity[] {
    return parseSubmission(yaml, KINDS).flatMap((document) => {
      assert.ok(document.ok, JSON.stringify(document));
      return this.compiler.odditiesOf(document.parsed);
    });
  }

  delete(rule: string): Affected {
    this.#history.delete(rule);
    return this.compiler.remove(rule, ++this.#revision);
  }

  /** A service of the registry changed, as `name` or `name.namespace`. */
  add(service: string, ...labels: Labels[]): Affected {
    const isNew = !this.table.has(keyOfName(service));
    return this.compiler.serviceChanged(this.table.add(service, ...labels), isNew);
  }

  /** The same for a gateway. */
  addGateway(service: string, labels: Labels): Affected {
    this.table.gateways.add(keyOfName(service));
    return this.add(service, labels);
  }

  /** The compiled value of a service, as a proxy reads it; `name`, `name.namespace` or a key. */
  config(service: string): ServiceConfig {
    const config = this.bytes(service);
    assert.ok(config, `nobody knows ${service}`);
    return ServiceConfig.decode(config);
  }

  bytes(service: string): Uint8Array | undefined {
    const key = this.compiler.services.service(service) === undefined ? keyOfName(service) : service;
    const compiled = this.compiler.compileService(key, 1);
    if (compiled === undefined) return undefined;
    const { targets: _, ...config } = compiled;
    return ServiceConfig.encode(config);
  }

  /** The compiled value of a gateway, `name.namespace`. */
  gateway(service: string): Uint8Array {
    const value = this.compiler.compile("gateway", keyOfName(service));
    assert.ok(value, `no gateway ${service}`);
    return value.encode([]);
  }

  /** Another leader, which has read what this one wrote about these services and gateways, and the newest resources. */
  successor(services: readonly string[], keepsHistory = true, gateways: readonly string[] = []): CompiledMesh {
    const next = new CompiledMesh(this.table, this.#revision, keepsHistory);
    for (const gateway of gateways) next.compiler.restore("gateway", keyOfName(gateway), this.gateway(gateway));
    for (const key of this.table.keys()) next.compiler.serviceChanged(key, true);
    for (const service of services) next.compiler.restoreService(keyOfName(service), this.config(service));
    for (const [rule, versions] of this.#history) next.#history.set(rule, versions);
    for (const rule of [...this.#history.keys()].sort()) {
      const newest = this.#history.get(rule)?.at(-1);
      if (newest !== undefined) next.compiler.put(newest);
    }
    return next;
  }
}

function keyOfName(service: string): string {
  const [name = "", namespace = "default"] = service.split(".");
  return tableKey(namespace, name);
}

/** `reviews` as rules name it in full. */
export function fullHost(service: string): string {
  const [name = "", namespace = "default"] = service.split(".");
  return serviceHost({ namespace, service: name });
}
