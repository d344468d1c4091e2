import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConflictError, NotFoundError, systemClock, UnavailableError } from "../../shared/base/index.ts";
import {
  type Bus,
  bucketConfig,
  type Follow,
  JetStream,
  seal,
  TableFollower,
  TableOwner,
  TableStore,
  TableWatcher,
} from "../../shared/bus/index.ts";
import { Head, SyncReply, SyncRequest, type Table } from "../../shared/wire/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews", gateway: true };
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (follow: Follow | undefined) =>
  follow?.value === undefined ? undefined : new TextDecoder().decode(follow.value);
let nats: NatsFixture;
let root: Bus;
let rootJs: JetStream;
const closers: (() => unknown)[] = [];

before(async () => {
  nats = await startNats({ workloads: [reviews] });
  root = await nats.connect("root");
  rootJs = new JetStream(root);
});
after(async () => {
  for (const close of closers.reverse()) close();
  await nats.stop();
});

async function owner(
  component: "pilot" | "mixer" | "ca",
  table: Table,
  options: { restore?: () => [string, Uint8Array][]; onConflict?: () => void } = {},
) {
  const bus = await nats.connectStore(component);
  const made = new TableOwner({
    bus,
    table,
    clock: systemClock,
    log: silentLog,
    onConflict: options.onConflict ?? (() => assert.fail("conflict")),
    ...(options.restore === undefined ? {} : { restore: options.restore }),
  });
  closers.push(() => made.stop());
  return made;
}

async function follower(table: Table, decode?: (value: Uint8Array) => unknown): Promise<TableFollower> {
  const bus = await nats.connectWorkload(reviews);
  const made = new TableFollower({
    bus,
    table,
    clock: systemClock,
    log: silentLog,
    spreadMs: 50,
    ...(decode === undefined ? {} : { decode }),
  });
  closers.push(() => made.close());
  return made;
}

test("a missing bucket makes a key unavailable, not absent, until it is there", async () => {
  const followed = await follower("trust");
  const bundle = followed.follow("bundle");
  assert.equal(bundle.state, "loading");
  await assert.rejects(bundle.ready(100), { code: "ERR_MESH_TIMEOUT" });
  await eventually(() => bundle.state === "unavailable", { withinMs: 1_500 });
  const ca = await owner("ca", "trust");
  await ca.start();
  await ca.set("bundle", bytes("roots"));
  await eventually(() => textOf(bundle) === "roots");
  assert.equal(bundle.epoch, ca.epoch);
});

test("a follower sees what is there, each change, a deletion, and a key that appears later", async () => {
  const pilot = await owner("pilot", "service");
  await pilot.start();
  const first = await pilot.set("default.reviews", bytes("one"));
  assert.deepEqual(await pilot.set("default.reviews", bytes("one")), { ...first, changed: false });
  pilot.markComplete();
  const followed = await follower("service");
  const [there, missing] = [followed.follow("default.reviews"), followed.follow("default.ghost")];
  assert.equal(followed.follow("default.reviews"), there);
  await Promise.all([there.ready(1_000), missing.ready(1_000)]);
  assert.equal(textOf(there), "one");
  assert.equal(there.sequence, first.sequence);
  assert.equal(missing.state, "absent");
  let changes = 0;
  there.onChange(() => changes++);
  await pilot.set("default.reviews", bytes("two"));
  await pilot.set("default.ghost", bytes("boo"));
  await eventually(() => textOf(there) === "two" && textOf(missing) === "boo");
  assert.equal(changes, 1);
  await pilot.remove("default.reviews");
  await eventually(() => there.state === "absent");
  await pilot.set("default.reviews", bytes("three"));
  await eventually(() => textOf(there) === "three");
  there.close();
  assert.equal(textOf(followed.get("default.reviews")), "three");
  there.close();
  assert.equal(followed.get("default.reviews"), undefined);
  pilot.stop();
});

