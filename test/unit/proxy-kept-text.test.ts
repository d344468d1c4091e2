import assert from "node:assert/strict";
import { test } from "node:test";
import { FieldParser } from "../../services/proxy/codec/http1-fields.ts";
import { headText, parseRequestHead } from "../../services/proxy/codec/http1-head.ts";
import { DEFAULT_LIMITS } from "../../services/proxy/codec/http1-settings.ts";
import { TargetReader } from "../../services/proxy/codec/http1-target.ts";
import { CheckCache, CheckScope } from "../../services/proxy/policy/check-cache.ts";
import { compilePlan } from "../../services/proxy/report/compiled-plan.ts";
import { RowTable } from "../../services/proxy/report/row-table.ts";
import { CheckResponse, Plan } from "../../shared/wire/index.ts";
import { heldBytes } from "../harness/collected-heap.ts";

/** What is remembered of a message must not hold on to the rest of it. */

const COUNT = 200;
const PADDING = 50_000;

function request(place: number) {
  const lines = ["GET / HTTP/1.1", `Host: reviews-${place}.default:9080`, `X-Name: a name of caller ${place}`];
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\nCookie: ${"c".repeat(PADDING)}\r\n\r\n`);
  return { bytes, text: headText(bytes, 0, 0) ?? "" };
}

function perItem(make: (place: number) => unknown): number {
  const kept: unknown[] = [];
  make(0);
  const before = heldBytes();
  for (let i = 0; i < COUNT; i++) kept.push(make(i));
  return (heldBytes() - before) / kept.length;
}

test("a connection keeps of its last heads the names and the host, not the heads", () => {
  const bytes = perItem((place) => {
    const connection = { targets: new TargetReader(), fields: new FieldParser() };
    const head = parseRequestHead(request(place).text, DEFAULT_LIMITS, connection.fields);
    assert.equal(connection.targets.read(head).authority, `reviews-${place}.default:9080`);
    return connection;
  });
  assert.ok(bytes < PADDING / 5, `${bytes} bytes a connection`);
});

test("a row keeps its values, not the heads that they came in", () => {
  const plan = Plan.decode(Plan.encode({ inbound: { groupBy: ["request.headers[x-name]"] } }));
  const { inbound } = compilePlan(
    plan,
    1,
    () =>
      ({ name }: { source: object; destination: object; name: string }) =>
        name,
  );
  const table = new RowTable<{ source: object; destination: object; name: string }>();
  const peers = { source: {}, destination: {} };
  const bytes = perItem((place) => {
    const { headers } = parseRequestHead(request(place).text, DEFAULT_LIMITS, new FieldParser());
    if (inbound !== undefined) table.add(inbound, { ...peers, name: headers.get("x-name") ?? "" }, 0);
    return undefined;
  });
  assert.equal(table.size, COUNT);
  assert.ok(bytes < PADDING / 5, `${bytes} bytes a row`);
});

test("a cached answer keeps what it depends on, not the head of who asked for it first", () => {
  const [cache, scope] = [new CheckCache(), new CheckScope()];
  const { referenced } = CheckResponse.decode(
    CheckResponse.encode({ referenced: [{ attribute: "request.headers[x-name]" }] }),
  );
  const validity = { referenced, validMs: 1_000, validUses: 100 };
  const answer = { code: 0, message: "" };
  const bytes = perItem((place) => {
    const read = () => parseRequestHead(request(place).text, DEFAULT_LIMITS, new FieldParser()).headers.get("x-name");
    cache.store(scope, read, 0, answer, validity);
    return undefined;
  });
  assert.equal(cache.size, COUNT);
  assert.ok(bytes < PADDING / 5, `${bytes} bytes an answer`);
});
