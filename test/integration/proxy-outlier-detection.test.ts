import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TrafficPolicyInput } from "../../shared/wire/index.ts";
import { type Application, answering } from "../harness/application.ts";
import { eventually, FakeClock, freePort } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";

/** Ejection by what instances really answer; only the clock is the test's. */

const { proxy, application } = proxyFixture();

type Outlier = NonNullable<TrafficPolicyInput["outlierDetection"]>;

/** No panic, so that who is out gets nothing. */
const policyOf = (outlierDetection: Outlier): TrafficPolicyInput => ({ panicPercent: -1, outlierDetection });
const several = (count: number): Promise<Application[]> =>
  Promise.all(Array.from({ length: count }, () => application()));

describe("ejection", () => {
  test("takes a failing instance out by its answers, and lets it back after its time", async () => {
    const clock = new FakeClock();
    const [bad, good] = [await application(answering(500)), await application()];
    const policy = { outlierDetection: { consecutive_5xx: 3, intervalMs: 1_000, baseEjectionMs: 5_000 } };
    const caller = await proxy({ instances: [bad.port, good.port], policy, clock });
    for (let i = 0; i < 6; i++) await caller.call();
    assert.equal(bad.received.length, 3);
    for (let i = 0; i < 6; i++) assert.equal((await caller.call()).status, 200);
    bad.respond = answering(200);
    clock.advance(5_000);
    for (let i = 0; i < 6; i++) await caller.call();
    assert.equal(bad.received.length, 6);
  });

  test("lasts longer with each time, up to the longest", async () => {
    const clock = new FakeClock();
    const [bad, good] = [await application(answering(500)), await application()];
    const times = { intervalMs: 1_000, baseEjectionMs: 5_000, maxEjectionMs: 12_000 };
    const caller = await proxy({
      instances: [bad.port, good.port],
      policy: policyOf({ consecutive_5xx: 1, ...times }),
      clock,
    });
    const [host] = caller.cluster.hosts;
    for (const termMs of [5_000, 10_000, 12_000]) {
      await eventually(async () => {
        await caller.call();
        return host?.ejected === true;
      });
      clock.advance(termMs - 1_000);
      assert.equal(host?.ejected, true, `before ${termMs} ms`);
      clock.advance(1_000);
      assert.equal(host?.ejected, false, `after ${termMs} ms`);
    }
  });

  test("counts connections that fail and tries that take too long as gateway failures", async () => {
    const [good, slow] = [await application(), await application(() => undefined)];
    const policy = policyOf({ consecutiveGatewayFailure: 2, maxEjectionPercent: 100 });
    const caller = await proxy({
      instances: [await freePort(), slow.port, good.port],
      policy,
      clock: new FakeClock(),
      route: { retry: { attempts: 2, perTryTimeoutMs: 40 } },
    });
    await eventually(async () => {
      await caller.call();
      return caller.cluster.hosts.filter((host) => host.ejected).length === 2;
    });
    const before = slow.received.length;
    for (let i = 0; i < 4; i++) assert.equal((await caller.call()).status, 200);
    assert.equal(slow.received.length, before);
  });

  test("takes no more than its share of the instances, but one always", async () => {
    for (const [maxEjectionPercent, ejected] of [
      [10, 1],
      [50, 2],
    ] as const) {
      const apps = await several(4);
      for (const app of apps.slice(0, 3)) app.respond = answering(500);
      const instances = apps.map(({ port }) => port);
      const policy = policyOf({ consecutive_5xx: 1, maxEjectionPercent });
      const caller = await proxy({ instances, policy, clock: new FakeClock() });
      for (let i = 0; i < 16; i++) await caller.call();
      assert.equal(caller.cluster.hosts.filter((host) => host.ejected).length, ejected);
    }
  });

  test("takes nobody while fewer are healthy than the minimum", async () => {
    const [bad, good] = [await application(answering(500)), await application()];
    const instances = [bad.port, good.port, { port: await freePort(), healthy: false }];
    const policy = policyOf({ consecutive_5xx: 1, maxEjectionPercent: 100, minHealthPercent: 70 });
    const caller = await proxy({ instances, policy, clock: new FakeClock() });
    for (let i = 0; i < 6; i++) await caller.call();
    assert.equal(bad.received.length, 3);
    caller.use(instances.slice(0, 2));
    for (let i = 0; i < 6; i++) await caller.call();
    assert.equal(bad.received.length, 4, "with both healthy the first failure is enough");
  });

  test("takes out whose success rate is far below the others'", async () => {
    const clock = new FakeClock();
    const apps = await several(5);
    const [bad] = apps;
    assert.ok(bad !== undefined);
    // Never two failures in a row: no other detector would see it.
    bad.respond = () => (bad.received.length % 2 === 0 ? { status: 500 } : { body: "ok" });
    const policy = policyOf({
      intervalMs: 1_000,
      successRateStdevFactor: 1.9,
      successRateMinimumHosts: 5,
      successRateRequestVolume: 10,
    });
    const caller = await proxy({ instances: apps.map(({ port }) => port), policy, clock });
    for (let i = 0; i < 60; i++) await caller.call();
    assert.deepEqual(
      caller.cluster.hosts.map((host) => host.ejected),
      [false, false, false, false, false],
      "judged at the interval only",
    );
    clock.advance(1_000);
    assert.deepEqual(
      caller.cluster.hosts.map((host) => host.ejected),
      [true, false, false, false, false],
    );
    const before = bad.received.length;
    for (let i = 0; i < 8; i++) assert.equal((await caller.call()).status, 200);
    assert.equal(bad.received.length, before);
  });
});
