import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch } from "../../services/proxy/report/batch.ts";
import { type CompiledReportPlan, compilePlan } from "../../services/proxy/report/compiled-plan.ts";
import { RowTable } from "../../services/proxy/report/row-table.ts";
import type { AttributeValue } from "../../shared/model/index.ts";
import { type Input, Plan, ReportBatch } from "../../shared/wire/index.ts";

type Values = Readonly<Record<string, AttributeValue | undefined>>;

interface Record_ {
  readonly source: object;
  readonly destination: object;
  readonly values: Values;
}

/** Of two peers that were never seen before. */
function record(values: Values): Record_ {
  return { source: {}, destination: {}, values };
}

function compiled(plan: Input<typeof Plan>, id = 1): CompiledReportPlan<Record_> {
  return compilePlan(
    Plan.decode(Plan.encode(plan)),
    id,
    (reference) =>
      ({ values }: Record_) =>
        values[reference],
  );
}

/** What Mixer gets of a table. */
function sent(table: RowTable<Record_>): ReportBatch {
  const batch = new Batch<Record_>();
  for (const row of table.take(1_000)) batch.add(row);
  const { words, peers, rows } = batch;
  return ReportBatch.decode(ReportBatch.encode({ words: [...words], peers: [...peers], rows: [...rows] }));
}

const PLAN = {
  inbound: {
    groupBy: ["response.code", "source.principal", "request.headers[x-a]"],
    values: [{ attribute: "response.duration", bounds: [10, 100] }],
  },
};

test("requests that look the same become one row with sums and a histogram", () => {
  const side = compiled(PLAN).inbound!;
  const table = new RowTable<Record_>();
  for (const duration of [5, 10, 50, 1_000])
    table.add(side, record({ "response.code": 200, "response.duration": duration }), 1_000 + duration);
  table.add(side, record({ "response.code": 200 }), 5_000);
  table.add(side, record({ "response.code": 500, "response.duration": 1 }), 5_000);
  const [ok, failed, ...more] = table.take(100);
  assert.equal(more.length, 0);
  assert.equal(ok?.count, 5);
  assert.deepEqual(ok?.values, [{ sum: 1_065, count: 4, buckets: [2, 1, 1] }]);
  assert.equal(failed?.count, 1);
  assert.equal(table.size, 0);
  assert.equal(table.dropped, 0);
});

test("an absent value, an empty one and one of another kind make different rows", () => {
  const side = compiled(PLAN).inbound!;
  const table = new RowTable<Record_>();
  for (const principal of [undefined, "", "-", "undefined"])
    table.add(side, record({ "response.code": 200, "source.principal": principal }), 0);
  table.add(side, record({ "source.principal": "a", "request.headers[x-a]": "b" }), 0);
  table.add(side, record({ "source.principal": "ab", "request.headers[x-a]": "" }), 0);
  assert.equal(table.size, 6);
});

test("a full table goes on counting known rows and counts what it drops", () => {
  const side = compiled(PLAN).inbound!;
  const table = new RowTable<Record_>({ maxRows: 2 });
  for (const code of [200, 201, 202, 203, 200]) table.add(side, record({ "response.code": code }), 0);
  assert.equal(table.size, 2);
  assert.equal(table.dropped, 2);
  assert.deepEqual(
    table.take(10).map((row) => row.count),
    [2, 1],
  );
});

test("rules that need each request get each request, bounded", () => {
  const side = compiled({ outbound: { eachRequest: true, each: ["request.path"] } }).outbound!;
  const table = new RowTable<Record_>({ maxEach: 3 });
  for (let i = 0; i < 5; i++) table.add(side, record({ "request.path": `/${i}` }), i);
  assert.equal(table.size, 3);
  assert.equal(table.dropped, 2);
  const rows = table.take(10);
  assert.deepEqual(
    rows.map((row) => row.own),
    [["/0"], ["/1"], ["/2"]],
  );
  assert.ok(rows.every((row) => row.each && row.count === 1));
});

