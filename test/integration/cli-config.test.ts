import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { waitApplied } from "../../cli/wait.ts";
import type { ApplyResult } from "../../client/index.ts";
import { TimeoutError } from "../../shared/base/index.ts";
import { type Bus, protoReply } from "../../shared/bus/index.ts";
import type { Resource } from "../../shared/model/index.ts";
import { ProxyStatus, SyncReply, SyncRequest, type WorkloadUser } from "../../shared/wire/index.ts";
import { type CliOutcome, runLateen } from "../harness/cli.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";

/** A Pilot that keeps what it is given, unless it is named "bad", and a proxy that applies when it is told to. */
const WORKLOAD: WorkloadUser = { namespace: "default", serviceAccount: "a", service: "reviews" };
const RULE =
  "kind: RouteRule\napiVersion: config.istio.io/v1alpha2\nmetadata: {name: NAME, namespace: default}\nspec: {precedence: 1}\n";

let nats: NatsFixture;
let pilot: Bus;
let proxy: Bus;
let operator: Bus;
let stored = new Map<string, Resource>();
let received: { text: string; dryRun: string | undefined }[] = [];
let revision = 0;
let applied = 0;
let pending = "";

before(async () => {
  nats = await startNats({ workloads: [WORKLOAD] });
  pilot = await nats.connect("pilot");
  proxy = await nats.connectWorkload(WORKLOAD);
  operator = await nats.connect("operator");
  const { subjects } = nats;
  pilot.serve(subjects.config("apply"), (message) => {
    received.push({
      text: message.text(),
      dryRun: message.header("Mesh-Dry-Run"),
    });
    const results = message
      .text()
      .split(/^---$/m)
      .filter((text) => text.trim() !== "")
      .map((text, document) => apply(parse(text) as Resource, document));
    return { json: { results } };
  });
  pilot.serve(subjects.config("get"), (message) => {
    const item = stored.get((JSON.parse(message.text()) as { name: string }).name);
    return {
      json:
        item === undefined ? { error: { code: "ERR_MESH_NOT_FOUND", message: "no such resource" } } : { items: [item] },
    };
  });
  pilot.serve(subjects.config("list"), (message) => {
    // Pages of one, to see that the client asks on.
    const items = [...stored.values()];
    const from = Number((JSON.parse(message.text()) as { continue?: string }).continue ?? 0);
    return {
      json: { items: items.slice(from, from + 1), ...(from + 1 < items.length ? { continue: String(from + 1) } : {}) },
    };
  });
  pilot.serve(subjects.config("delete"), (message) => {
    const { name } = JSON.parse(message.text()) as { name: string };
    const item = stored.get(name);
    if (item === undefined) return { json: { error: { code: "ERR_MESH_NOT_FOUND", message: "no such resource" } } };
    stored.delete(name);
    return {
      json: {
        items: [{ ...item, deleted: true, metadata: { ...item.metadata, resourceVersion: String(++revision) } }],
      },
    };
  });
  pilot.serve(subjects.sync("config", ">"), () =>
    protoReply(SyncReply, {
      role: "pilot",
      name: "pilot-1",
      owner: true,
      revision,
      reason: pending,
      touched: [{ table: "service", key: "default.reviews", revision }],
    }),
  );
  proxy.serve(subjects.sync("service", "default.reviews"), () =>
    protoReply(SyncReply, { role: "proxy", name: "default/reviews-v1", revision: applied }),
  );
  proxy.serve(subjects.syncStatus(), () =>
    protoReply(ProxyStatus, {
      namespace: "default",
      service: "reviews",
      instance: "reviews-v1",
      workload: "reviews-v1",
      startedMs: Date.now(),
    }),
  );
  await Promise.all([pilot.flush(), proxy.flush()]);
});

beforeEach(() => {
  stored = new Map();
  received = [];
  pending = "";
});

after(() => nats.stop());

