import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttributeReader } from "../../services/proxy/policy/attribute-reader.ts";
import { attributeText } from "../../services/proxy/policy/attribute-text.ts";
import { CheckCache, CheckScope } from "../../services/proxy/policy/check-cache.ts";
import { denialBody } from "../../services/proxy/policy/denial-body.ts";
import { grpcStatusName, httpStatusOf } from "../../shared/base/index.ts";
import type { AttributeValue } from "../../shared/model/index.ts";
import { CheckResponse, type ReferencedAttribute } from "../../shared/wire/index.ts";

const OK = { code: 0, message: "" };
const DENIED = { code: 7, message: "no" };

function reader(attributes: Record<string, AttributeValue>): AttributeReader {
  return (reference) => attributes[reference];
}

function validity(present: string[], absent: string[] = [], validMs = 1_000, validUses = 100) {
  const referenced: ReferencedAttribute[] = CheckResponse.decode(
    CheckResponse.encode({
      referenced: [
        ...present.map((attribute) => ({ attribute })),
        ...absent.map((attribute) => ({ attribute, absent: true })),
      ],
    }),
  ).referenced;
  return { referenced, validMs, validUses };
}

test("an answer serves every request that agrees in what was looked at", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  cache.store(scope, reader({ "source.user": "a", "request.path": "/1" }), 0, OK, validity(["source.user"]));
  assert.equal(cache.lookup(scope, reader({ "source.user": "a", "request.path": "/2" }), 1), OK);
  assert.equal(cache.lookup(scope, reader({ "source.user": "b", "request.path": "/1" }), 1), undefined);
  assert.equal(cache.lookup(scope, reader({ "request.path": "/1" }), 1), undefined);
});

test("an answer that depends on an absence does not serve a request that has the attribute", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  const depends = validity(["source.user"], ["request.headers[x-key]"]);
  cache.store(scope, reader({ "source.user": "a" }), 0, DENIED, depends);
  assert.equal(cache.lookup(scope, reader({ "source.user": "a" }), 1), DENIED);
  assert.equal(cache.lookup(scope, reader({ "source.user": "a", "request.headers[x-key]": "" }), 1), undefined);
});

test("several shapes of one plan are all tried", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  cache.store(scope, reader({ "request.path": "/open" }), 0, OK, validity(["request.path"]));
  cache.store(
    scope,
    reader({ "request.path": "/closed", "source.user": "a" }),
    0,
    DENIED,
    validity(["request.path", "source.user"]),
  );
  assert.equal(cache.lookup(scope, reader({ "request.path": "/open", "source.user": "a" }), 1), OK);
  assert.equal(cache.lookup(scope, reader({ "request.path": "/closed", "source.user": "a" }), 1), DENIED);
  assert.equal(cache.lookup(scope, reader({ "request.path": "/closed", "source.user": "b" }), 1), undefined);
});

test("an answer ends with its time and with its uses", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  const read = reader({ "source.user": "a" });
  cache.store(scope, read, 0, OK, validity(["source.user"], [], 1_000, 2));
  assert.equal(cache.lookup(scope, read, 999), OK);
  assert.equal(cache.lookup(scope, read, 1_000), undefined);
  cache.store(scope, read, 2_000, OK, validity(["source.user"], [], 1_000, 2));
  assert.equal(cache.lookup(scope, read, 2_001), OK);
  assert.equal(cache.lookup(scope, read, 2_001), OK);
  assert.equal(cache.lookup(scope, read, 2_001), undefined);
  cache.store(scope, read, 3_000, OK, validity(["source.user"], [], 0, 2));
  cache.store(scope, read, 3_000, OK, validity(["source.user"], [], 1_000, 0));
  assert.equal(cache.lookup(scope, read, 3_000), undefined);
});

test("another plan or revision starts with nothing", () => {
  const cache = new CheckCache();
  const read = reader({ "source.user": "a" });
  cache.store(new CheckScope(), read, 0, DENIED, validity(["source.user"]));
  assert.equal(cache.lookup(new CheckScope(), read, 1), undefined);
});

