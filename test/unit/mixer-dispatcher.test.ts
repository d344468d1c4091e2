import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMixerUnderTest, reportRow } from "./mixer-config.ts";

const DENIALS = `
kind: denier
metadata: {name: first, namespace: istio-system}
spec: {status: {code: 7, message: no}}
---
kind: denier
metadata: {name: second, namespace: default}
spec: {status: {code: 5, message: neither}}
---
kind: checknothing
metadata: {name: nothing, namespace: istio-system}
spec: {}
---
kind: checknothing
metadata: {name: nothing, namespace: default}
spec: {}
---
kind: rule
metadata: {name: z-rule, namespace: istio-system}
spec:
  match: source.labels["version"] == "v3"
  actions: [{handler: first.denier, instances: [nothing.checknothing]}]
---
kind: rule
metadata: {name: a-rule, namespace: default}
spec:
  match: request.headers["x-user"] | "" == ""
  actions: [{handler: second.denier, instances: [nothing.checknothing]}]
`;

describe("a check", () => {
  test("that no rule looks at is allowed for 10 s or 200 uses", async () => {
    const mixer = createMixerUnderTest("");
    const answer = await mixer.check({ "context.protocol": "http" });
    assert.deepEqual([answer.code, answer.validMs, answer.validUses], [0, 10_000, 200]);
  });

  test("takes the code of the first refusal, mesh-wide rules first, and names every refusal", async () => {
    const mixer = createMixerUnderTest(DENIALS);
    const [first, second] = ["first.denier.istio-system", "second.denier.default"].map((name) =>
      mixer.handlers.get(name),
    );
    assert.ok(first && second);
    first.answer = { code: 7, message: "no", validMs: 3000, validUses: 50 };
    second.answer = { code: 5, message: "neither", validMs: 9000, validUses: 10 };
    const answer = await mixer.check({ "source.labels[version]": "v3" });
    assert.equal(answer.code, 7);
    assert.equal(answer.message, "first.denier.istio-system:no, second.denier.default:neither");
    assert.deepEqual([answer.validMs, answer.validUses], [3000, 10]);
  });

  test("says what it looked at, and what it missed", async () => {
    const mixer = createMixerUnderTest(DENIALS);
    const answer = await mixer.check({ "source.labels[version]": "v2", "request.headers[x-user]": "jason" });
    assert.equal(answer.code, 0);
    const seen = new Map(answer.referenced.map(({ attribute, absent }) => [attribute, absent]));
    assert.equal(seen.get("source.labels[version]"), false);
    assert.equal(seen.get("request.headers[x-user]"), false);
    const anonymous = await mixer.check({ "source.labels[version]": "v2" });
    assert.equal(
      new Map(anonymous.referenced.map((item) => [item.attribute, item.absent])).get("request.headers[x-user]"),
      true,
    );
  });

  test("passes a rule by whose condition lacks an attribute, and counts it", async () => {
    const mixer = createMixerUnderTest(DENIALS);
    const answer = await mixer.check({ "request.headers[x-user]": "jason" });
    assert.equal(answer.code, 0);
    assert.deepEqual(mixer.events, ["match_error"]);
  });

  test("fails when a handler fails", async () => {
    const mixer = createMixerUnderTest(DENIALS);
    const handler = mixer.handlers.get("second.denier.default");
    assert.ok(handler);
    handler.failure = new Error("boom");
    await assert.rejects(
      mixer.check({ "source.labels[version]": "v2" }),
      /performing check operation failed: second.denier.default: boom/,
    );
  });

  test("of TCP sees only rules for TCP", async () => {
    const mixer = createMixerUnderTest(DENIALS);
    const answer = await mixer.check({ "context.protocol": "tcp", "source.labels[version]": "v3" });
    assert.equal(answer.code, 0);
  });
});

