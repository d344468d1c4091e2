import assert from "node:assert/strict";
import { test } from "node:test";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { DEFAULT_HTTP1 } from "../../services/proxy/codec/http1-settings.ts";
import { Directory } from "../../services/proxy/mesh/directory.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { WorkerNotice } from "../../services/proxy/workers/messages.ts";
import { RelayedTables } from "../../services/proxy/workers/relayed-table.ts";
import { ServiceConfig } from "../../shared/wire/index.ts";
import { FakeClock, silentLog } from "../harness/index.ts";

test("a service that has been let go takes no part in what becomes of it, whoever follows it on", () => {
  const told: WorkerNotice[] = [];
  const clock = new FakeClock();
  const relayed = new RelayedTables((notice) => told.push(notice), clock, silentLog);
  const { tables } = relayed;
  const connector = new Connector({
    connectTimeoutMs: 100,
    self: UNKNOWN_PEER,
    limits: DEFAULT_HTTP1,
    identity: () => undefined,
    verify: () => ({ error: "not used" }),
  });
  const directory = new Directory({
    self: UNKNOWN_PEER,
    services: tables.service,
    endpoints: tables.endpoints,
    connector,
    clock,
  });
  const write = (sequence: number, destination: string): void => {
    const destinations = [{ destination: { namespace: "default", service: destination }, weight: 100 }];
    const value = ServiceConfig.encode({ namespace: "default", name: "api", routes: [{ rule: "one", destinations }] });
    relayed.update({ id: 1, state: "present", epoch: 1, sequence, value });
  };
  const followed = (): string[] => told.flatMap((notice) => (notice.type === "follow" ? [notice.key] : []));
  directory.entry("default", "api");
  const another = tables.service.follow("default.api");
  write(1, "first");
  assert.deepEqual(followed(), ["default.api", "default.first"]);
  directory.close();
  write(2, "second");
  assert.deepEqual(followed(), ["default.api", "default.first"]);
  another.close();
});