test("followers tell what they have applied", async () => {
  const followed = await follower("service");
  const follow = followed.follow("default.reviews");
  await follow.ready(1_000);
  follow.setApplied({ epoch: follow.epoch, sequence: follow.sequence, revision: 7 });
  (await follower("service")).follow("default.reviews");
  const operator = await nats.connect("operator");
  const subject = nats.subjects.sync("service", "default.reviews");
  const answers = await eventually(async () => {
    const found = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 50, maxMs: 500 });
    assert.equal(found.length, 2);
    return found;
  });
  assert.deepEqual(answers.map(({ revision }) => revision).sort(), [0, 7]);
  const kept = await follower("service");
  kept.seed("default.reviews", bytes("old"), 1, 1);
  await kept.follow("default.other").ready(1_000);
  const after = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 200, maxMs: 500 });
  assert.equal(after.length, 2, "who only keeps a value for somebody says nothing");
  const released = kept.follow("default.reviews");
  released.release();
  const without = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 200, maxMs: 500 });
  assert.equal(without.length, 2, "nor who keeps it after its last user has gone");
  assert.equal(kept.follow("default.reviews"), released);
  const again = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 200, maxMs: 500 });
  assert.equal(again.length, 3);
});

test("a value that does not decode is refused and the last good one stays", async () => {
  const pilot = await owner("pilot", "gateway");
  await pilot.start();
  await pilot.set("a.b", bytes("good"));
  const followed = await follower("gateway", (value) => {
    if (value[0] === 0x62) throw new Error("bad value");
  });
  const follow = followed.follow("a.b");
  await follow.ready(1_000);
  await pilot.set("a.b", bytes("bad"));
  await eventually(() => follow.applied.reason === "bad value");
  assert.equal(textOf(follow), "good");
  await pilot.set("a.b", bytes("better"));
  await consistently(() => textOf(follow) === "good", 50);
  await pilot.set("a.b", bytes("good again"));
  await eventually(() => textOf(follow) === "good again");
  pilot.stop();
});

test("a value from before is served until the bus has a newer one", async () => {
  const followed = await follower("service");
  const seeded = followed.seed("default.seeded", bytes("old"), 5, 9);
  assert.equal(seeded.state, "present");
  const pilot = await owner("pilot", "service");
  await pilot.start();
  await consistently(() => textOf(seeded) === "old", 300);
  await pilot.set("default.seeded", bytes("new"));
  await eventually(() => textOf(seeded) === "new");
  const gone = followed.seed("default.gone", bytes("old"), 5, 9);
  await consistently(() => textOf(gone) === "old", 200);
  pilot.markComplete();
  await eventually(() => gone.state === "absent");
  pilot.stop();
});

test("that there is no such key stays known while the bus is silent, and from an earlier run", async () => {
  const pilot = await owner("pilot", "hosts");
  await pilot.start();
  pilot.markComplete();
  const followed = await follower("hosts");
  const none = followed.follow("default");
  await eventually(() => none.state === "absent");
  await nats.kill();
  await none.refresh();
  assert.equal(none.state, "absent");
  const seeded = followed.seed("istio-system", undefined, none.epoch, none.sequence);
  await seeded.refresh();
  assert.equal(seeded.state, "absent");
  await nats.restart();
  await eventually(() => pilot.set("istio-system", bytes("hosts")).then(() => true), { withinMs: 10_000 });
  await eventually(() => textOf(seeded) === "hosts", { withinMs: 10_000 });
  pilot.stop();
});

test("a value too large for the bus is refused, and neither the key nor the heads suffer", async () => {
  const pilot = await owner("pilot", "service");
  await pilot.start();
  await pilot.set("default.large", bytes("small"));
  let heads = 0;
  const listener = await nats.connectWorkload(reviews);
  listener.subscribe(nats.subjects.head("service"), () => heads++);
  await listener.flush();
  await assert.rejects(pilot.set("default.large", new Uint8Array(1024 * 1024)), { code: "ERR_MESH_INVALID_ARGUMENT" });
  await eventually(() => heads >= 1, { withinMs: 3_000 });
  const store = await TableStore.open(await nats.connectStore("pilot"), "service", { create: false });
  assert.deepEqual((await store.get("default.large"))?.value, bytes("small"));
  await pilot.remove("default.large");
  pilot.stop();
});

