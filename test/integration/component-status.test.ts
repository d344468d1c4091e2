import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bus, bucketConfig, JetStream } from "../../shared/bus/index.ts";
import { ComponentStatus, ComponentStatusRequest } from "../../shared/wire/index.ts";
import { eventually } from "../harness/index.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

test("every component tells operators how it is, and what is wrong with the buckets that it lives on", async () => {
  const mesh = await SmallMesh.start([]);
  try {
    const operator = await mesh.operator();
    const found = await eventually(async () => {
      const statuses = await ask(operator);
      assert.deepEqual(statuses.map(({ role }) => role).sort(), ["ca", "pilot"]);
      assert.ok(statuses.every(({ leading }) => leading));
      return statuses;
    });
    for (const status of found) {
      assert.deepEqual(
        status.findings.filter(({ level }) => level !== "ok"),
        [],
      );
      assert.ok(Math.abs(status.nowMs - Date.now()) < 5_000);
      assert.match(status.serverVersion, /^\d+\.\d+/);
    }

    const root = await mesh.nats.connect("root");
    const bucket = { ...bucketConfig(root.subjects, "gateway"), max_age: 600_000_000_000 };
    await new JetStream(root).call(`$JS.API.STREAM.UPDATE.${bucket.name}`, bucket);
    const pilot = (await ask(operator)).find(({ role }) => role === "pilot");
    const buckets = pilot?.findings.find(({ check }) => check === "buckets");
    assert.equal(buckets?.level, "fail");
    assert.match(buckets?.text ?? "", /mesh-gateway: .*max_age/);
  } finally {
    await mesh.stop();
  }
});

function ask(operator: Bus): Promise<ComponentStatus[]> {
  return operator.gather(operator.subjects.componentStatus(), ComponentStatusRequest, {}, ComponentStatus, {
    quietMs: 500,
    maxMs: 5_000,
  });
}
