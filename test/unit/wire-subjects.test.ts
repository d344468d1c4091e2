import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "../../shared/base/index.ts";
import { decodeToken, encodeToken, parseTableKey, Subjects, TABLES, tableKey } from "../../shared/wire/index.ts";

const ODD_NAMES = [
  "",
  "reviews",
  "a.b",
  "a*b",
  ">",
  "a b",
  "=",
  "=3D",
  "ü",
  "日本",
  "spiffe://x/y",
  "Ab-9",
  "_",
  "\u0000",
  "😀",
  "a\r\nb",
];

test("a name survives its token, whatever it holds", () => {
  for (const name of ODD_NAMES) assert.equal(decodeToken(encodeToken(name)), name);
});

test("every token is one legal subject token", () => {
  for (const name of ODD_NAMES) assert.match(encodeToken(name), /^[A-Za-z0-9=-]+$/);
});

test("two names never share a token", () => {
  assert.equal(new Set(ODD_NAMES.map(encodeToken)).size, ODD_NAMES.length);
});

test("a token that no name has is refused", () => {
  for (const token of ["", "a=", "=4", "=41", "=zz", "a.b", "a_b", "=c3=bc", "=FF"]) {
    assert.throws(() => decodeToken(token), WireError, token);
  }
});

test("table keys keep their parts apart", () => {
  assert.notEqual(tableKey("a.b", "c"), tableKey("a", "b.c"));
  for (const a of ODD_NAMES) for (const b of ODD_NAMES) assert.deepEqual(parseTableKey(tableKey(a, b)), [a, b]);
});

test("a mesh prefix is one token", () => {
  for (const prefix of ["", "a.b", "a*", "a b", "a_b", ">"]) assert.throws(() => new Subjects(prefix), WireError);
  assert.equal(new Subjects("team-7").prefix, "team-7");
});

test("every identity subject gives its names back", () => {
  const subjects = new Subjects("mesh");
  for (const odd of ODD_NAMES) {
    const proxy = { namespace: odd, serviceAccount: "sa", proxy: odd };
    assert.deepEqual(subjects.parsePolicyCheck(subjects.policyCheck(proxy)), proxy);
    assert.deepEqual(subjects.parseReport(subjects.report(proxy)), proxy);
    assert.deepEqual(subjects.parseReport(subjects.reportTo(proxy, odd)), proxy);
    assert.deepEqual(subjects.parseProxyStatus(subjects.proxyStatus(proxy)), proxy);
    const workload = { namespace: "ns", serviceAccount: odd };
    assert.deepEqual(subjects.parseCaSign(subjects.caSign(workload)), workload);
    const address = { verb: "heartbeat", namespace: odd, serviceAccount: odd, service: "s", instance: odd } as const;
    assert.deepEqual(subjects.parseRegistry(subjects.registry(address)), address);
  }
});

test("every table subject gives its table and key back", () => {
  const subjects = new Subjects("mesh");
  for (const table of TABLES) {
    for (const odd of ODD_NAMES) {
      const key = tableKey("ns", odd);
      assert.deepEqual(subjects.parseTable(subjects.table(table, key)), { table, key });
      assert.deepEqual(subjects.parseSync(subjects.sync(table, key)), { table, key });
    }
    assert.equal(subjects.parseHead(subjects.head(table)), table);
  }
});

test("subjects of another mesh or shape are refused", () => {
  const subjects = new Subjects("mesh");
  for (const subject of [
    "mesh2.policy.check.a.b.c",
    "mesh.policy.check.a.b",
    "mesh.policy.check.a.b.c.d",
    "policy.check.a.b.c",
    "mesh.",
  ]) {
    assert.throws(() => subjects.parsePolicyCheck(subject), WireError, subject);
  }
  for (const subject of [
    "mesh.registry.destroy.a.b.c.d",
    "mesh.registry.register.a.b.c",
    "mesh.registry.register.a.b.c.d.e",
  ]) {
    assert.throws(() => subjects.parseRegistry(subject), WireError, subject);
  }
  assert.throws(() => subjects.parseTable("mesh.config.apply"), WireError);
  assert.throws(() => subjects.parseHead("mesh.head.nothing"), WireError);
});
