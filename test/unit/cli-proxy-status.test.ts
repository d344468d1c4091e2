import assert from "node:assert/strict";
import { test } from "node:test";
import { proxiesNamed, proxyNamed } from "../../cli/live/proxies.ts";
import { proxyStateJson, proxyStates } from "../../cli/live/proxy-state.ts";
import { renderProxyDetail, renderProxyStates } from "../../cli/live/proxy-status-report.ts";
import { palette } from "../../cli/render.ts";
import type { ProxyStatus } from "../../shared/wire/index.ts";

const PLAIN = palette(false);

interface Fields {
  readonly sequence?: number;
  readonly seenSequence?: number;
  readonly revision?: number;
  readonly appliedMs?: number;
  readonly rejected?: string;
  readonly draining?: boolean;
  readonly service?: string;
}

function status(instance: string, fields: Fields = {}): ProxyStatus {
  const { sequence = 5, seenSequence = sequence, revision = 9, appliedMs = 60_000, rejected = "" } = fields;
  const { draining = false, service = "reviews" } = fields;
  const key = {
    table: "service",
    key: "default.reviews",
    epoch: 1,
    sequence,
    revision,
    appliedMs,
    rejected,
    seenSequence,
  };
  return {
    namespace: "default",
    service,
    serviceAccount: service,
    instance,
    workload: `${service}-v1`,
    version: "0.1.0",
    startedMs: 0,
    nowMs: 0,
    applied: [key, { ...key, table: "plan", sequence: 1, seenSequence: 1, rejected: "", appliedMs: 10_000 }],
    draining,
  } as ProxyStatus;
}

test("a proxy is stale when another has something newer, and rejects when it says so", () => {
  const all = [
    status("a"),
    status("b", { sequence: 4, revision: 7, appliedMs: 20_000 }),
    status("c", { sequence: 4, seenSequence: 5, rejected: "bad bytes" }),
    status("d", { draining: true }),
    status("e", { sequence: 4, seenSequence: 6 }),
  ];
  const states = proxyStates(all);
  assert.deepEqual(
    states.map(({ state }) => state),
    ["STALE", "STALE", "REJECTED", "DRAINING", "STALE"],
  );
  const lines = renderProxyStates(proxyStates(all.slice(0, 4)), 90_000, PLAIN).split("\n");
  assert.match(lines[0] ?? "", /^NAME +SERVICE +STATE +SINCE +SERVICE +PLAN +REVISION +VERSION +AGE$/);
  assert.match(lines[1] ?? "", /^a\.default +reviews +SYNCED +30s +1\/1 +1\/1 +9 +0\.1\.0 +90s$/);
  assert.match(lines[2] ?? "", /^b\.default +reviews +STALE +30s +0\/1 +1\/1/);
  assert.match(lines[3] ?? "", /^c\.default .* REJECTED/);
  assert.match(lines[4] ?? "", /^d\.default .* DRAINING/);
  assert.deepEqual(lines.slice(-2), [
    "b.default: service default.reviews STALE (revision 7, newest is 9)",
    "c.default: service default.reviews REJECTED: bad bytes",
  ]);
  assert.equal(renderProxyStates([], 0, PLAIN), "No proxies found.");
});

test("one proxy is shown key by key, and what is behind as a difference", () => {
  const [, behind] = proxyStates([status("a"), status("b", { sequence: 4, revision: 7, appliedMs: 20_000 })]);
  assert.ok(behind !== undefined);
  const text = renderProxyDetail(behind, 90_000, PLAIN);
  assert.match(text, /^b\.default: STALE for 30s$/m);
  assert.match(text, /^ {2}- sequence 4 \(revision 7\), in force for 70s$/m);
  assert.match(text, /^ {2}\+ sequence 5 \(revision 9\), in force elsewhere for 30s$/m);
  assert.match(text, /^plan +default\.reviews +SYNCED/m);
  const json = JSON.parse(JSON.stringify(proxyStateJson(behind))) as { state: string; applied: { state: string }[] };
  assert.deepEqual([json.state, json.applied[0]?.state, json.applied[1]?.state], ["STALE", "STALE", "SYNCED"]);
});

test("colours mark states and do not shift columns", () => {
  const states = proxyStates([status("a"), status("b", { sequence: 4 })]);
  const coloured = renderProxyStates(states, 90_000, palette(true));
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g");
  assert.equal(coloured.replaceAll(escapes, ""), renderProxyStates(states, 90_000, PLAIN));
  assert.ok(escapes.test(coloured));
});

test("a proxy is named by instance, or by its service or workload when that is one", () => {
  const all = [status("reviews-1"), status("reviews-2"), status("ratings-1", { service: "ratings" })];
  for (const word of [
    "ratings-1",
    "ratings-1.default",
    "default/ratings-1",
    "ratings",
    "ratings.default",
    "ratings-v1",
  ])
    assert.equal(proxyNamed(all, word).instance, "ratings-1", word);
  assert.equal(proxiesNamed(all, "reviews").length, 2);
  assert.throws(() => proxyNamed(all, "reviews"), /means several proxies: reviews-1\.default, reviews-2\.default/);
  assert.throws(() => proxyNamed(all, "details"), {
    code: "ERR_MESH_NOT_FOUND",
    message: /there are reviews-1\.default/,
  });
});