function apply(resource: Resource, document: number): ApplyResult {
  const { name, namespace } = resource.metadata;
  const base = { document, kind: resource.kind, namespace, name, revision: 0, errors: [], warnings: [] };
  if (name === "bad") {
    return {
      ...base,
      outcome: "rejected",
      errors: [{ path: "spec.precedence", value: 1, reason: "not liked", remedy: "give 2" }],
    };
  }
  const outcome = stored.has(name) ? "configured" : "created";
  stored.set(name, { ...resource, metadata: { ...resource.metadata, resourceVersion: String(++revision) } });
  return { ...base, outcome, revision };
}

function lateen(args: readonly string[], stdin = "", signal?: AbortSignal): Promise<CliOutcome> {
  const env = { NATS_URL: nats.url, NATS_USER: "operator", NATS_PASSWORD: nats.password("operator") };
  return runLateen(args, { env, stdin, ...(signal !== undefined && { signal }) });
}

function rule(name: string): string {
  return RULE.replace("NAME", name);
}

test("apply reports each document, refusals on standard error and in the exit code", async () => {
  const { code, out, err } = await lateen(["apply", "-f", "-"], `${rule("a")}---\n${rule("bad")}`);
  assert.equal(code, 1);
  assert.equal(out, `Created config routerule/default/a at revision ${revision}`);
  assert.equal(err, "Rejected config routerule/default/bad\n  spec.precedence: not liked [1]\n      give 2");
  const again = await lateen(["apply", "-f", "-"], rule("a"));
  assert.deepEqual(again, { code: 0, out: `Updated config routerule/default/a to revision ${revision}`, err: "" });
});

test("dry run, create and a namespace change what is sent", async () => {
  await lateen(["apply", "-f", "-", "--dry-run"], rule("a"));
  await lateen(["create", "-f", "-"], `${rule("a")}---\n${rule("b")}`);
  await lateen(["apply", "-f", "-", "-n", "other"], "kind: RouteRule\nmetadata: {name: c}\nspec: {}\n");
  assert.deepEqual(
    received.map(({ dryRun }) => dryRun),
    ["true", undefined, undefined],
  );
  const created = parseAllDocuments(received[1]?.text ?? "").map((document) => document.toJS() as Resource);
  assert.deepEqual(
    created.map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
    [
      ["a", "0"],
      ["b", "0"],
    ],
  );
  assert.equal((parse(received[2]?.text ?? "") as Resource).metadata.namespace, "other");
});

test("create, delete and a namespace read files as Pilot does: anchors, lists, and each document alone", async () => {
  const anchors = "apiVersion: &v config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: a}\nspec: {match: *v}\n";
  const many = `${anchors}---\nnot: [closed\n---\n${JSON.stringify({ kind: "List", items: [parse(rule("b")), parse(rule("c"))] })}\n`;
  const created = await lateen(["create", "-f", "-", "-n", "default"], many);
  assert.equal(created.code, 1);
  assert.deepEqual([...stored.keys()].sort(), ["a", "b", "c"]);
  assert.equal(received.length, 1, "one submission, so that Pilot can order it");
  assert.match(created.err, /^Rejected document 2\n {2}document: not readable as YAML or JSON at line 7/);
  const deleted = await lateen(["delete", "-f", "-"], many);
  assert.equal(deleted.code, 1);
  assert.match(deleted.err, /^Rejected document 2 of -\n/);
  assert.equal(stored.size, 0);
});

test("get gives back what was applied, list asks for every page", async () => {
  await lateen(["apply", "-f", "-"], `${rule("a")}---\n${rule("b")}`);
  const one = await lateen(["get", "routerule", "a", "-o", "yaml"]);
  assert.deepEqual(parse(one.out), stored.get("a"));
  const all = await lateen(["get", "RouteRules"]);
  assert.deepEqual(
    all.out.split("\n").map((line) => line.split(/ +/)[0]),
    ["NAME", "a", "b"],
  );
  const missing = await lateen(["get", "routerule", "z"]);
  assert.deepEqual([missing.code, missing.err], [1, "Error: no such resource"]);
});

