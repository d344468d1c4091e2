import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkAttributes, decodeParts, decodeRow } from "../../services/mixer/attributes.ts";
import { CheckRequest, ReportBatch } from "../../shared/wire/index.ts";

const IDENTITY = { namespace: "default", serviceAccount: "ratings", proxy: "ratings-1" };

function bagOf(attributes: Record<string, object>) {
  return checkAttributes(CheckRequest.decode(CheckRequest.encode({ attributes })), IDENTITY);
}

describe("the attributes of a check", () => {
  test("take the caller's identity from the subject, whatever the payload says", () => {
    const bag = bagOf({
      "destination.namespace": { string: "other" },
      "destination.principal": { string: "spiffe://cluster.local/ns/other/sa/x" },
      "context.reporter.kind": { string: "outbound" },
      "source.namespace": { string: "frontend" },
    });
    assert.equal(bag.get("destination.namespace"), "default");
    assert.equal(bag.get("destination.principal"), "spiffe://cluster.local/ns/default/sa/ratings");
    assert.equal(bag.get("destination.user"), "cluster.local/ns/default/sa/ratings");
    assert.equal(bag.get("context.reporter.kind"), "inbound");
    assert.equal(bag.get("source.namespace"), "frontend");
  });

  test("do not name a service of another namespace as the caller's own", () => {
    assert.equal(
      bagOf({ "destination.service": { string: "x.other.svc.cluster.local" } }).get("destination.service"),
      undefined,
    );
    const own = "ratings.default.svc.cluster.local";
    assert.equal(bagOf({ "destination.service": { string: own } }).get("destination.service"), own);
  });

  test("count as absent when they are not of their type", () => {
    const bag = bagOf({ "response.code": { string: "200" }, "request.path": { int64: 1 }, "no.such": { string: "x" } });
    assert.deepEqual(
      [bag.get("response.code"), bag.get("request.path"), bag.get("no.such")],
      [undefined, undefined, undefined],
    );
  });

  test("are maps as a whole or by single keys", () => {
    const bag = bagOf({
      "request.headers": { stringMap: { entries: { a: "1", __proto__x: "2" } } },
      "source.labels[version]": { string: "v3" },
    });
    assert.equal(bag.getKey("request.headers", "a"), "1");
    assert.equal(bag.getKey("request.headers", "constructor"), undefined);
    assert.equal(bag.getKey("source.labels", "version"), "v3");
  });
});

test("a row of the client's side is the sender's as the source", () => {
  const words = ["destination.service", "details.books.svc.cluster.local", "source.namespace", "elsewhere"];
  const attributes = [
    { name: 0, string: 1 },
    { name: 2, string: 3 },
  ];
  const [row, common] = ReportBatch.decode(
    ReportBatch.encode({
      words,
      rows: [
        { outbound: true, count: 1, attributes },
        { outbound: true, peers: 1 },
      ],
    }),
  ).rows;
  assert.ok(row && common);
  const decoded = decodeRow(row, { words, peers: [] }, IDENTITY);
  assert.equal(decoded.namespace, "books");
  assert.equal(decoded.row.reporter, "source");
  assert.equal(decoded.row.source.namespace, "default");
  assert.deepEqual([decoded.row.destination.namespace, decoded.row.destination.service], ["books", "details"]);
  assert.throws(() => decodeRow(row, { words: words.slice(0, 2), peers: [] }, IDENTITY), /word 2 of 2/);
  const parts = decodeParts(ReportBatch.decode(ReportBatch.encode({ words, peers: [{ attributes }] })));
  assert.deepEqual(decodeRow(common, parts, IDENTITY).row.destination, decoded.row.destination);
  assert.throws(() => decodeRow(common, { words, peers: [] }, IDENTITY), /peers 1 of 0/);
});

test("rows of the same peers share what the peers say, each with its own over it", () => {
  const words = [
    "source.labels",
    "app",
    "a",
    "destination.service",
    "x.other.svc.cluster.local",
    "source.labels[app]",
    "b",
  ];
  const peers = [
    {
      attributes: [
        { name: 0, stringMap: { words: [1, 2] } },
        { name: 3, string: 4 },
      ],
    },
  ];
  const rows = [
    { peers: 1, attributes: [{ name: 5, string: 6 }] },
    { peers: 1, outbound: true },
  ];
  const batch = ReportBatch.decode(ReportBatch.encode({ words, peers, rows }));
  const parts = decodeParts(batch);
  const [inbound, outbound] = batch.rows.map((row) => decodeRow(row, parts, IDENTITY).bag);
  assert.deepEqual([inbound?.getKey("source.labels", "app"), outbound?.getKey("source.labels", "app")], ["b", "a"]);
  // Not believed of the side that reports, and none the less there for the rows of the other.
  assert.equal(inbound?.get("destination.service"), undefined);
  assert.equal(outbound?.get("destination.service"), "x.other.svc.cluster.local");
  assert.equal(inbound?.get("source.labels"), outbound?.get("source.labels"));
});

test("a batch whose every row names one long list of peers' attributes takes no more memory than it is long", () => {
  const labels = Array.from({ length: 3_000 }, (_, i) => `source.labels[${i}]`);
  const attributes = labels.map((_, i) => ({ name: i, string: 0 }));
  const rows = Array.from({ length: 2_000 }, () => ({ peers: 1 }));
  const batch = ReportBatch.decode(ReportBatch.encode({ words: labels, peers: [{ attributes }], rows }));
  const parts = decodeParts(batch);
  const before = process.memoryUsage().heapUsed;
  const decoded = batch.rows.map((row) => decodeRow(row, parts, IDENTITY));
  const perRowBytes = (process.memoryUsage().heapUsed - before) / decoded.length;
  assert.equal(decoded.at(-1)?.bag.getKey("source.labels", "2999"), "source.labels[0]");
  assert.ok(perRowBytes < 20_000, `${perRowBytes} bytes a row`);
});
