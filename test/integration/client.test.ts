import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type ApplyResult,
  ConflictError,
  connectMesh,
  isTombstone,
  type MeshClient,
  NotFoundError,
  type Resource,
  UnavailableError,
} from "lateen/client";
import { connect, type NatsConnection } from "nats";
import type { Bus } from "../../shared/bus/index.ts";
import * as calls from "../examples/client-calls.ts";
import * as plain from "../examples/plain-nats.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";
import { type PilotFixture, startPilot } from "../harness/pilot.ts";

/** The examples of docs/client.md against a real bus and a real Pilot, each beside its plain equivalent. */
let nats: NatsFixture;
let folder: string;
let pilot: PilotFixture;
let mesh: MeshClient;
let nc: NatsConnection;
let mixer: Bus;

const RULE = { kind: "RouteRule", namespace: "default", name: "reviews-default" };

function yaml(name: string, precedence = 1): string {
  return `apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: ${name}, namespace: default}\nspec: {destination: {name: reviews}, precedence: ${precedence}}\n`;
}

const BAD = yaml("bad").replace("precedence: 1", "route: [{weight: 150}]");

before(async () => {
  nats = await startNats();
  folder = await mkdtemp(join(tmpdir(), "lateen-client-"));
  const password = nats.password("operator");
  await writeFile(
    join(folder, "credentials.env"),
    `NATS_URL=${nats.url}\nNATS_USER=operator\nNATS_PASSWORD=${password}\n`,
  );
  pilot = await startPilot(nats);
  mesh = await connectMesh({ servers: nats.url, user: "operator", password });
  nc = await connect({ servers: nats.url, user: "operator", pass: password, inboxPrefix: "_INBOX.operator" });
  mixer = await nats.connect("mixer");
});

