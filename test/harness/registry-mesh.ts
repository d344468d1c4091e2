import assert from "node:assert/strict";
import type { Affected } from "../../services/pilot/compile/affected.ts";
import type { CompiledTableName } from "../../services/pilot/compile/compiled-tables.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import { Registry } from "../../services/pilot/registry.ts";
import { parseSubmission } from "../../shared/model/documents.ts";
import { accepted, createKindRegistry, type ParsedResource } from "../../shared/model/index.ts";
import {
  type EndpointInput,
  GatewayConfig,
  HostsConfig,
  Registration,
  ServiceConfig,
  tableKey,
  WorkloadConfig,
} from "../../shared/wire/index.ts";
import { FakeClock } from "./fake-clock.ts";

const KINDS = createKindRegistry();
const STARTED_MS = Date.UTC(2026, 0, 1);

/** What an instance says of itself, beside its defaults. */
export interface Heard {
  readonly namespace?: string;
  readonly instance?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly gateway?: boolean;
}

/** Registry and compiler without a bus: YAML and heartbeats in, the values of the tables out. */
export class RegistryMesh {
  readonly clock = new FakeClock();
  readonly registry = new Registry({ clock: this.clock, leaseMs: 15_000, lingerMs: 0 });
  readonly compiler = new Compiler(this.registry);
  /** What the last change affected. */
  affected: Affected = { services: [], gateways: [], hosts: [], workloads: [] };
  #revision = 0;

  constructor() {
    this.registry.setConnected(true);
    this.registry.onChange(({ service, shape }) => {
      this.affected = this.compiler.serviceChanged(service, shape);
    });
  }

  hear(service: string, heard: Heard = {}): void {
    const { namespace = "default", instance = `${service}-1`, labels = { app: service }, port = 9080 } = heard;
    const ports = [{ number: port, protocol: "http", addressPort: 15_006 }];
    const registration = { labels: { ...labels }, address: "127.0.0.1", ports, healthy: true, version: "1" };
    this.registry.heard(
      { verb: "heartbeat", namespace, serviceAccount: service, service, instance },
      Registration.decode(Registration.encode({ ...registration, gateway: heard.gateway ?? false })),
    );
  }

  leave(service: string, heard: Pick<Heard, "namespace" | "instance"> = {}): void {
    const { namespace = "default", instance = `${service}-1` } = heard;
    this.registry.departed({ verb: "deregister", namespace, serviceAccount: service, service, instance });
  }

  /** Every document, each a moment after the one before; returns the revision of the last. */
  apply(yaml: string): number {
    for (const document of parseSubmission(yaml, KINDS)) {
      assert.ok(document.ok, JSON.stringify(document));
      this.put(document.parsed);
    }
    return this.#revision;
  }

  put(parsed: ParsedResource): void {
    this.#revision++;
    const created = new Date(STARTED_MS + this.#revision * 1000).toISOString();
    const known = parsed.resource.metadata.creationTimestamp;
    const resource = accepted(parsed.resource, this.#revision, known ?? created);
    this.affected = this.compiler.put({ ...parsed, resource });
  }

  /** `<kind>/<namespace>/<name>`. */
  delete(rule: string): number {
    this.affected = this.compiler.remove(rule, ++this.#revision);
    return this.#revision;
  }

  service(key: string): ServiceConfig | undefined {
    const compiled = this.compiler.compileService(key, 1);
    if (compiled === undefined) return undefined;
    const { targets: _, ...body } = compiled;
    return ServiceConfig.decode(ServiceConfig.encode(body));
  }

  endpoints(key: string): readonly EndpointInput[] {
    return this.compiler.endpoints(key);
  }

  /** `<pattern> -> <namespace>/<service>`, as a namespace sees them. */
  hosts(namespace: string): string[] {
    const value = this.value("hosts", tableKey(namespace));
    if (value === undefined) return [];
    return HostsConfig.decode(value).hosts.map((host) => `${host.pattern} -> ${host.namespace}/${host.service}`);
  }

  gateway(key: string): GatewayConfig | undefined {
    const value = this.value("gateway", key);
    return value === undefined ? undefined : GatewayConfig.decode(value);
  }

  workload(namespace: string): WorkloadConfig | undefined {
    const value = this.value("workload", tableKey(namespace));
    return value === undefined ? undefined : WorkloadConfig.decode(value);
  }

  value(table: CompiledTableName, key: string): Uint8Array | undefined {
    return this.compiler.compile(table, key)?.encode([]);
  }
}
