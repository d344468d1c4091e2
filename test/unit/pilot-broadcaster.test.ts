import assert from "node:assert/strict";
import { test } from "node:test";
import { BroadcastFixture } from "../harness/broadcast-fixture.ts";

test("endpoints come before the services that need them, and a service after those that it sends to", async () => {
  const fixture = new BroadcastFixture();
  fixture.rule("split", { destination: { name: "alpha" }, route: [{ destination: { name: "beta" } }] });
  fixture.hear("alpha", "v1");
  fixture.hear("beta", "v1");
  await fixture.broadcaster.begin();
  assert.deepEqual(fixture.writes.slice(2), [
    "service default.beta",
    "service default.alpha",
    "gateway istio-system.istio-ingress",
  ]);
  assert.deepEqual(
    fixture.config("alpha").requires.map(({ table, key, sequence }) => [table, key, sequence]),
    [
      ["service", "default.beta", 1],
      ["endpoints", "default.alpha.0", 1],
      ["endpoints", "default.beta.0", 2],
    ],
  );
  assert.deepEqual(fixture.broadcaster.settled("routerule.default.split")?.revision, 1);
});

test("instances that come and go do not rewrite the services that send to them", async () => {
  const fixture = new BroadcastFixture();
  fixture.hear("alpha", "v1");
  await fixture.broadcaster.begin();
  fixture.writes.length = 0;
  fixture.hear("alpha", "v2");
  await fixture.clock.advanceAsync(400, 100);
  await fixture.broadcaster.idle();
  assert.deepEqual(fixture.writes, ["endpoints default.alpha.0"]);
});

test("a service that is gone is removed last, after those that sent to it", async () => {
  const fixture = new BroadcastFixture();
  fixture.hear("alpha", "v1");
  fixture.hear("beta", "v1");
  fixture.rule("split", { destination: { name: "alpha" }, route: [{ destination: { name: "beta" } }] });
  await fixture.broadcaster.begin();
  fixture.beat("alpha", "beta");
  fixture.hear("beta", "v1", "deregister");
  await fixture.broadcaster.idle();
  fixture.writes.length = 0;
  fixture.registry.tick();
  await fixture.broadcaster.idle();
  assert.deepEqual(fixture.writes, [
    "service default.alpha",
    "remove service default.beta",
    "remove endpoints default.beta.0",
  ]);
  assert.deepEqual(
    fixture.config("alpha").requires.map(({ key }) => key),
    ["default.alpha.0"],
  );
});

test("a service that comes back has the revision of the rule that is still in force for it", async () => {
  const fixture = new BroadcastFixture();
  fixture.hear("alpha", "v1");
  fixture.rule("other", { destination: { name: "beta" } });
  fixture.rule("one", { destination: { name: "alpha" } });
  await fixture.broadcaster.begin();
  fixture.beat("alpha");
  fixture.hear("alpha", "v1", "deregister");
  await fixture.broadcaster.idle();
  fixture.registry.tick();
  await fixture.broadcaster.idle();
  assert.equal(fixture.tables.service.values.has("default.alpha"), false);
  fixture.hear("alpha", "v1");
  await fixture.broadcaster.idle();
  const { revision, routes } = fixture.config("alpha");
  assert.deepEqual([revision, routes[0]?.rule], [2, "routerule/default/one"]);
});

test("a service that cannot be written stops no other, and is tried again", async () => {
  const fixture = new BroadcastFixture();
  fixture.tables.service.failing.add("default.alpha");
  fixture.hear("alpha", "v1");
  fixture.hear("beta", "v1");
  fixture.rule("one", { destination: { name: "alpha" } });
  await fixture.broadcaster.begin();
  assert.ok(fixture.tables.service.values.has("default.beta"));
  assert.equal(fixture.broadcaster.settled("routerule.default.one"), undefined);
  fixture.tables.service.failing.clear();
  await fixture.clock.advanceAsync(1000);
  await fixture.broadcaster.idle();
  assert.ok(fixture.tables.service.values.has("default.alpha"));
  assert.equal(fixture.broadcaster.settled("routerule.default.one")?.revision, 1);
});