test("a lost last message is found by the next head", async () => {
  const table = "plan";
  const { republish: _, ...quiet } = bucketConfig(nats.subjects, table);
  const { createdUs: epoch } = await rootJs.ensureStream({ ...quiet, name: nats.subjects.bucketStream(table) });
  const write = (text: string) =>
    rootJs.store(nats.subjects.bucketSubject(table, "default"), seal(table, "default", epoch, bytes(text)));
  await write("one");
  const followed = await follower(table);
  const follow = followed.follow("default");
  await follow.ready(1_000);
  const sequence = await write("two");
  await consistently(() => textOf(follow) === "one", 200);
  const head = { table, epoch, sequence, count: 1, complete: true };
  root.publish(nats.subjects.head(table), Head, { ...head, recent: [{ key: "default", sequence }] });
  await eventually(() => textOf(follow) === "two");
  const deleted = await rootJs.store(nats.subjects.bucketSubject(table, "default"), bytes(""), {
    "KV-Operation": "DEL",
  });
  root.publish(nats.subjects.head(table), Head, {
    ...head,
    recent: [{ key: "default", sequence: deleted, deleted: true }],
  });
  await eventually(() => follow.state === "absent");
  await rootJs.call(`$JS.API.STREAM.DELETE.${nats.subjects.bucketStream(table)}`, {});
});

test("in a recreated bucket nothing is gone until its owner says complete", async () => {
  const table = "plan";
  const first = await owner("mixer", table);
  await first.start();
  for (const key of ["a.keeps", "a.goes"]) await first.set(key, bytes(key));
  first.markComplete();
  const followed = await follower(table);
  const [keeps, goes] = [followed.follow("a.keeps"), followed.follow("a.goes")];
  await Promise.all([keeps.ready(1_000), goes.ready(1_000)]);
  const oldEpoch = keeps.epoch;
  first.stop();
  await rootJs.call(`$JS.API.STREAM.DELETE.${nats.subjects.bucketStream(table)}`, {});
  const second = await owner("mixer", table);
  await second.start();
  await consistently(() => textOf(keeps) === "a.keeps" && textOf(goes) === "a.goes", 500);
  await second.set("a.keeps", bytes("rewritten"));
  await eventually(() => textOf(keeps) === "rewritten");
  assert.ok(keeps.epoch > oldEpoch);
  await consistently(() => textOf(goes) === "a.goes", 300);
  second.markComplete();
  await eventually(() => goes.state === "absent");
  assert.equal(textOf(keeps), "rewritten");
  second.stop();
});

test("an owner whose bucket is deleted makes it again with all its content", async () => {
  let restored = 0;
  const content: [string, Uint8Array][] = [
    ["default.a", bytes("a")],
    ["default.b", bytes("b")],
  ];
  const pilot = await owner("pilot", "endpoints", {
    restore: () => {
      restored++;
      return content;
    },
  });
  await pilot.start();
  for (const [key, value] of content) await pilot.set(key, value);
  pilot.markComplete();
  const followed = await follower("endpoints");
  const follow = followed.follow("default.a");
  await follow.ready(1_000);
  let wasGone = false;
  follow.onChange(() => {
    wasGone ||= follow.state !== "present";
  });
  const oldEpoch = follow.epoch;
  await rootJs.call(`$JS.API.STREAM.DELETE.${nats.subjects.bucketStream("endpoints")}`, {});
  await eventually(() => follow.epoch > oldEpoch);
  assert.equal(textOf(follow), "a");
  assert.equal(wasGone, false);
  assert.equal(restored, 1);
  assert.deepEqual(pilot.position("default.a"), { epoch: follow.epoch, sequence: follow.sequence });
  pilot.stop();
});

test("a stale owner's write is refused and told apart from its own", async () => {
  let conflicts = 0;
  const stale = await owner("pilot", "config", { onConflict: () => conflicts++ });
  await stale.start();
  await stale.set("routerule.default.a", bytes('{"v":1}'));
  const fresh = await owner("pilot", "config");
  const found = await fresh.start();
  assert.equal(Buffer.from(found.get("routerule.default.a")?.value ?? []).toString(), '{"v":1}');
  await fresh.set("routerule.default.a", bytes('{"v":2}'));
  await assert.rejects(stale.set("routerule.default.a", bytes('{"v":3}')), ConflictError);
  assert.equal(conflicts, 1);
  await assert.rejects(stale.set("routerule.default.b", bytes("{}")), UnavailableError);
  const store = await TableStore.open(await nats.connectStore("mixer"), "config", { create: false });
  assert.equal(Buffer.from((await store.get("routerule.default.a"))?.value ?? []).toString(), '{"v":2}');
  fresh.stop();
});

