import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answering } from "../harness/application.ts";
import { eventually, FakeClock, freePort } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";

const { proxy, application } = proxyFixture();

describe("active health checks", () => {
  const check = { intervalMs: 1_000, timeoutMs: 10_000, unhealthyThreshold: 2, healthyThreshold: 2 };

  const round = async (clock: FakeClock, checked: () => boolean): Promise<void> => {
    clock.advance(1_200);
    await eventually(checked);
  };

  test("ask for a path: failures in a row take an instance out, successes in a row bring it back", async () => {
    const clock = new FakeClock();
    const [ill, well] = [await application(answering(404)), await application()];
    const policy = { healthCheck: { ...check, httpPath: "/health" } };
    const caller = await proxy({ instances: [ill.port, well.port], policy, clock });
    const [host] = caller.cluster.hosts;
    assert.ok(host !== undefined);
    await round(clock, () => ill.received.length === 1 && well.received.length === 1);
    await eventually(() => {
      clock.advance(200);
      return host.checkFailed;
    });
    assert.equal(ill.received.length, 2, "one failure is not enough");
    assert.ok(ill.received.every(({ url }) => url === "/health"));
    for (let i = 0; i < 4; i++) assert.equal((await caller.call()).status, 200);
    ill.respond = answering(204);
    await eventually(() => {
      clock.advance(200);
      return !host.checkFailed;
    });
    assert.equal(ill.received.length, 4, "nor one success");
    await Promise.all(Array.from({ length: 4 }, () => caller.call()));
    assert.ok(ill.received.length > 4);
  });

  test("believe a 503 at once, and end an ejection when they succeed", async () => {
    const clock = new FakeClock();
    const [app, other] = [await application(answering(503)), await application()];
    const policy = {
      healthCheck: { ...check, healthyThreshold: 1, httpPath: "/health" },
      outlierDetection: { consecutive_5xx: 1 },
    };
    const caller = await proxy({ instances: [app.port, other.port], policy, clock });
    const [host] = caller.cluster.hosts;
    assert.ok(host !== undefined);
    await round(clock, () => host.checkFailed);
    caller.cluster.outlier?.onStatus(host, 500);
    assert.equal(host.ejected, true);
    app.respond = answering(200);
    await round(clock, () => host.available);
  });

  test("are content with a connection where no path is given, and fail without one", async () => {
    const clock = new FakeClock();
    const app = await application();
    const caller = await proxy({ instances: [app.port, await freePort()], policy: { healthCheck: check }, clock });
    const [up, down] = caller.cluster.hosts;
    await round(clock, () => app.connections === 1);
    await eventually(() => {
      clock.advance(1_200);
      return down?.checkFailed === true;
    });
    assert.equal(up?.available, true);
    assert.equal(app.received.length, 0);
  });

  test("fail without an answer in time", async () => {
    const clock = new FakeClock();
    const silent = await application(() => undefined);
    const policy = { healthCheck: { ...check, timeoutMs: 500, httpPath: "/" } };
    const caller = await proxy({ instances: [silent.port], policy, clock });
    for (let i = 1; i <= 2; i++) {
      await eventually(() => {
        if (silent.received.length < i) clock.advance(100);
        return silent.received.length === i;
      });
      clock.advance(500);
    }
    assert.equal(caller.cluster.hosts[0]?.checkFailed, true);
  });

  test("end with their policy and with their hosts", async () => {
    const clock = new FakeClock();
    const app = await application(answering(503));
    const caller = await proxy({ instances: [app.port], clock });
    const timers = clock.pending;
    caller.use([app.port], { healthCheck: { ...check, httpPath: "/" } });
    await round(clock, () => caller.cluster.hosts[0]?.checkFailed === true);
    assert.ok(clock.pending > timers);
    caller.use([app.port], {});
    assert.equal(caller.cluster.hosts[0]?.checkFailed, false);
    assert.equal(clock.pending, timers);
    caller.use([app.port], { healthCheck: { ...check, httpPath: "/" } });
    caller.use([]);
    assert.equal(clock.pending, timers);
  });
});