const QUOTA = `
kind: memquota
metadata: {name: handler, namespace: istio-system}
spec: {quotas: [{name: requestcount.quota.istio-system, maxAmount: 10, validDuration: 1s}]}
---
kind: quota
metadata: {name: requestcount, namespace: istio-system}
spec: {dimensions: {source: 'source.labels["app"] | "unknown"'}}
---
kind: rule
metadata: {name: quota, namespace: istio-system}
spec: {actions: [{handler: handler.memquota, instances: [requestcount.quota]}]}
`;

describe("a quota", () => {
  const quotas = [{ quota: "RequestCount", amount: 3, bestEffort: false }];

  test("is charged under the caller's deduplication id and the quota's name", async () => {
    const mixer = createMixerUnderTest(QUOTA);
    const answer = await mixer.check({}, { quotas, deduplicationId: "abc" });
    assert.deepEqual(answer.quotas, [{ quota: "RequestCount", granted: 3, validMs: 1000 }]);
    const [ask] = mixer.handlers.get("handler.memquota.istio-system")?.asks ?? [];
    assert.deepEqual(ask?.deduplication, { caller: "default/sa/proxy", id: "abcRequestCount" });
    assert.equal(ask?.instance, "requestcount.quota.istio-system");
    assert.equal(ask?.dimensions.get("source")?.value, "unknown");
  });

  test("that is used up is named in the message", async () => {
    const mixer = createMixerUnderTest(QUOTA);
    const handler = mixer.handlers.get("handler.memquota.istio-system");
    assert.ok(handler);
    handler.granted = 0;
    const answer = await mixer.check({}, { quotas });
    assert.equal(answer.code, 0);
    assert.equal(answer.message, "Quota is exhausted for: RequestCount");
    assert.equal(answer.quotas[0]?.granted, 0);
  });

  test("is not charged when the precondition is refused", async () => {
    const mixer = createMixerUnderTest(`${QUOTA}---${DENIALS}`);
    const denier = mixer.handlers.get("first.denier.istio-system");
    assert.ok(denier);
    denier.answer = { code: 7, message: "no", validMs: 1, validUses: 1 };
    await mixer.check({ "source.labels[version]": "v3", "request.headers[x-user]": "jason" }, { quotas });
    assert.equal(mixer.handlers.get("handler.memquota.istio-system")?.asks.length, 0);
  });

  test("that no rule counts is granted in full", async () => {
    const mixer = createMixerUnderTest("");
    const answer = await mixer.check({}, { quotas });
    assert.deepEqual(answer.quotas, [{ quota: "RequestCount", granted: 3, validMs: 10_000 }]);
  });

  test("whose handler fails grants nothing", async () => {
    const mixer = createMixerUnderTest(QUOTA);
    const handler = mixer.handlers.get("handler.memquota.istio-system");
    assert.ok(handler);
    handler.failure = new Error("boom");
    const answer = await mixer.check({}, { quotas });
    assert.equal(answer.quotas[0]?.granted, 0);
    assert.deepEqual(mixer.events, ["handler_error"]);
  });
});

const REPORTS = `
kind: bus
metadata: {name: handler, namespace: istio-system}
spec: {}
---
kind: metric
metadata: {name: count, namespace: istio-system}
spec: {value: "1", dimensions: {code: response.code | 200}}
---
kind: metric
metadata: {name: duration, namespace: istio-system}
spec: {value: 'response.duration | "10ms"', dimensions: {}}
---
kind: logentry
metadata: {name: log, namespace: istio-system}
spec: {severity: '"Default"', timestamp: request.time, variables: {path: request.path | ""}}
---
kind: rule
metadata: {name: all, namespace: istio-system}
spec: {actions: [{handler: handler.bus, instances: [count.metric, duration.metric, log.logentry]}]}
`;

