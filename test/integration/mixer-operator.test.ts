import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Bus } from "../../shared/bus/index.ts";
import type { MixerCheckAnswer, MixerReportAnswer } from "../../shared/wire/index.ts";
import { eventually } from "../harness/index.ts";
import { MixerMesh } from "./mixer-mesh.ts";

const RULES = `
kind: denier
metadata: {name: deny}
spec: {status: {code: 7, message: Not allowed}}
---
kind: checknothing
metadata: {name: nothing}
spec: {}
---
kind: rule
metadata: {name: a-deny-v3}
spec:
  match: source.labels["version"] == "v3"
  actions: [{handler: deny.denier, instances: [nothing.checknothing]}]
---
kind: redisquota
metadata: {name: limit}
spec:
  quotas: [{name: calls.quota.default, maxAmount: 3, validDuration: 60s}]
---
kind: quota
metadata: {name: calls}
spec: {dimensions: {destination: 'destination.labels["app"] | "unknown"'}}
---
kind: rule
metadata: {name: c-limit}
spec: {actions: [{handler: limit.redisquota, instances: [calls.quota]}]}
---
kind: bus
metadata: {name: handler}
spec: {}
---
kind: metric
metadata: {name: duration}
spec: {value: response.duration | "0ms", dimensions: {path: request.path | ""}}
---
kind: rule
metadata: {name: d-tell}
spec: {actions: [{handler: handler.bus, instances: [duration.metric]}]}
`;

describe("what operators ask a Mixer", () => {
  let mesh: MixerMesh;
  let operator: Bus;
  before(async () => {
    mesh = await MixerMesh.start();
    await mesh.apply(RULES);
    await mesh.addService("default", "ratings");
    await mesh.startMixer("m1");
    operator = await mesh.nats.connect("operator");
  });
  after(() => mesh.stop());

  const check = async (request: object): Promise<MixerCheckAnswer> =>
    (await operator.requestJson(operator.subjects.mixerCheck(), request, { timeoutMs: 3_000 })) as MixerCheckAnswer;
  const attributes = (version: string) => ({
    "destination.service": "ratings.default.svc.cluster.local",
    "destination.labels": { app: "ratings" },
    "source.labels": { version },
  });

  test("whether a request would pass, and which rule and handler say so", async () => {
    const denied = await check({ attributes: attributes("v3") });
    assert.deepEqual(
      [denied.code, denied.status, denied.httpStatus, denied.message, denied.replica],
      [7, "PERMISSION_DENIED", 403, "deny.denier.default:Not allowed", "m1"],
    );
    const [rule] = denied.rules;
    assert.deepEqual([rule?.name, rule?.applies], ["a-deny-v3", true]);
    assert.deepEqual(rule?.actions, [
      {
        handler: "deny.denier.default",
        instance: "nothing.checknothing.default",
        variety: "CHECK",
        status: "PERMISSION_DENIED",
        message: "Not allowed",
      },
    ]);
    const allowed = await check({ attributes: attributes("v2") });
    assert.equal(allowed.code, 0);
    assert.deepEqual(
      allowed.rules.map(({ name, applies, why }) => [name, applies, why]),
      [
        ["a-deny-v3", false, "its condition does not hold"],
        ["c-limit", true, ""],
      ],
    );
  });

  test("a question charges no quota that it does not name", async () => {
    for (let i = 0; i < 5; i++) assert.equal((await check({ attributes: attributes("v1") })).code, 0);
    const granted = async (amount: number) =>
      (await check({ attributes: attributes("v1"), quotas: { RequestCount: amount } })).quotas[0]?.granted;
    assert.equal(await granted(2), 2);
    assert.equal(await granted(2), 0);
    assert.equal(await granted(1), 1);
  });

  test("attributes that are none, or of another type, are refused by name", async () => {
    const refusal = (given: object) =>
      check({ attributes: given }).then(
        () => "",
        (error: Error) => error.message,
      );
    assert.match(await refusal({ "source.labls": {} }), /attributes\.source\.labls: .*did you mean source\.labels/);
    assert.match(
      await refusal({ "source.ip": "10.0.0" }),
      /attributes\.source\.ip: "10\.0\.0" is not of type IP_ADDRESS/,
    );
    assert.match(await refusal({ "request.size": "big" }), /attributes\.request\.size: .*INT64/);
    assert.match(await refusal({ "request.path[x]": "/" }), /has no keys/);
    await assert.rejects(check({ attributes: {}, quotas: { RequestCount: -1 } }), /quotas\.RequestCount: -1/);
  });

  test("a report goes the way of a proxy's", async () => {
    const rows: string[] = [];
    operator.subscribe(operator.subjects.allTelemetry(), (message) => rows.push(message.text()));
    await operator.flush();
    const answer = (await operator.requestJson(
      operator.subjects.mixerReport(),
      { attributes: { ...attributes("v1"), "request.path": "/ratings/7", "response.duration": "12ms" } },
      { timeoutMs: 3_000 },
    )) as MixerReportAnswer;
    assert.deepEqual(
      answer.rules.map(({ name, actions }) => [name, actions.map(({ handler }) => handler)]),
      [["d-tell", ["handler.bus.default"]]],
    );
    const row = await eventually(() => {
      assert.equal(rows.length, 1);
      return JSON.parse(rows[0] ?? "") as { value: number; dimensions: { path: string } };
    });
    assert.deepEqual([row.value, row.dimensions.path], [12, "/ratings/7"]);
  });

  test("a workload may not ask", async () => {
    const subject = mesh.nats.subjects.mixerCheck();
    await assert.rejects(mesh.workload.requestJson(subject, { attributes: {} }, { timeoutMs: 1_000 }), {
      code: "ERR_MESH_DENIED",
    });
  });
});
