import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Directory } from "../../services/proxy/mesh/directory.ts";
import { type Peer, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { WorkerNotice } from "../../services/proxy/workers/messages.ts";
import { RelayedTables } from "../../services/proxy/workers/relayed-table.ts";
import { EndpointSet, type Input, ServiceConfig } from "../../shared/wire/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { silentLog } from "./log.ts";

/** A proxy's directory of services whose tables are told by hand. */
export class ToldDirectory {
  readonly told: WorkerNotice[] = [];
  readonly self: Peer;
  readonly tables;
  readonly directory: Directory;
  readonly #relayed: RelayedTables;

  /** Namespace `default` unless the proxy says otherwise. */
  constructor(self: Partial<Peer> = {}) {
    const clock = new FakeClock();
    this.self = { ...UNKNOWN_PEER, namespace: "default", ...self };
    this.#relayed = new RelayedTables((notice) => this.told.push(notice), clock, silentLog);
    this.tables = this.#relayed.tables;
    const connector = new Connector({
      connectTimeoutMs: 100,
      self: this.self,
      identity: () => undefined,
      verify: () => ({ error: "not used" }),
    });
    const { service: services, endpoints } = this.tables;
    this.directory = new Directory({ self: this.self, services, endpoints, connector, clock });
  }

  /** Keys, in the order in which they were first asked for. */
  get followed(): string[] {
    return this.told.flatMap((notice) => (notice.type === "follow" ? [notice.key] : []));
  }

  /** The last that was told of a key. */
  reason(key: string): string | undefined {
    const ids = this.told.flatMap((notice) => (notice.type === "follow" && notice.key === key ? [notice.id] : []));
    const applied = this.told.flatMap((notice) =>
      notice.type === "applied" && ids.includes(notice.id) ? [notice.applied] : [],
    );
    return applied.at(-1)?.reason;
  }

  /** A service of namespace default. */
  write(name: string, sequence: number, config: Input<typeof ServiceConfig>): void {
    const value = ServiceConfig.encode({ namespace: "default", name, ...config });
    this.update(`default.${name}`, sequence, value);
  }

  /** Without instances. */
  writeShard(name: string, shard: number, sequence: number): void {
    this.update(`default.${name}.${shard}`, sequence, EndpointSet.encode({}));
  }

  /** A key of any table; it must be followed. */
  update(key: string, sequence: number, value: Uint8Array): void {
    for (const notice of this.told) {
      if (notice.type !== "follow" || notice.key !== key) continue;
      this.#relayed.update({ id: notice.id, state: "present", epoch: 1, sequence, value });
    }
  }
}