describe("a report", () => {
  test("of merged requests goes to the metrics that can be summed", () => {
    const mixer = createMixerUnderTest(REPORTS);
    const merged = { "response.duration": { count: 3, sum: 42, bounds: [5, 20], buckets: [1, 1, 1] } };
    mixer.report(reportRow({ "response.code": 500 }, 5, merged));
    const items = mixer.handlers.get("handler.bus.istio-system")?.items ?? [];
    assert.deepEqual(
      items.map((item) => item.instance),
      ["count.metric.istio-system", "duration.metric.istio-system"],
    );
    const [count, duration] = items;
    assert.ok(count?.template === "metric" && duration?.template === "metric");
    assert.deepEqual([count.sample.count, count.sample.sum, count.dimensions.get("code")?.value], [5, 5, 500]);
    assert.deepEqual([duration.sample.count, duration.sample.sum], [5, 62]);
    assert.deepEqual(duration.sample.histogram, { bounds: [5, 20], counts: [1, 3, 1] });
  });

  test("of one request goes to the log, at the time that the entry names", () => {
    const mixer = createMixerUnderTest(REPORTS);
    mixer.report(reportRow({ "request.path": "/ratings/0", "request.time": 1234.5 }), { each: true });
    const items = mixer.handlers.get("handler.bus.istio-system")?.items ?? [];
    assert.deepEqual(
      items.map((item) => [item.instance, item.timeMs]),
      [["log.logentry.istio-system", 1234.5]],
    );
  });

  test("of the client's side counts only where the destination has no proxy", () => {
    const mixer = createMixerUnderTest(REPORTS);
    mixer.meshed.add("ratings.default.svc.cluster.local");
    mixer.report(reportRow({ "destination.service": "ratings.default.svc.cluster.local" }), { outbound: true });
    assert.equal(mixer.handlers.get("handler.bus.istio-system")?.items.length, 0);
    mixer.report(reportRow({ "destination.service": "example.com" }), { outbound: true });
    assert.equal(mixer.handlers.get("handler.bus.istio-system")?.items.length, 2);
  });
});

describe("a snapshot", () => {
  test("keeps a handler whose parameters stay, and replaces one whose parameters change", () => {
    const mixer = createMixerUnderTest(QUOTA);
    const before = mixer.handlers.get("handler.memquota.istio-system");
    mixer.feed.apply(DENIALS);
    mixer.swap();
    assert.equal(mixer.handlers.get("handler.memquota.istio-system"), before);
    mixer.feed.apply(QUOTA.replace("maxAmount: 10", "maxAmount: 11"));
    mixer.swap();
    assert.notEqual(mixer.handlers.get("handler.memquota.istio-system"), before);
    assert.equal(before?.closed, true);
  });

  test("leaves out what is broken and keeps the rest", async () => {
    const mixer = createMixerUnderTest(`${DENIALS}---
kind: rule
metadata: {name: broken, namespace: default}
spec: {match: 'no.such.attribute == "x"', actions: [{handler: second.denier, instances: [nothing.checknothing]}]}
---
kind: rule
metadata: {name: dangling, namespace: default}
spec: {actions: [{handler: gone.denier, instances: [nothing.checknothing]}]}
`);
    const faults = mixer.swap();
    assert.equal(faults.length, 2);
    assert.match(faults.map((fault) => fault.reason).join("\n"), /no\.such\.attribute[\s\S]*gone\.denier\.default/);
    const answer = await mixer.check({ "source.labels[version]": "v3", "request.headers[x-user]": "jason" });
    assert.equal(mixer.handlers.get("first.denier.istio-system")?.checks.length, 1);
    assert.equal(answer.validMs, 5000);
  });

  test("drops a handler that fails to be made, with its actions, and says so", async () => {
    const mixer = createMixerUnderTest(DENIALS, (name) => {
      if (name.startsWith("first")) throw new Error("cannot");
      return { name, check: () => ({ code: 5, message: "neither", validMs: 1, validUses: 1 }), close: () => {} };
    });
    assert.equal(mixer.holder.broken, 1);
    assert.equal((await mixer.check({ "source.labels[version]": "v3" })).message, "second.denier.default:neither");
  });
});
