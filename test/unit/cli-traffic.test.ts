import assert from "node:assert/strict";
import { test } from "node:test";
import { edgesOf, identity, renderEdges } from "../../cli/live/edges-report.ts";
import { milliseconds, statRows } from "../../cli/live/stat-report.ts";
import { TopTable } from "../../cli/live/top-table.ts";
import { countedOnce, parseName, quantile, summaryOf, trafficBetween } from "../../cli/live/traffic.ts";
import { palette } from "../../cli/render.ts";
import { printable } from "../../cli/safe-text.ts";
import type { ProxyStatus, TapRow, TrafficSeries, TrafficView } from "../../shared/wire/index.ts";

const BOUNDS = [1, 10, 100];

function party(name: string, principal = `spiffe://cluster.local/ns/default/sa/${name}`) {
  return { namespace: "default", service: name, workload: `${name}-v1`, version: "v1", principal };
}

function series(fields: Partial<TrafficSeries> = {}): TrafficSeries {
  return {
    reporter: "destination",
    source: party("caller"),
    destination: party("reviews"),
    code: 200,
    flags: "",
    security: "mutual_tls",
    requests: 10,
    durationMs: { sum: 50, counts: [0, 10, 0, 0] },
    ...fields,
  };
}

function view(all: readonly TrafficSeries[], startedMs = 1): TrafficView {
  return { startedMs, nowMs: 2, bounds: BOUNDS, series: all, leftOut: 0 };
}

test("what was counted between two looks is the difference, and all of it after a restart", () => {
  const before = new Map([
    ["a", view([series()])],
    ["b", view([series({ code: 503 })])],
  ]);
  const after = new Map([
    [
      "a",
      view([
        series({ requests: 14, durationMs: { sum: 70, counts: [1, 12, 1, 0] } }),
        series({ code: 404, requests: 2 }),
      ]),
    ],
    ["b", view([series({ code: 503, requests: 3 })], 9)],
    ["c", view([])],
  ]);
  const left = trafficBetween(before, after);
  assert.deepEqual(
    left.map(({ code, requests }) => [code, requests]),
    [
      [200, 4],
      [404, 2],
      [503, 3],
    ],
  );
  assert.deepEqual(left[0]?.durationMs, { sum: 20, counts: [1, 2, 1, 0] });
  assert.deepEqual(trafficBetween(before, before), []);
});

test("a request is counted where it was received, and at its caller where nobody received it", () => {
  const received = series();
  const sent = series({ reporter: "source", security: "unknown" });
  const outside = series({
    reporter: "source",
    security: "unknown",
    destination: { ...party("api", ""), workload: "" },
  });
  assert.deepEqual(countedOnce([received, sent, outside]), [received, outside]);
  assert.deepEqual(countedOnce([sent]), [sent], "the other proxy does not answer");
});

test("percentiles lie within their bucket, and beyond all bounds at the last one", () => {
  assert.equal(quantile([0, 10, 0, 0], BOUNDS, 0.5), 5.5);
  assert.equal(quantile([5, 0, 5, 0], BOUNDS, 0.5), 1);
  assert.equal(quantile([0, 0, 0, 3], BOUNDS, 0.99), 100);
  assert.equal(quantile([0, 0, 0, 0], BOUNDS, 0.5), 0);
  const summary = summaryOf([series(), series({ code: 503, requests: 10 }), series({ code: 0, requests: 10 })], BOUNDS);
  assert.equal(summary?.requests, 30);
  assert.equal(summary.successRate, 1 / 3);
  assert.equal(summaryOf([], BOUNDS), undefined);
});

test("stat has a row for every service, and finds workloads by their service", () => {
  const statuses = ["caller", "reviews"].map((name) => ({
    namespace: "default",
    service: name,
    workload: `${name}-v1`,
  }));
  const options = { bounds: BOUNDS, seconds: 5 };
  const rows = statRows([series()], statuses as ProxyStatus[], { ...options, by: "service" });
  assert.deepEqual(
    rows.map(({ name, proxies, rps }) => [name, proxies, rps]),
    [
      ["caller", 1, 0],
      ["reviews", 1, 2],
    ],
  );
  const wanted = { name: "reviews", namespace: "default" };
  assert.deepEqual(
    statRows([series()], statuses as ProxyStatus[], { ...options, by: "workload", wanted }).map(({ name }) => name),
    ["reviews-v1"],
  );
  const from = { name: "other" };
  assert.equal(
    statRows([series()], statuses as ProxyStatus[], { ...options, by: "service", from })[1]?.requests,
    undefined,
  );
});

test("an edge is secured when all of its requests were, and says so of each end", () => {
  const plain = series({ source: { ...party("", ""), workload: "" }, security: "none" });
  const mixed = [series(), series({ security: "none" })];
  const outside = series({
    reporter: "source",
    security: "unknown",
    destination: { ...party("api", ""), workload: "" },
  });
  assert.deepEqual(
    edgesOf([series()]).map(({ secured }) => secured),
    ["yes"],
  );
  assert.deepEqual(
    edgesOf([plain]).map(({ secured }) => secured),
    ["no"],
  );
  assert.deepEqual(
    edgesOf(mixed).map(({ secured, requests }) => [secured, requests]),
    [["partly", 20]],
  );
  assert.deepEqual(
    edgesOf([outside]).map(({ secured }) => secured),
    ["no"],
  );
  const table = renderEdges(edgesOf([plain]), palette(false));
  assert.match(table, /^outside +reviews-v1 +default +default +- +reviews\.default +10 +x$/m);
  assert.equal(identity("spiffe://cluster.local/ns/a/sa/b"), "b.a");
});

function tapRow(path: string, fields: Partial<TapRow> = {}): TapRow {
  const peer = { ...party("x"), instance: "x-1", address: "" };
  return {
    timeMs: 0,
    durationMs: 5,
    reporter: "destination",
    source: peer,
    destination: peer,
    method: "GET",
    authority: "x",
    path,
    status: 200,
    flags: "",
    detail: "",
    requestId: "",
    route: "",
    attempts: 1,
    bytesReceived: 0,
    bytesSent: 0,
    mutualTls: true,
    ...fields,
  };
}

test("top sums up without queries, the most frequent first, and is bounded", () => {
  const table = new TopTable();
  for (let i = 0; i < 3; i++) table.add(tapRow(`/a?x=${i}`, { durationMs: i + 1, status: i === 2 ? 503 : 200 }));
  table.add(tapRow("/b"));
  const [first] = table.rows(1);
  assert.equal(table.rows(1).length, 1);
  assert.deepEqual([first?.path, first?.count, first?.bestMs, first?.worstMs, first?.lastMs], ["/a", 3, 1, 3, 3]);
  assert.equal(first?.successRate, 2 / 3);
  for (let i = 0; i < 6_000; i++) table.add(tapRow(`/id/${i}`));
  const all = table.rows(10_000);
  assert.equal(all.length, 5_001);
  assert.equal(all[0]?.source, "(other)");
});

test("what requests say cannot move the cursor, and names and times stay short", () => {
  assert.equal(printable("/a\u001b[2Jb\n"), "/a%1B[2Jb%0A");
  assert.deepEqual(parseName("reviews.default"), { name: "reviews", namespace: "default" });
  assert.deepEqual(parseName("reviews"), { name: "reviews" });
  assert.deepEqual([0.42, 12.3, 12_345, undefined].map(milliseconds), ["0.4ms", "12ms", "12.3s", "-"]);
});
