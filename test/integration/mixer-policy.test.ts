import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../shared/base/index.ts";
import { TableFollower } from "../../shared/bus/index.ts";
import { Plan, SyncReply, SyncRequest } from "../../shared/wire/index.ts";
import { eventually, silentLog } from "../harness/index.ts";
import { MixerMesh } from "./mixer-mesh.ts";

const DENY_V3 = `
kind: denier
metadata: {name: denyreviewsv3handler}
spec: {status: {code: 7, message: Not allowed}}
---
kind: checknothing
metadata: {name: denyreviewsv3request}
spec: {}
---
kind: rule
metadata: {name: denyreviewsv3}
spec:
  match: destination.labels["app"] == "ratings" && source.labels["version"] == "v3"
  actions: [{handler: denyreviewsv3handler.denier, instances: [denyreviewsv3request.checknothing]}]
`;

const redisQuota = (name: string, limit: string, onError = "OPEN") => `
kind: redisquota
metadata: {name: ${name}, namespace: istio-system}
spec:
  onError: ${onError}
  quotas: [{name: ${name}.quota.istio-system, ${limit}}]
---
kind: quota
metadata: {name: ${name}, namespace: istio-system}
spec: {dimensions: {destination: 'destination.labels["app"] | "unknown"'}}
---
kind: rule
metadata: {name: quota, namespace: istio-system}
spec: {actions: [{handler: ${name}.redisquota, instances: [${name}.quota]}]}
`;
const FIXED = "maxAmount: 20, validDuration: 60s, rateLimitAlgorithm: FIXED_WINDOW";
const ROLLING = "maxAmount: 20, validDuration: 60s, bucketDuration: 1s, rateLimitAlgorithm: ROLLING_WINDOW";

