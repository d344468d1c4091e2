import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { parseTapRequest } from "../../services/proxy/tap/tap-filter.ts";
import { Taps } from "../../services/proxy/tap/taps.ts";
import type { TapFilter } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/fake-clock.ts";

function request({ path = "/reviews/1", status = 200, method = "GET" } = {}): RequestRecord {
  const head = { method, path, authority: "reviews:9080", scheme: "http", headers: new HeaderList() };
  const peer = (name: string) => ({ ...UNKNOWN_PEER, namespace: "default", service: name, workload: `${name}-v1` });
  const record = new RequestRecord("inbound", head as never, peer("productpage"), peer("reviews"), true);
  record.status = status;
  return record;
}

function seenBy(filter: TapFilter, record: RequestRecord): boolean {
  const taps = new Taps(new FakeClock());
  const order = parseTapRequest({ id: "a", filter });
  taps.take(order);
  taps.offer(record);
  return taps.take(order).rows.length === 1;
}

test("a watcher sees what fits all of its filters", () => {
  const fits: TapFilter[] = [
    {},
    { from: { name: "productpage" } },
    { from: { name: "productpage-v1", namespace: "default" }, to: { name: "reviews" } },
    { path: "/reviews" },
    { status: "2xx", method: "GET", reporter: "destination", authority: "reviews:9080" },
    { status: "200" },
  ];
  for (const filter of fits) assert.ok(seenBy(filter, request()), JSON.stringify(filter));
  const not: TapFilter[] = [
    { from: { name: "reviews" } },
    { to: { name: "reviews", namespace: "other" } },
    { path: "/ratings" },
    { status: "5xx" },
    { status: "201" },
    { method: "POST" },
    { reporter: "source" },
  ];
  for (const filter of not) assert.ok(!seenBy(filter, request()), JSON.stringify(filter));
});

test("each row is told once, and to nobody who began later", () => {
  const taps = new Taps(new FakeClock());
  const one = parseTapRequest({ id: "one" });
  taps.offer(request());
  assert.equal(taps.take(one).rows.length, 0);
  taps.offer(request());
  assert.equal(taps.take(parseTapRequest({ id: "two" })).rows.length, 0);
  assert.equal(taps.take(one).rows.length, 1);
  assert.equal(taps.take(one).rows.length, 0);
});

test("a caller with endless names hides neither itself nor who comes after it", () => {
  const taps = new Taps(new FakeClock());
  const order = { ...parseTapRequest({ id: "one" }), maxChars: 8_192 };
  taps.take(order);
  const endless = request();
  endless.source = { ...endless.source, instance: "\u0001".repeat(16_000), workload: "\u20ac".repeat(5_000) };
  taps.offer(endless);
  taps.offer(request());
  const { rows, dropped } = taps.take(order);
  assert.deepEqual([rows.length, dropped], [2, 0]);
  assert.ok(Buffer.byteLength(JSON.stringify(rows)) < 8_192);
});

test("a row that fits into no answer is dropped and counted, and the next ones come", () => {
  const taps = new Taps(new FakeClock());
  const order = { ...parseTapRequest({ id: "one" }), maxChars: 1_000 };
  taps.take(order);
  taps.offer(request({ path: `/${"\u0001".repeat(1_000)}` }));
  taps.offer(request());
  assert.deepEqual(
    [taps.take(order)].map(({ rows, dropped }) => [rows.length, dropped]),
    [[1, 1]],
  );
});

test("what a watcher does not fetch is dropped and counted, and one that is gone is forgotten", () => {
  const clock = new FakeClock();
  const taps = new Taps(clock);
  const order = parseTapRequest({ id: "slow", maxPerSecond: 300 });
  taps.take(order);
  for (let second = 0; second < 4; second++) {
    for (let i = 0; i < 320; i++) taps.offer(request());
    clock.advance(1_000);
  }
  const { rows, dropped } = taps.take(order);
  assert.equal(dropped, 4 * 20 + 200, "more than it wants a second, and more than are kept");
  assert.ok(rows.length > 0 && JSON.stringify(rows).length < 512 * 1024);
  clock.advance(60_000);
  taps.offer(request());
  assert.deepEqual(taps.take(order), { rows: [], dropped: 0 });
});

test("an answer is no longer than it may be, and the rest comes in the next", () => {
  const taps = new Taps(new FakeClock());
  const order = { ...parseTapRequest({ id: "a" }), maxChars: 2_000 };
  taps.take(order);
  for (let i = 0; i < 20; i++) taps.offer(request({ path: `/${i}` }));
  const paths: string[] = [];
  for (let answers = 0; paths.length < 20 && answers < 20; answers++) {
    const { rows } = taps.take(order);
    assert.ok(rows.length < 20);
    paths.push(...rows.map(({ path }) => path));
  }
  assert.deepEqual(
    paths,
    Array.from({ length: 20 }, (_, i) => `/${i}`),
  );
});

test("only so many may watch, and a question that is none is refused by field", () => {
  const taps = new Taps(new FakeClock());
  for (let i = 0; i < 8; i++) taps.take(parseTapRequest({ id: String(i) }));
  assert.throws(() => taps.take(parseTapRequest({ id: "9" })), { code: "ERR_MESH_UNAVAILABLE" });
  const refusals: [unknown, RegExp][] = [
    [[], /the request: give an object/],
    [{}, /^.*id: /],
    [{ id: "a", filter: { status: "5x" } }, /filter\.status/],
    [{ id: "a", filter: { to: "x" } }, /filter\.to/],
    [{ id: "a", filter: { to: { name: "" } } }, /filter\.to\.name/],
    [{ id: "a", filter: { verb: "GET" } }, /filter\.verb/],
    [{ id: "a", maxPerSecond: 0 }, /maxPerSecond/],
  ];
  for (const [value, text] of refusals) assert.throws(() => parseTapRequest(value), text);
});