test("a plan that wants both makes one merged row and one for each request", () => {
  const side = compiled({ inbound: { ...PLAN.inbound, eachRequest: true, each: ["request.path"] } }).inbound!;
  const table = new RowTable<Record_>();
  table.add(side, record({ "response.code": 200, "request.path": "/a" }), 0);
  table.add(side, record({ "response.code": 200, "request.path": "/b" }), 0);
  assert.deepEqual(
    table.take(10).map((row) => [row.each, row.count]),
    [
      [false, 2],
      [true, 1],
      [true, 1],
    ],
  );
});

test("rows of an older plan stay apart and keep their own columns", () => {
  const before = compiled(PLAN, 1).inbound!;
  const now = compiled({ inbound: { groupBy: ["response.code"] } }, 2).inbound!;
  const table = new RowTable<Record_>();
  table.add(before, record({ "response.code": 200 }), 0);
  table.add(now, record({ "response.code": 200 }), 0);
  assert.deepEqual(
    table.take(10).map((row) => row.peers.length + row.own.length),
    [3, 1],
  );
});

test("taking a part leaves the rest, and giving up counts it", () => {
  const side = compiled(PLAN).inbound!;
  const table = new RowTable<Record_>();
  for (const code of [200, 201, 202, 202]) table.add(side, record({ "response.code": code }), 0);
  assert.equal(table.take(2).length, 2);
  assert.equal(table.clear(), 2);
  assert.equal(table.dropped, 2);
  assert.equal(table.size, 0);
});

test("a row travels with every type, each string once", () => {
  const references = [
    "response.code",
    "source.principal",
    "request.time",
    "response.duration",
    "source.ip",
    "source.labels",
    "connection.mtls",
  ];
  const side = compiled({ inbound: { groupBy: [...references, "no.such.attribute"], values: PLAN.inbound.values } })
    .inbound!;
  const table = new RowTable<Record_>();
  const request = record({
    "response.code": 200,
    "source.principal": "a",
    "request.time": 1_700_000_000_000,
    "response.duration": 12.5,
    "source.ip": new Uint8Array([127, 0, 0, 1]),
    "source.labels": { app: "a", version: "v1" },
    "connection.mtls": true,
  });
  table.add(side, request, 1_000);
  table.add(side, request, 3_000);
  const batch = sent(table);
  assert.equal(new Set(batch.words).size, batch.words.length);
  const [row] = batch.rows;
  assert.equal(row?.count, 2);
  assert.equal(row?.timeMs, 2_000);
  const peers = batch.peers[(row?.peers ?? 0) - 1]?.attributes ?? [];
  const byName = new Map([...peers, ...(row?.attributes ?? [])].map((each) => [batch.words[each.name], each]));
  assert.deepEqual([...byName.keys()].sort(), [...references].sort());
  assert.equal(byName.get("response.code")?.int64, 200);
  assert.equal(batch.words[byName.get("source.principal")?.string ?? -1], "a");
  assert.equal(byName.get("request.time")?.timestampMs, 1_700_000_000_000);
  assert.equal(byName.get("response.duration")?.durationMs, 12.5);
  assert.deepEqual([...(byName.get("source.ip")?.ipAddress ?? [])], [127, 0, 0, 1]);
  assert.deepEqual(
    byName.get("source.labels")?.stringMap?.words.map((index) => batch.words[index]),
    ["app", "a", "version", "v1"],
  );
  assert.equal(byName.get("connection.mtls")?.bool, true);
  assert.deepEqual(row?.values[0]?.buckets, [0, 2, 0]);
  assert.deepEqual(row?.values[0]?.bounds, [10, 100]);
});