test("delete goes by name or by file, and goes on after a failure", async () => {
  await lateen(["apply", "-f", "-"], `${rule("a")}---\n${rule("b")}`);
  const byName = await lateen(["delete", "routerule", "z", "a"]);
  assert.equal(byName.code, 1);
  assert.equal(byName.out, "Deleted config: routerule a");
  assert.match(byName.err, /cannot delete routerule\/default\/z: no such resource/);
  assert.deepEqual(await lateen(["delete", "-f", "-"], rule("b")), {
    code: 0,
    out: "Deleted config: routerule/default/b",
    err: "",
  });
});

test("--wait returns only when the last follower has applied it", async () => {
  applied = 0;
  let isDone = false;
  const waiting = lateen(["apply", "-f", "-", "--wait"], rule("a")).then((result) => {
    isDone = true;
    return result;
  });
  await eventually(() => assert.ok(stored.has("a")));
  await operator.gather(nats.subjects.sync("service", "default.reviews"), SyncRequest, {}, SyncReply);
  assert.equal(isDone, false);
  applied = revision;
  const { code, err } = await waiting;
  assert.equal(code, 0);
  assert.match(err, /^In force after \d+\.\d\d s$/);
});

test("--wait ends with 3 and names who is behind, or what holds the rule back", async () => {
  applied = 0;
  const late = await lateen(["apply", "-f", "-", "--wait", "--timeout", "300ms"], rule("a"));
  assert.equal(late.code, 3);
  assert.match(
    late.err,
    /not in force after 300 ms: service default\.reviews at revision \d+: behind are default\/reviews-v1 \(revision 0\)/,
  );
  pending = "pending: no instance has version=v9";
  const held = await lateen(["apply", "-f", "-", "--wait", "--timeout", "200ms"], rule("a"));
  assert.equal(held.code, 3);
  assert.match(held.err, /pilot pilot-1: pending: no instance has version=v9/);
});

test("--wait says nothing when everything was refused, and names all that is late", async () => {
  const refused = await lateen(["apply", "-f", "-", "--wait"], rule("bad"));
  assert.deepEqual([refused.code, refused.err.includes("In force")], [1, false]);
  pending = "pending: no instance has version=v9";
  const many = `${rule("a")}---\n${rule("b")}`;
  const late = await lateen(["apply", "-f", "-", "--wait", "--timeout", "200ms"], many);
  assert.equal(late.code, 3);
  for (const name of ["a", "b"]) assert.ok(late.err.includes(`routerule/default/${name} at revision`), late.err);
});

test("waiting for what nobody owns or for a revision of the future ends in a timeout", async () => {
  applied = revision;
  const resource = { kind: "RouteRule", namespace: "default", name: "a" };
  await waitApplied(operator, [{ ...resource, revision }], { timeoutMs: 5_000 });
  await assert.rejects(
    waitApplied(operator, [{ ...resource, revision: revision + 1 }], { timeoutMs: 200 }),
    TimeoutError,
  );
  await waitApplied(operator, [{ ...resource, revision: 999_999, outcome: "rejected" }], { timeoutMs: 200 });
});

test("proxy-status lists who answers", async () => {
  const { code, out } = await lateen(["proxy-status"]);
  assert.equal(code, 0);
  assert.match(out, /^reviews-v1\.default +reviews +SYNCED +-/m);
});

test("telemetry follows the stream, filters it and ends by count or signal", async () => {
  const mixer = await nats.connect("mixer");
  const publish = () => {
    mixer.publishJson(nats.subjects.telemetry("log", "default", "reviews"), { time: 0, severity: "info" });
    mixer.publishJson(nats.subjects.telemetry("metric", "default", "details"), { instance: "other" });
    mixer.publishJson(nats.subjects.telemetry("metric", "default", "reviews"), { instance: "requestcount" });
  };
  const timer = setInterval(publish, 20);
  try {
    const counted = await lateen([
      "telemetry",
      "--kind",
      "metric",
      "--service",
      "reviews",
      "--count",
      "2",
      "-o",
      "json",
    ]);
    assert.deepEqual(counted, { code: 0, out: '{"instance":"requestcount"}\n{"instance":"requestcount"}', err: "" });
    const stop = new AbortController();
    const followed = lateen(["telemetry"], "", stop.signal);
    setTimeout(() => stop.abort(), 200);
    assert.equal((await followed).code, 0);
  } finally {
    clearInterval(timer);
  }
});