after(async () => {
  await mesh.close();
  await nc.close();
  await pilot.remove();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Every rule of namespace default is gone. */
async function clean(): Promise<void> {
  for (const { metadata } of await mesh.config.list({ kind: "routerule", namespace: "default" }))
    await mesh.config.delete({ ...RULE, name: metadata.name });
}

/** What both ways give, one after the other, from the same start. */
async function both<T>(
  prepare: () => Promise<unknown>,
  typed: () => Promise<T>,
  bare: () => Promise<unknown>,
): Promise<readonly [T, unknown]> {
  await clean();
  await prepare();
  const first = await typed();
  await clean();
  await prepare();
  return [first, await bare()];
}

const outcomes = (results: unknown) => (results as ApplyResult[]).map(({ name, outcome }) => [name, outcome]);
const nothing = async () => {};
const oneRule = () => mesh.config.apply(yaml(RULE.name));

test("connecting takes credentials from a file", async () => {
  assert.equal(await calls.connect(join(folder, "credentials.env")), true);
  assert.equal(await plain.connect(nats.url, "operator", nats.password("operator")), true);
});

test("apply, a dry run and a replacement give the same both ways", async () => {
  const [typed, bare] = await both(
    nothing,
    () => calls.apply(mesh),
    () => plain.apply(nc),
  );
  assert.deepEqual(outcomes(typed), [[RULE.name, "pending"]]);
  assert.deepEqual(outcomes(bare), outcomes(typed));
  const [refused, bareRefused] = await both(
    nothing,
    () => calls.dryRun(mesh, BAD),
    () => plain.dryRun(nc, BAD),
  );
  assert.equal(refused[0]?.errors[0]?.path, "spec.route[0].weight");
  assert.deepEqual(bareRefused, refused);
  const [replaced, bareReplaced] = await both(
    oneRule,
    () => calls.replace(mesh),
    () => plain.replace(nc),
  );
  assert.deepEqual(outcomes(replaced), outcomes(bareReplaced));
  assert.equal((await mesh.config.get(RULE)).spec["precedence"], 2);
});

test("a submission is stored, and takes effect", async () => {
  await clean();
  const { stream, sequence } = await calls.submit(mesh, yaml("one"));
  const bare = await plain.submit(nc, yaml("two"));
  assert.deepEqual(bare, { stream, sequence: sequence + 1 });
  await eventually(async () => {
    assert.deepEqual(await calls.list(mesh), ["default/one", "default/two"]);
  });
  assert.deepEqual(await plain.list(nc), ["default/one", "default/two"]);
});

test("reading, history, rollback and deletion give the same both ways", async () => {
  await clean();
  await oneRule();
  assert.deepEqual(await plain.get(nc), await calls.get(mesh));
  await mesh.config.apply(yaml(RULE.name, 5));
  const versions = await calls.history(mesh);
  assert.deepEqual(await plain.history(nc), versions);
  assert.deepEqual(
    versions.slice(0, 2).map((version) => !isTombstone(version) && version.spec["precedence"]),
    [5, 1],
  );
  assert.match(versions[0]?.metadata.updateTimestamp ?? "", /^\d{4}-\d\d-\d\dT/);
  assert.equal((await calls.rollback(mesh)).spec["precedence"], 1);
  assert.equal(((await plain.rollback(nc)) as Resource).spec["precedence"], 5);
  const revision = Number(await calls.remove(mesh));
  assert.equal(await calls.get(mesh), undefined);
  assert.equal(await plain.get(nc), undefined);
  await oneRule();
  assert.equal(Number(await plain.remove(nc)), revision + 2);
});

test("errors are of the class that says what to do", async () => {
  await assert.rejects(mesh.config.get({ ...RULE, name: "none" }), NotFoundError);
  await clean();
  await oneRule();
  await assert.rejects(mesh.config.delete(RULE, { expectRevision: 1 }), ConflictError);
  const [result] = await mesh.config.apply(yaml(RULE.name), { create: true });
  assert.match(result?.errors[0]?.reason ?? "", /already exists/);
  await assert.rejects(connectMesh({ servers: "nats://127.0.0.1:1", connectTimeoutMs: 200 }), UnavailableError);
});

test("a watch and a subscription see a rule come, change and go", async () => {
  await clean();
  await oneRule();
  const typed: string[] = [];
  const bare: unknown[] = [];
  const watching = calls.watch(mesh, (event) => typed.push(event.type));
  const subscribed = plain.watch(nc, (resource) => bare.push(resource));
  await nc.flush();
  await eventually(() => assert.deepEqual(typed, ["added", "synced"]));
  await mesh.config.apply(yaml(RULE.name, 5));
  await mesh.config.delete(RULE);
  await watching;
  await subscribed;
  assert.deepEqual(typed, ["added", "synced", "modified", "deleted"]);
  assert.equal(bare.length, 2);
});

test("a refusal is heard both ways", async () => {
  const typed = calls.rejections(mesh);
  const bare = plain.rejections(nc);
  await nc.flush();
  await mesh.config.apply(BAD);
  assert.equal((await typed)?.name, "bad");
  assert.deepEqual(await bare, await typed);
});

test("metric rows are heard both ways, and only those that were asked for", async () => {
  const peer = { namespace: "default", workload: "w", version: "v1", principal: "" };
  const row = {
    time: new Date().toISOString(),
    instance: "requestcount.metric.istio-system",
    reporter: "destination",
    source: peer,
    destination: { ...peer, service: "reviews" },
    code: 200,
    count: 3,
    value: 3,
    dimensions: {},
  };
  const typed = calls.metrics(mesh);
  const bare = plain.metrics(nc);
  const spans = mesh.telemetry.spans({ namespace: "default" });
  const all = mesh.telemetry.all({ service: "reviews", capacity: 2 });
  await nc.flush();
  await mesh.config.list({ kind: "RouteRule" });
  const publish = (kind: "metric" | "log" | "span", service: string, value: unknown) =>
    mixer.publishJson(nats.subjects.telemetry(kind, "default", service), value);
  publish("metric", "details", row);
  publish("metric", "reviews", { ...row, reporter: "source" });
  publish("metric", "reviews", { ...row, instance: "requestsize.metric.istio-system" });
  publish("metric", "reviews", row);
  publish("log", "reviews", { ...row, severity: "info", variables: {} });
  publish("span", "reviews", { ...row, traceId: "1", spanId: "2", parentSpanId: "", name: "n", durationMs: 1 });
  assert.deepEqual(await typed, row);
  assert.deepEqual(await bare, row);
  assert.equal((await spans.next()).value.spanId, "2");
  const kinds = [await all.next(), await all.next()].map(({ value }) => value.kind);
  assert.deepEqual([kinds, all.dropped], [["log", "span"], 3]);
  await Promise.all([spans, all].map((stream) => stream.return()));
});