test("a reply subject aimed at a table or a head changes nothing", async () => {
  const pilot = await owner("pilot", "service");
  await pilot.start();
  await pilot.set("default.victim", bytes("good"));
  await pilot.set("default.other", bytes("other"));
  await pilot.set("default.erased", bytes("x"));
  await pilot.remove("default.erased");
  const followed = await follower("service");
  const follow = followed.follow("default.victim");
  await follow.ready(1_000);
  const workload = await nats.connectWorkload(reviews);
  const { subjects } = nats;
  let arrived = 0;
  workload.subscribe(subjects.table("service", "default.victim"), () => arrived++);
  const aim = (key: string, reply: string) =>
    workload.publishBytes(subjects.directGet("service", key), new Uint8Array(), { reply });
  for (const key of ["default.other", "default.erased", "default.nothing"]) {
    aim(key, subjects.table("service", "default.victim"));
    aim(key, subjects.head("service"));
    aim(key, subjects.bucketSubject("service", "default.victim"));
    aim(key, subjects.bucketSubject("trust", "bundle"));
  }
  await eventually(() => arrived > 0);
  await consistently(() => textOf(follow) === "good", 300);
  const store = await TableStore.open(await nats.connectStore("pilot"), "service", { create: false });
  const victim = await store.get("default.victim");
  assert.equal(victim?.sequence, pilot.position("default.victim")?.sequence);
  assert.equal(Buffer.from(victim?.value ?? []).toString(), "good");
  pilot.stop();
});

test("a watcher holds the whole table through changes, deletions and a new bucket", async () => {
  const pilot = await owner("pilot", "service", { restore: () => [["default.fresh", bytes("fresh")]] });
  await pilot.start();
  const seen = new Map<string, string | undefined>();
  let synced = 0;
  const watcher = new TableWatcher({
    bus: await nats.connectStore("mixer"),
    table: "service",
    clock: systemClock,
    log: silentLog,
    spreadMs: 50,
    onChange: (key, value) => seen.set(key, value === undefined ? undefined : Buffer.from(value).toString()),
    onSynced: () => synced++,
  });
  closers.push(() => watcher.close());
  watcher.start();
  await eventually(() => watcher.synced);
  assert.equal(watcher.entries.size, [...pilot.keys()].length);
  assert.ok(!watcher.entries.has("default.erased"));
  await pilot.set("default.watched", bytes("w"));
  await eventually(() => seen.get("default.watched") === "w");
  await pilot.remove("default.watched");
  await eventually(() => seen.get("default.watched") === undefined && !watcher.entries.has("default.watched"));
  pilot.markComplete();
  for (const key of [...pilot.keys()]) await pilot.remove(key);
  await eventually(() => watcher.entries.size === 0);
  const syncedBefore = synced;
  await rootJs.call(`$JS.API.STREAM.DELETE.${nats.subjects.bucketStream("service")}`, {});
  await eventually(() => seen.get("default.fresh") === "fresh" && synced > syncedBefore);
  pilot.stop();
});

test("a store opens no bucket that is not there, and pages through many keys", async () => {
  const bus = await nats.connect("root");
  await rootJs.call(`$JS.API.STREAM.DELETE.${nats.subjects.bucketStream("gateway")}`, {});
  await assert.rejects(TableStore.open(bus, "gateway", { create: false }), NotFoundError);
  const store = await TableStore.open(bus, "gateway", { create: true });
  assert.equal((await store.list()).size, 0);
  await Promise.all(Array.from({ length: 300 }, (_, i) => store.put(`many.k${i}`, bytes(`v${i}`), 0)));
  const values = await store.list();
  assert.equal(values.size, 300);
  assert.equal(Buffer.from(values.get("many.k299")?.value ?? []).toString(), "v299");
  await assert.rejects(store.put("many.k1", bytes("x"), 0), ConflictError);
});