test("rows of the same peers say once who they are", () => {
  const references = ["source.principal", "destination.service", "request.path"];
  const side = compiled({ inbound: { groupBy: references, eachRequest: true, each: references } }).inbound!;
  const table = new RowTable<Record_>();
  const peers = { source: {}, destination: {} };
  for (const path of ["/a", "/b", "/a"]) {
    const values = { "source.principal": "a", "destination.service": "b", "request.path": path };
    table.add(side, { ...peers, values }, 0);
  }
  const { rows, words, peers: sets } = sent(table);
  assert.deepEqual(
    rows.map(({ each, count, peers, attributes }) => [each, count, peers, words[attributes[0]?.string ?? -1]]),
    [
      [false, 2, 1, "/a"],
      [false, 1, 1, "/b"],
      [true, 1, 2, "/a"],
      [true, 1, 2, "/b"],
      [true, 1, 2, "/a"],
    ],
  );
  for (const { attributes } of sets) {
    assert.deepEqual(
      attributes.map(({ name, string }) => [words[name], words[string ?? -1]]),
      [
        ["source.principal", "a"],
        ["destination.service", "b"],
      ],
    );
  }
});

test("a value of the wrong type is left out rather than sent as another", () => {
  const side = compiled({ inbound: { groupBy: ["response.code", "request.path"] } }).inbound!;
  const table = new RowTable<Record_>();
  table.add(side, record({ "response.code": "200", "request.path": 5 }), 0);
  assert.deepEqual(sent(table).rows[0]?.attributes, []);
});

test("what the two peers say is worked out once, whatever else differs, and after a take as before", () => {
  const plan = { inbound: { groupBy: ["source.principal", "destination.service", "response.code"] } };
  let reads = 0;
  const side = compilePlan(Plan.decode(Plan.encode(plan)), 1, (reference) => ({ values }: Record_) => {
    if (reference !== "response.code") reads++;
    return values[reference];
  }).inbound!;
  const table = new RowTable<Record_>();
  const peers = { source: {}, destination: {} };
  const names = { "source.principal": "a", "destination.service": "b" };
  const add = (code: number) => table.add(side, { ...peers, values: { ...names, "response.code": code } }, 0);
  for (const code of [200, 200, 500]) add(code);
  table.add(side, record({ ...names, "response.code": 200 }), 0);
  const afterNew = reads;
  for (const code of [200, 500]) add(code);
  assert.equal(reads, afterNew);
  const rows = () => table.take(10).map(({ count, peers, own }) => [count, ...peers, ...own]);
  assert.deepEqual(rows(), [
    [4, "a", "b", 200],
    [2, "a", "b", 500],
  ]);
  add(200);
  table.add(side, record({ ...names, "response.code": 200 }), 0);
  assert.deepEqual(rows(), [[2, "a", "b", 200]]);
});

test("a part of the rows can be taken, and the others go on counting", () => {
  const side = compiled({ inbound: { groupBy: ["source.principal", "response.code"] } }).inbound!;
  const table = new RowTable<Record_>();
  const peers = { source: {}, destination: {} };
  const add = (code: number) =>
    table.add(side, { ...peers, values: { "source.principal": "a", "response.code": code } }, 0);
  for (const code of [200, 201, 202]) add(code);
  assert.equal(table.take(2).length, 2);
  assert.equal(table.size, 1);
  for (const code of [202, 200]) add(code);
  assert.deepEqual(
    table.take(10).map(({ count, own }) => [count, ...own]),
    [
      [2, 202],
      [1, 200],
    ],
  );
  assert.equal(table.size, 0);
});

test("rows with long values are bounded by their text as well as by their number", () => {
  const { inbound } = compiled({ inbound: { groupBy: ["request.path"], eachRequest: true, each: ["request.path"] } });
  const table = new RowTable<Record_>({ maxTextChars: 100_000 });
  for (let i = 0; i < 100; i++) table.add(inbound!, record({ "request.path": `/${i}${"x".repeat(10_000)}` }), 0);
  assert.equal(table.size, 9);
  assert.equal(table.dropped, 191);
  table.add(inbound!, record({ "request.path": `/0${"x".repeat(10_000)}` }), 0);
  assert.equal(table.take(1000).find((row) => !row.each)?.count, 2, "a row that is there goes on counting");
  table.add(inbound!, record({ "request.path": "/" }), 0);
  assert.equal(table.size, 2, "what was taken makes room");
});