describe("two Mixers", () => {
  let mesh: MixerMesh;
  before(async () => {
    mesh = await MixerMesh.start();
    await mesh.apply(DENY_V3);
    await mesh.addService("default", "ratings");
    await Promise.all([mesh.startMixer("m1"), mesh.startMixer("m2")]);
  });
  after(() => mesh.stop());

  const attributes = (version: string) => ({
    "destination.labels[app]": { string: "ratings" },
    "source.labels[version]": { string: version },
  });
  const one = (planRevision: number, more: object = {}) => ({
    planRevision,
    attributes: attributes("v1"),
    quotas: [{ quota: "RequestCount", amount: 1, bestEffort: false }],
    ...more,
  });

  test("answer a check with what it depends on", async () => {
    const denied = await mesh.check({ planRevision: mesh.revision, attributes: attributes("v3") });
    assert.deepEqual([denied.code, denied.message], [7, "denyreviewsv3handler.denier.default:Not allowed"]);
    assert.deepEqual([denied.validMs, denied.validUses], [5000, 1000]);
    const references = denied.referenced.map((item) => item.attribute);
    assert.ok(references.includes("source.labels[version]") && references.includes("destination.labels[app]"));
    const allowed = await mesh.check({ planRevision: mesh.revision, attributes: attributes("v2") });
    assert.deepEqual([allowed.code, allowed.validMs, allowed.validUses], [0, 10_000, 200]);
  });

  test("refuse a check whose answer is to go elsewhere than to its sender", async () => {
    const subject = mesh.nats.subjects.policyCheck({ namespace: "default", serviceAccount: "other", proxy: "p" });
    await assert.rejects(mesh.workload.requestJson(subject, {}, { timeoutMs: 300 }));
  });

  test("wait for the configuration that a plan was made from, and give up in time", async () => {
    const next = mesh.check({ planRevision: mesh.revision + 1, attributes: attributes("v3") });
    await mesh.remove("rule", "default", "denyreviewsv3");
    assert.equal((await next).code, 0, "judged by the configuration that came meanwhile");
    const started = performance.now();
    await assert.rejects(mesh.check({ planRevision: mesh.revision + 5, attributes: {} }), /has not arrived/);
    assert.ok(performance.now() - started < 1000);
    await mesh.apply(DENY_V3);
  });

  test("broadcast a plan for each service, and the leader tells which a rule is in", async () => {
    const follower = new TableFollower({ bus: mesh.workload, table: "plan", clock: systemClock, log: silentLog });
    const follow = follower.follow("default.ratings");
    const read = () => Plan.decode(follow.value ?? new Uint8Array());
    await eventually(() => read().revision === mesh.revision);
    assert.deepEqual(read().check?.attributes, [
      "context.protocol",
      "destination.labels[app]",
      "source.labels[version]",
    ]);
    const everybody = follower.follow("default");
    await eventually(() => everybody.state === "present");
    await mesh.addService("other", "x");
    const late = follower.follow("other.x");
    await eventually(() => late.state === "present");
    assert.equal(Plan.decode(late.value ?? new Uint8Array()).check, null);
    const operator = await mesh.nats.connect("operator");
    const key = mesh.nats.subjects.configKey("rule", "default", "denyreviewsv3");
    const answers = await operator.gather(mesh.nats.subjects.sync("config", key), SyncRequest, {}, SyncReply);
    assert.equal(answers.length, 1);
    assert.equal(answers[0]?.owner, true);
    assert.equal(answers[0]?.revision, mesh.revision);
    assert.deepEqual(answers[0]?.touched.map((item) => item.key).sort(), ["default", "default.ratings"]);
    await mesh.removeService("other", "x");
    await eventually(() => late.state === "absent");
    follower.close();
  });

  for (const [name, limit] of [
    ["fixed", FIXED],
    ["rolling", ROLLING],
  ] as const) {
    test(`grant exactly 20 of 40 from one Redis window (${name})`, async () => {
      const revision = await mesh.apply(redisQuota(name, limit));
      const answers = await Promise.all(Array.from({ length: 40 }, () => mesh.check(one(revision))));
      const granted = answers.reduce((total, answer) => total + (answer.quotas[0]?.granted ?? 0), 0);
      assert.equal(granted, 20);
      const refused = answers.filter((answer) => answer.quotas[0]?.granted === 0);
      assert.equal(refused.length, 20);
      assert.ok(
        refused.every((answer) => answer.code === 0 && answer.message === "Quota is exhausted for: RequestCount"),
      );
    });
  }

  test("charge a repeated request once, whichever of them it reaches", async () => {
    const revision = await mesh.apply(redisQuota("dedup", FIXED));
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => mesh.check(one(revision, { deduplicationId: "the-same" }))),
    );
    assert.ok(answers.every((answer) => answer.quotas[0]?.granted === 1));
    const rest = await Promise.all(
      Array.from({ length: 30 }, (_, i) => mesh.check(one(revision, { deduplicationId: `other-${i}` }))),
    );
    assert.equal(
      rest.reduce((total, answer) => total + (answer.quotas[0]?.granted ?? 0), 0),
      19,
    );
  });

  test("grant the best they can when asked to", async () => {
    const revision = await mesh.apply(redisQuota("effort", FIXED));
    const quotas = [{ quota: "RequestCount", amount: 15, bestEffort: true }];
    const granted = [];
    for (let i = 0; i < 3; i++) granted.push((await mesh.check({ ...one(revision), quotas })).quotas[0]?.granted);
    assert.deepEqual(granted, [15, 5, 0]);
  });

  test("follow the declared mode within the budget when Redis hangs or is gone, and come back", async () => {
    const open = await mesh.apply(redisQuota("loss", FIXED, "OPEN"));
    assert.equal((await mesh.check(one(open))).quotas[0]?.granted, 1);
    mesh.redis.pause();
    for (let i = 0; i < 10; i++) {
      const started = performance.now();
      assert.equal((await mesh.check(one(open))).quotas[0]?.granted, 1);
      assert.ok(performance.now() - started < 150, "hanging");
    }
    mesh.redis.resume();
    await mesh.redis.kill();
    const closed = await mesh.apply(redisQuota("loss", FIXED, "CLOSED"));
    const started = performance.now();
    assert.equal((await mesh.check(one(closed))).quotas[0]?.granted, 0);
    assert.ok(performance.now() - started < 150, "gone");
    await mesh.redis.restart();
    await eventually(async () => (await mesh.check(one(closed))).quotas[0]?.granted === 1);
  });
});
