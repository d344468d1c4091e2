import assert from "node:assert/strict";
import { Broadcaster } from "../../services/pilot/broadcaster.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import { EndpointShards } from "../../services/pilot/endpoint-shards.ts";
import { Registry } from "../../services/pilot/registry.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, type JsonObject } from "../../shared/model/index.ts";
import { Registration, type RegistryVerb, ServiceConfig } from "../../shared/wire/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { silentLog } from "./log.ts";

/** A table in memory that notes every write in a log shared by all tables. */
export class FakeTable {
  readonly values = new Map<string, { bytes: Uint8Array; sequence: number }>();
  readonly failing = new Set<string>();
  readonly #name: string;
  readonly #log: string[];
  #sequence = 0;

  constructor(name: string, log: string[]) {
    this.#name = name;
    this.#log = log;
  }

  async set(key: string, bytes: Uint8Array): Promise<void> {
    if (this.failing.has(key)) throw new Error("refused");
    const before = this.values.get(key)?.bytes;
    if (before !== undefined && Buffer.compare(before, bytes) === 0) return;
    this.values.set(key, { bytes: Uint8Array.from(bytes), sequence: ++this.#sequence });
    this.#log.push(`${this.#name} ${key}`);
  }

  async remove(key: string): Promise<void> {
    if (this.values.delete(key)) this.#log.push(`remove ${this.#name} ${key}`);
  }

  position(key: string): { epoch: number; sequence: number } | undefined {
    const value = this.values.get(key);
    return value === undefined ? undefined : { epoch: 1, sequence: value.sequence };
  }
}

/** A broadcaster with everything around it but the bus. */
export class BroadcastFixture {
  readonly clock = new FakeClock();
  readonly writes: string[] = [];
  readonly registry = new Registry({ clock: this.clock, leaseMs: 15_000, lingerMs: 0 });
  readonly compiler = new Compiler(this.registry);
  readonly tables = {
    service: new FakeTable("service", this.writes),
    endpoints: new FakeTable("endpoints", this.writes),
    gateway: new FakeTable("gateway", this.writes),
    hosts: new FakeTable("hosts", this.writes),
    workload: new FakeTable("workload", this.writes),
  };
  readonly shards = new EndpointShards({
    clock: this.clock,
    log: silentLog,
    table: this.tables.endpoints,
    endpoints: (key) => this.compiler.endpoints(key),
    onGrown: () => undefined,
  });
  readonly broadcaster = new Broadcaster({
    clock: this.clock,
    log: silentLog,
    compiler: this.compiler,
    shards: this.shards,
    tables: this.tables,
  });
  #revision = 0;

  constructor() {
    this.registry.setConnected(true);
    this.shards.begin();
    this.registry.onChange(({ service, shape, instances }) => {
      if (this.registry.has(service)) this.shards.touch(service, instances);
      this.broadcaster.changed(this.compiler.serviceChanged(service, shape));
    });
  }

  hear(service: string, version: string, verb: RegistryVerb = "heartbeat"): void {
    const address = { verb, namespace: "default", serviceAccount: service, service, instance: `${service}-${version}` };
    if (verb === "deregister") this.registry.departed(address);
    else {
      const ports = [{ number: 9080, protocol: "http", addressPort: 1 }];
      this.registry.heard(
        address,
        Registration.decode(Registration.encode({ labels: { version }, address: "127.0.0.1", ports })),
      );
    }
  }

  /** Heard of for longer than a lease: from then on the registry believes that who is silent is gone. */
  beat(...services: string[]): void {
    for (let second = 0; second < 16; second++) {
      this.clock.advance(1000);
      for (const service of services) this.hear(service, "v1");
      this.registry.tick();
    }
  }

  rule(name: string, spec: JsonObject): void {
    const resourceVersion = String(++this.#revision);
    const metadata = { name, namespace: "default", resourceVersion };
    const judged = parseResource(
      { apiVersion: "config.istio.io/v1alpha2", kind: "RouteRule", metadata, spec },
      createKindRegistry(),
    );
    assert.ok(judged.ok);
    this.broadcaster.configChanged(`routerule.default.${name}`, this.#revision, this.compiler.put(judged.parsed));
  }

  config(service: string): ServiceConfig {
    return ServiceConfig.decode(this.tables.service.values.get(`default.${service}`)?.bytes ?? new Uint8Array());
  }
}
