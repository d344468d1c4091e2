import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "../../shared/base/index.ts";
import { type BusMessage, errorHeaders, errorOf, open, seal } from "../../shared/bus/index.ts";
import { parseTimeUs } from "../../shared/bus/jetstream.ts";
import { Subjects } from "../../shared/wire/index.ts";

const subjects = new Subjects("mesh");
const bytes = (text: string) => new TextEncoder().encode(text);

function message(data: Uint8Array, headers: Record<string, string>): BusMessage {
  return {
    subject: "mesh.service.default.a",
    reply: undefined,
    data,
    status: 0,
    header: (name) => headers[name],
    text: () => new TextDecoder().decode(data),
    decode: (type) => type.decode(data),
  };
}

const stored = (key: string, sequence = "3") => ({
  "Nats-Subject": `$KV.mesh-service.${key}`,
  "Nats-Sequence": sequence,
});

test("what was sealed opens, with the server's sequence and a copy of the bytes", () => {
  const sealed = seal("service", "default.a", 17, bytes("value"));
  const opened = open(subjects, "service", "default.a", message(sealed, stored("default.a")));
  assert.deepEqual(opened, { kind: "value", key: "default.a", sequence: 3, epoch: 17, value: bytes("value") });
  sealed.fill(0);
  assert.deepEqual(opened.kind === "value" && opened.value, bytes("value"));
});

test("an envelope of another key or table is refused", () => {
  for (const sealed of [
    seal("service", "default.b", 17, bytes("v")),
    seal("plan", "default.a", 17, bytes("v")),
    bytes("junk"),
  ]) {
    assert.throws(() => open(subjects, "service", "default.a", message(sealed, stored("default.a"))), WireError);
  }
});

test("a message that the server did not store under the key's own bucket subject is refused", () => {
  const sealed = seal("service", "default.a", 17, bytes("v"));
  for (const headers of [
    {},
    stored("default.b"),
    stored("default.a", "0"),
    stored("default.a", "x"),
    { "Nats-Subject": "$KV.mesh-service.default.a" },
  ]) {
    assert.throws(() => open(subjects, "service", "default.a", message(sealed, headers)), WireError);
  }
});

test("a deletion marker counts only with its own bucket subject", () => {
  const marker = (key: string) => message(bytes(""), { ...stored(key), "KV-Operation": "DEL" });
  assert.deepEqual(open(subjects, "service", "default.a", marker("default.a")), {
    kind: "marker",
    key: "default.a",
    sequence: 3,
  });
  assert.throws(() => open(subjects, "service", "default.a", marker("default.b")), WireError);
});

test("configuration travels readable, without envelope", () => {
  const json = bytes('{"kind":"RouteRule"}');
  assert.equal(seal("config", "routerule.default.a", 17, json), json);
  const headers = { "Nats-Subject": "$KV.mesh-config.routerule.default.a", "Nats-Sequence": "9" };
  assert.deepEqual(open(subjects, "config", "routerule.default.a", message(json, headers)), {
    kind: "value",
    key: "routerule.default.a",
    sequence: 9,
    epoch: 0,
    value: json,
  });
});

test("creation times keep their microseconds", () => {
  assert.equal(parseTimeUs("2026-11-23T12:26:22.123456789Z"), Date.UTC(2026, 10, 23, 12, 26, 22) * 1000 + 123456);
  assert.equal(parseTimeUs("2026-11-23T12:26:22Z"), Date.UTC(2026, 10, 23, 12, 26, 22) * 1000);
  assert.equal(parseTimeUs("2026-11-23T13:26:22.1+01:00"), Date.UTC(2026, 10, 23, 12, 26, 22) * 1000 + 100_000);
  assert.throws(() => parseTimeUs("yesterday"), WireError);
});

test("an error of an unknown code is an internal error, a message without one is none", () => {
  assert.equal(errorOf(message(bytes(""), {})), undefined);
  assert.equal(
    errorOf(message(bytes(""), { "Mesh-Error-Code": "ERR_NEW", "Mesh-Error": "x" }))?.code,
    "ERR_MESH_INTERNAL",
  );
  const there = errorOf(message(bytes(""), { ...errorHeaders(new WireError("bad")) }));
  assert.ok(there instanceof WireError);
  assert.equal(there.message, "bad");
});
