import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { IDLE_MS } from "../../services/proxy/mesh/directory.ts";
import { StateStore } from "../../services/proxy/mesh/state-store.ts";
import { systemClock } from "../../shared/base/index.ts";
import { TableFollower, TableOwner } from "../../shared/bus/index.ts";
import { eventually, FakeClock, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const workload = { namespace: "default", serviceAccount: "reviews", service: "reviews" };

describe("the state folder", () => {
  let nats: NatsFixture;
  let folder: string;
  let owner: TableOwner;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lateen-state-"));
    nats = await startNats({ workloads: [workload] });
    const bus = await nats.connectStore("pilot");
    owner = new TableOwner({ bus, table: "service", clock: systemClock, log: silentLog, onConflict: () => undefined });
    await owner.start();
    for (const key of ["default.kept", "default.forgotten"]) await owner.set(key, Uint8Array.of(1));
    owner.markComplete();
  });

  after(async () => {
    owner.stop();
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const follower = async (): Promise<TableFollower> =>
    new TableFollower({
      bus: await nats.connectWorkload(workload),
      table: "service",
      clock: systemClock,
      log: silentLog,
    });
  const keysOf = (table: TableFollower): string[] => [...table.followed].map(({ key }) => key).sort();
  const savedKeys = async (): Promise<string[]> => {
    const saved: unknown = JSON.parse(await readFile(join(folder, "tables.json"), "utf8"));
    return (saved as { key: string }[]).map(({ key }) => key).sort();
  };

  test("is as good as none when it cannot be read", async () => {
    for (const content of ["", "null", "{}", "[null]"]) {
      await writeFile(join(folder, "tables.json"), content);
      const table = await follower();
      assert.equal(await new StateStore(folder, [table], silentLog).load(), 0, content);
      table.close();
    }
  });

  test("does not have a proxy follow for ever what it once followed", async () => {
    const earlier = await follower();
    for (const key of ["default.kept", "default.forgotten"]) earlier.follow(key);
    await eventually(() => [...earlier.followed].every(({ state }) => state === "present"));
    const earlierState = new StateStore(folder, [earlier], silentLog);
    await earlierState.stop();
    earlier.close();
    assert.deepEqual(await savedKeys(), ["default.forgotten", "default.kept"]);

    const clock = new FakeClock();
    const table = await follower();
    const state = new StateStore(folder, [table], silentLog);
    assert.equal(await state.load(), 2);
    state.start(clock);
    const kept = table.follow("default.kept");
    clock.advance(IDLE_MS - 1);
    assert.deepEqual(keysOf(table), ["default.forgotten", "default.kept"], "until somebody may have asked for it");
    clock.advance(1);
    assert.deepEqual(keysOf(table), ["default.kept"]);
    await state.stop();
    assert.deepEqual(await savedKeys(), ["default.kept"]);
    kept.close();
    assert.deepEqual(keysOf(table), []);
    table.close();
  });
});