test("a lookup for denials passes an allowed answer by and does not use it up", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  const read = reader({ "source.user": "a" });
  cache.store(scope, read, 0, OK, validity(["source.user"], [], 1_000, 1));
  assert.equal(cache.lookup(scope, read, 1, true), undefined);
  assert.equal(cache.lookup(scope, read, 1), OK);
  cache.store(scope, read, 0, DENIED, validity(["source.user"]));
  assert.equal(cache.lookup(scope, read, 1, true), DENIED);
});

test("the cache forgets the least recently used answer, and no more", () => {
  const cache = new CheckCache(2);
  const scope = new CheckScope();
  const user = (name: string) => reader({ "source.user": name });
  for (const name of ["a", "b"]) cache.store(scope, user(name), 0, OK, validity(["source.user"]));
  cache.lookup(scope, user("a"), 1);
  cache.store(scope, user("c"), 1, OK, validity(["source.user"]));
  assert.equal(cache.size, 2);
  assert.equal(cache.lookup(scope, user("b"), 1), undefined);
  assert.equal(cache.lookup(scope, user("a"), 1), OK);
});

test("an answer about attributes that the request does not have is not kept", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  cache.store(scope, reader({}), 0, OK, validity(["source.user"]));
  cache.store(scope, reader({ "source.user": "a" }), 0, OK, validity([], ["source.user"]));
  assert.equal(cache.size, 0);
});

test("values of different kinds never look the same", () => {
  const values: AttributeValue[] = [
    "1",
    1,
    true,
    "true",
    new Uint8Array([1]),
    "01",
    { a: "b" },
    { a: "b", c: "d" },
    { ab: "" },
    {},
    "",
  ];
  assert.equal(new Set(values.map(attributeText)).size, values.length);
  assert.equal(attributeText({ b: "2", a: "1" }), attributeText({ a: "1", b: "2" }));
  assert.notEqual(attributeText("a") + attributeText("bc"), attributeText("ab") + attributeText("c"));
});

test("a cached answer costs at most a few microseconds", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  const attributes: Record<string, AttributeValue> = {
    "source.user": "cluster.local/ns/default/sa/bookinfo-productpage",
    "destination.service": "reviews.default.svc.cluster.local",
    "request.path": "/reviews/0",
    "source.labels[version]": "v1",
  };
  const read = reader(attributes);
  cache.store(scope, read, 0, OK, validity(Object.keys(attributes), ["request.headers[x-key]"], 1e9, 4_000_000_000));
  const rounds = 100_000;
  const run = (): number => {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) cache.lookup(scope, read, 1);
    return ((performance.now() - start) * 1_000) / rounds;
  };
  const micros = Math.min(run(), run(), run());
  assert.ok(micros < 10, `${micros} us`);
});

test("statuses map to HTTP and to the text of a refusal", () => {
  assert.equal(httpStatusOf(7), 403);
  assert.equal(httpStatusOf(8), 429);
  assert.equal(httpStatusOf(14), 503);
  assert.equal(httpStatusOf(99), 500);
  assert.equal(grpcStatusName(99), "UNKNOWN");
  assert.equal(
    denialBody(8, "Quota is exhausted for: RequestCount"),
    "RESOURCE_EXHAUSTED:Quota is exhausted for: RequestCount",
  );
});

test("an answer that depends on very long values is not kept, so that callers cannot fill the memory with them", () => {
  const cache = new CheckCache();
  const scope = new CheckScope();
  const long = { "request.path": `/${"x".repeat(50_000)}` };
  cache.store(scope, reader(long), 0, OK, validity(["request.path"]));
  assert.equal(cache.size, 0);
  assert.equal(cache.lookup(scope, reader(long), 1), undefined);
  cache.store(scope, reader({ "request.path": "/" }), 0, OK, validity(["request.path"]));
  assert.equal(cache.lookup(scope, reader({ "request.path": "/" }), 1), OK);
});
