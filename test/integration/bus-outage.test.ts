import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock, UnavailableError } from "../../shared/base/index.ts";
import { type Bus, protoReply, TableFollower, TableOwner, TableStore } from "../../shared/bus/index.ts";
import { CheckRequest, CheckResponse, storeUserName, workloadUserName } from "../../shared/wire/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats, startRelay } from "../harness/index.ts";

const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const proxy = { namespace: "default", serviceAccount: "reviews", proxy: "reviews-1" };
const bytes = (text: string) => new TextEncoder().encode(text);
let nats: NatsFixture;
let store: Bus;
let owner: TableOwner;

before(async () => {
  nats = await startNats({ workloads: [reviews], overrides: { maxPendingBytes: 1024 * 1024 } });
  store = await nats.connectStore("pilot");
  owner = new TableOwner({
    bus: store,
    table: "service",
    clock: systemClock,
    log: silentLog,
    onConflict: () => assert.fail("conflict"),
  });
  await owner.start();
  await owner.set("default.a", bytes("one"));
  owner.markComplete();
});
after(async () => {
  owner.stop();
  await nats.stop();
});

function follow(bus: Bus) {
  const follower = new TableFollower({ bus, table: "service", clock: systemClock, log: silentLog, spreadMs: 50 });
  const followed = follower.follow("default.a");
  const states: string[] = [];
  followed.onChange(() => states.push(followed.state));
  const text = () => Buffer.from(followed.value ?? []).toString();
  return { follower, followed, states, text };
}

test("while the server is down everything fails fast, and after its restart all is read again", async () => {
  const workload = await nats.connectWorkload(reviews);
  const mixer = await nats.connect("mixer");
  mixer.serve(nats.subjects.allPolicyChecks(), () => protoReply(CheckResponse, {}));
  const { follower, followed, states, text } = follow(workload);
  await followed.ready(1_000);
  await mixer.flush();
  const check = (timeoutMs: number) =>
    workload.request(nats.subjects.policyCheck(proxy), CheckRequest, {}, CheckResponse, { timeoutMs });
  await check(1_000);
  const hanging = workload
    .requestJson(nats.subjects.caSign(reviews), {}, { timeoutMs: 30_000 })
    .catch((error: unknown) => error);

  await nats.kill();
  await eventually(() => !workload.connected && !store.connected && !mixer.connected);
  assert.ok((await hanging) instanceof UnavailableError);
  const startedAt = performance.now();
  await assert.rejects(check(5_000), UnavailableError);
  await assert.rejects(workload.flush(), UnavailableError);
  const dropped = workload.stats.publishDropped;
  assert.equal(workload.publish(nats.subjects.policyCheck(proxy), CheckRequest, {}), false);
  assert.equal(workload.stats.publishDropped, dropped + 1);
  await assert.rejects(owner.set("default.a", bytes("written while down")), UnavailableError);
  assert.ok(performance.now() - startedAt < 500);
  assert.equal(text(), "one");

  await nats.restart();
  await eventually(() => workload.connected && store.connected && mixer.connected);
  await eventually(() => text() === "written while down");
  await eventually(() => check(500));
  assert.ok(states.every((state) => state === "present"));
  follower.close();
});

test("a server that lost its files gets the table back and no follower loses a key", async () => {
  const workload = await nats.connectWorkload(reviews);
  const { follower, followed, states, text } = follow(workload);
  await followed.ready(1_000);
  const [before, epoch] = [text(), followed.epoch];
  await nats.restart({ wipe: true });
  await eventually(() => followed.epoch > epoch, { withinMs: 8_000 });
  assert.equal(text(), before);
  assert.ok(
    states.every((state) => state === "present"),
    states.join(),
  );
  follower.close();
});

test("a follower cut off as a slow consumer reads all again", async (context) => {
  const relay = await startRelay(nats.port);
  context.after(() => relay.stop());
  const workload = await nats.connectWorkload(reviews, { url: `nats://127.0.0.1:${relay.port}` });
  const { follower, followed, text } = follow(workload);
  await followed.ready(2_000);
  relay.pause();
  const padding = "x".repeat(900_000);
  for (let i = 0; i < 25; i++) await owner.set("default.a", bytes(`${i}${padding}`));
  await owner.set("default.a", bytes("last"));
  assert.notEqual(text(), "last");
  relay.resume();
  await eventually(() => text() === "last", { withinMs: 10_000 });
  assert.ok(workload.stats.disconnects >= 1, "the server did not cut it off");
  follower.close();
  await workload.close();
});

test("subscriptions and served subjects made before the first connection work after it", async (context) => {
  const relay = await startRelay(nats.port);
  context.after(() => relay.stop());
  relay.cut();
  const workload = nats.open(workloadUserName(reviews), { url: `nats://127.0.0.1:${relay.port}` });
  const { follower, followed } = follow(workload);
  await consistently(() => followed.state !== "present" && followed.state !== "absent", 100);
  relay.mend();
  await followed.ready(3_000);
  relay.cut();
  await eventually(() => !workload.connected);
  await owner.set("default.a", bytes("after the cut"));
  relay.mend();
  await eventually(() => Buffer.from(followed.value ?? []).toString() === "after the cut");
  follower.close();
  await workload.close();
});

test("what was closed without a connection is not served after the reconnect", async () => {
  const relay = await startRelay(nats.port);
  const operator = await nats.connect("operator");
  const pilot = await nats.connect("pilot", { url: `nats://127.0.0.1:${relay.port}` });
  const served = pilot.serve(nats.subjects.config("get"), () => ({ json: "old" }), { queue: "q" });
  await pilot.flush();
  const ask = () => operator.requestJson(nats.subjects.config("get"), {}, { timeoutMs: 300 });
  assert.equal(await ask(), "old");
  relay.cut();
  await eventually(() => !pilot.connected);
  served.close();
  relay.mend();
  await eventually(() => pilot.connected);
  await pilot.flush();
  await assert.rejects(ask());
  await pilot.close();
  await relay.stop();
});

test("a write that was cut off before its answer is known for the owner's own when the next one meets it", async (context) => {
  const relay = await startRelay(nats.port);
  context.after(() => relay.stop());
  const cutOff = await nats.connect(storeUserName("pilot"), { url: `nats://127.0.0.1:${relay.port}` });
  const config = new TableOwner({
    bus: cutOff,
    table: "config",
    clock: systemClock,
    log: silentLog,
    onConflict: () => assert.fail("conflict"),
  });
  await config.start();
  await config.set("routerule.default.a", bytes("one"));
  relay.pause();
  const lost = assert.rejects(config.set("routerule.default.a", bytes("two")), { code: "ERR_MESH_UNAVAILABLE" });
  const stored = await TableStore.open(store, "config", { create: false });
  await eventually(async () => {
    assert.deepEqual((await stored.last("routerule.default.a")).value, bytes("two"));
  });
  relay.cut();
  await lost;
  relay.resume();
  relay.mend();
  await eventually(() => cutOff.connected);
  await config.set("routerule.default.a", bytes("three"));
  assert.deepEqual((await stored.last("routerule.default.a")).value, bytes("three"));
  config.stop();
  await cutOff.close();
});
