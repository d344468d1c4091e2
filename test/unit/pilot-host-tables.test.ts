import assert from "node:assert/strict";
import { test } from "node:test";
import { type HostOffer, HostTables, MAX_HOSTS } from "../../services/pilot/compile/host-tables.ts";
import { tableKey } from "../../shared/wire/index.ts";

const NAMESPACES = ["a", "b", "c"];

function offer(pattern: string, namespace: string, more: Partial<HostOffer> = {}): HostOffer {
  return {
    rule: `serviceentry/${namespace}/x`,
    created: "2026-01-01T00:00:00.000Z",
    pattern,
    namespace,
    name: pattern,
    exportTo: ["*"],
    isRouteOnly: false,
    ...more,
  };
}

function set(hosts: HostTables, value: HostOffer): readonly string[] {
  return hosts.set(tableKey(value.namespace, value.name), [value]);
}

function seen(hosts: HostTables, namespace: string): string[] {
  return hosts.compile(namespace).hosts.map((host) => `${host.pattern} ${host.namespace}`);
}

test("a namespace sees what is for all, for it by name, and its own", () => {
  const hosts = new HostTables(() => NAMESPACES);
  assert.deepEqual(set(hosts, offer("all.com", "a")), ["a", "b", "c"]);
  assert.deepEqual(set(hosts, offer("private.com", "a", { exportTo: ["a"] })), ["a"]);
  assert.deepEqual(set(hosts, offer("shown.com", "a", { exportTo: ["b", "elsewhere"] })), ["b"]);
  assert.deepEqual(set(hosts, offer("nobody.com", "a", { exportTo: ["~"] })), []);
  assert.deepEqual(seen(hosts, "a"), ["all.com a", "private.com a"]);
  assert.deepEqual(seen(hosts, "b"), ["all.com a", "shown.com a"]);
  assert.deepEqual(seen(hosts, "c"), ["all.com a"]);
});

test("of several services of one host its own namespace's comes first, then the older", () => {
  const hosts = new HostTables(() => NAMESPACES);
  set(hosts, offer("x.com", "b", { created: "2026-01-03T00:00:00.000Z" }));
  set(hosts, offer("x.com", "a", { created: "2026-01-02T00:00:00.000Z" }));
  assert.deepEqual(seen(hosts, "a"), ["x.com a"]);
  assert.deepEqual(seen(hosts, "b"), ["x.com b"]);
  assert.deepEqual(seen(hosts, "c"), ["x.com a"]);
  assert.deepEqual(hosts.find("x.com", "c"), offer("x.com", "a", { created: "2026-01-02T00:00:00.000Z" }));
  assert.deepEqual(hosts.keysOf("x.com").sort(), [tableKey("a", "x.com"), tableKey("b", "x.com")]);
});

test("a service that only a VirtualService made up stands back behind every real one", () => {
  const hosts = new HostTables(() => NAMESPACES);
  set(hosts, offer("x.com", "a", { isRouteOnly: true }));
  assert.deepEqual(seen(hosts, "a"), ["x.com a"]);
  set(hosts, offer("x.com", "b", { created: "2027-01-01T00:00:00.000Z" }));
  assert.deepEqual(seen(hosts, "a"), ["x.com b"]);
});

test("who no longer sees a host is told too, and what says the same changes nothing", () => {
  const hosts = new HostTables(() => NAMESPACES);
  set(hosts, offer("x.com", "a"));
  assert.deepEqual(set(hosts, offer("x.com", "a")), []);
  assert.deepEqual(set(hosts, offer("x.com", "a", { exportTo: ["a"] })), ["a", "b", "c"]);
  assert.deepEqual(seen(hosts, "b"), []);
  assert.deepEqual(hosts.set(tableKey("a", "x.com"), []), ["a"]);
  assert.deepEqual(seen(hosts, "a"), []);
  assert.equal(hosts.find("x.com", "a"), undefined);
});

test("a table holds so many hosts and no more: its own namespace's and the older ones stay", () => {
  const hosts = new HostTables(() => NAMESPACES);
  const young = "2026-02-01T00:00:00.000Z";
  for (let i = 0; i < MAX_HOSTS; i++) set(hosts, offer(`h${i}.com`, "a"));
  set(hosts, offer("young.com", "a", { created: young }));
  set(hosts, offer("own.com", "b", { created: young, exportTo: ["b"] }));
  const { hosts: kept, left } = hosts.compile("b");
  assert.deepEqual([kept.length, left], [MAX_HOSTS, 2]);
  assert.ok(kept.some(({ pattern }) => pattern === "own.com"));
  assert.ok(!kept.some(({ pattern }) => pattern === "young.com"));
});

test("a table is one message, however long the hosts are", () => {
  const hosts = new HostTables(() => NAMESPACES);
  const long = "x".repeat(200);
  for (let i = 0; i < 5000; i++) set(hosts, offer(`h${i}.${long}.com`, "a"));
  const { hosts: kept, left } = hosts.compile("b");
  assert.equal(kept.length + left, 5000);
  const bytes = kept.reduce((sum, { pattern, service }) => sum + (pattern ?? "").length + (service ?? "").length, 0);
  assert.ok(left > 0 && bytes < 1024 * 1024, `${bytes} bytes`);
});
