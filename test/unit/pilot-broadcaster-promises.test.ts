import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { affected, NOTHING } from "../../services/pilot/compile/affected.ts";
import { BroadcastFixture } from "../harness/broadcast-fixture.ts";

const RULE = "virtualservice.default.one";

describe("what the broadcaster promises", () => {
  test("a change that comes while a pass ends is not forgotten, however close to the end it comes", async () => {
    for (let turns = 0; turns < 12; turns++) {
      const fixture = new BroadcastFixture();
      fixture.hear("alpha", "v1");
      await fixture.broadcaster.begin();
      const { gateway } = fixture.tables;
      const set = gateway.set.bind(gateway);
      let isFirst = true;
      gateway.set = async (key, bytes) => {
        await set(key, bytes);
        if (!isFirst) return;
        isFirst = false;
        void inTurns(turns, () => fixture.hear("beta", "v1"));
      };
      fixture.broadcaster.changed(affected({ gateways: ["istio-system.istio-ingress"] }));
      await settled(fixture);
      assert.ok(fixture.tables.service.values.has("default.beta"), `${turns} turns after the last write`);
    }
  });

  test("a rule that comes into force is not out before it is written, although its revision was known as waiting", async () => {
    const fixture = new BroadcastFixture();
    fixture.hear("alpha", "v1");
    await fixture.broadcaster.begin();
    fixture.broadcaster.configChanged(RULE, 7, { ...NOTHING, pending: "it waits" });
    await settled(fixture);
    assert.equal(fixture.broadcaster.settled(RULE)?.revision, 7);
    fixture.broadcaster.configChanged(RULE, 7, affected({ services: ["default.alpha"] }));
    assert.equal(fixture.broadcaster.settled(RULE), undefined);
    await settled(fixture);
    assert.equal(fixture.broadcaster.settled(RULE)?.revision, 7);
  });

  test("a service is not written before one that it sends to, when that one could not be written at all", async () => {
    const fixture = new BroadcastFixture();
    fixture.hear("alpha", "v1");
    await fixture.broadcaster.begin();
    const before = fixture.config("alpha").routes.map(({ rule }) => rule);
    fixture.tables.service.failing.add("default.beta");
    fixture.rule("split", { destination: { name: "alpha" }, route: [{ destination: { name: "beta" } }] });
    fixture.hear("beta", "v1");
    await settled(fixture);
    assert.deepEqual(
      fixture.config("alpha").routes.map(({ rule }) => rule),
      before,
    );
    fixture.tables.service.failing.clear();
    await fixture.clock.advanceAsync(1000);
    await settled(fixture);
    assert.equal(fixture.config("alpha").routes[0]?.rule, "routerule/default/split");
  });

  test("whoever waits for a change that cannot be written learns why", async () => {
    const fixture = new BroadcastFixture();
    fixture.hear("alpha", "v1");
    await fixture.broadcaster.begin();
    fixture.tables.service.failing.add("default.alpha");
    fixture.rule("one", { destination: { name: "alpha" } });
    await settled(fixture);
    assert.equal(fixture.broadcaster.failure("routerule.default.one"), "service default.alpha: refused");
    assert.deepEqual([...fixture.broadcaster.failures()], ["service default.alpha: refused"]);
    fixture.tables.service.failing.clear();
    await fixture.clock.advanceAsync(1000);
    await settled(fixture);
    assert.equal(fixture.broadcaster.failure("routerule.default.one"), undefined);
    assert.deepEqual([...fixture.broadcaster.failures()], []);
  });

  test("a chain of services, each sending to the next, may be as long as the mesh", async () => {
    const fixture = new BroadcastFixture();
    const services = Array.from({ length: 20_000 }, (_, i) => `default.s${i}`);
    fixture.compiler.targetsOf = (key) => [`default.s${Number(key.slice("default.s".length)) + 1}`];
    await fixture.broadcaster.begin();
    fixture.hear("alpha", "v1");
    fixture.broadcaster.changed(affected({ services }));
    await settled(fixture);
    assert.ok(fixture.tables.service.values.has("default.alpha"));
  });

  test("a long pass lets others have their turn", async () => {
    const fixture = new BroadcastFixture();
    await fixture.broadcaster.begin();
    const compile = fixture.compiler.compileService.bind(fixture.compiler);
    fixture.compiler.compileService = (key, shards) => {
      const endsMs = performance.now() + 5;
      while (performance.now() < endsMs);
      return compile(key, shards);
    };
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    fixture.broadcaster.changed(affected({ services: Array.from({ length: 60 }, (_, i) => `default.s${i}`) }));
    await settled(fixture);
    clearInterval(timer);
    assert.ok(turns >= 3, `${turns} turns`);
  });
});

/** In so many turns of the queue of promises. */
async function inTurns(turns: number, act: () => void): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await undefined;
  act();
}

async function settled(fixture: BroadcastFixture): Promise<void> {
  await fixture.broadcaster.idle();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  await fixture.broadcaster.idle();
}
