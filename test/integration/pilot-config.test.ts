import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import type { App } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { joinPages, type PendingResource, Registration, type RegistryPage } from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const WORKLOAD = { namespace: "default", serviceAccount: "ratings", service: "ratings" };
const TIMEOUT = { timeoutMs: 5000 };

interface Result {
  readonly document: number;
  readonly kind: string;
  readonly name: string;
  readonly outcome: string;
  readonly revision: number;
  readonly errors: readonly { readonly path: string; readonly reason: string; readonly position?: number }[];
  readonly warnings: readonly { readonly path: string; readonly reason: string; readonly remedy: string }[];
}

interface Item {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly labels?: object };
  readonly spec: { readonly route: readonly { readonly weight: number }[] };
  readonly deleted?: boolean;
}

interface Answer {
  readonly results?: readonly Result[];
  readonly items: readonly Item[];
  readonly continue?: string;
  readonly error?: { readonly code: string };
}

let nats: NatsFixture;
let operator: Bus;
let folder: string;
let pilot: App;

function build(name: string): App {
  const config = parsePilotConfig(
    {
      NATS_URL: nats.url,
      NATS_USER: "pilot",
      NATS_PASSWORD: nats.password("pilot"),
      LATEEN_DATA_DIR: join(folder, name),
      REPLICA: name,
    },
    [],
  );
  return buildPilot(config, { log: silentLog, watchdog: false });
}

function rule(name: string, weight = 100, extra = ""): string {
  return `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: ${name}
  namespace: default
${extra}spec:
  destination:
    name: reviews
  precedence: 1
  route:
  - labels:
      version: v1
    weight: ${weight}
`;
}

async function request(
  verb: "apply" | "get" | "list" | "delete" | "history" | "rollback",
  body: string | object,
  headers = {},
): Promise<Answer> {
  return (await operator.requestJson(operator.subjects.config(verb), body, { ...TIMEOUT, headers })) as Answer;
}

async function apply(text: string, headers: Record<string, string> = {}): Promise<readonly Result[]> {
  const answer = await request("apply", text, headers);
  assert.ok(answer.results, JSON.stringify(answer));
  return answer.results;
}

before(async () => {
  nats = await startNats({ workloads: [WORKLOAD] });
  folder = await mkdtemp(join(tmpdir(), "lateen-pilot-"));
  operator = await nats.connect("operator");
  pilot = build("one");
  await pilot.start();
});

after(async () => {
  await pilot.stop();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

test("the default configuration is there at the first start", async () => {
  const { items } = await request("list", { kind: "rule" });
  assert.ok(items.length > 0);
});

test("an accepted rule is stored, given back as applied, and broadcast as readable JSON", async () => {
  const seen: unknown[] = [];
  const changed = operator.subscribe("mesh.config.changed.routerule.>", (message) =>
    seen.push(JSON.parse(message.text())),
  );
  await operator.flush();
  const [result] = await apply(rule("first"));
  assert.equal(result?.outcome, "pending", "nobody has registered reviews");
  const { items } = await request("get", { kind: "routerule", name: "first" });
  assert.deepEqual(items[0]?.spec, {
    destination: { name: "reviews" },
    precedence: 1,
    route: [{ labels: { version: "v1" }, weight: 100 }],
  });
  assert.equal(items[0]?.metadata.resourceVersion, String(result?.revision));
  await eventually(() => assert.deepEqual(seen, items));
  changed.close();
  const [again] = await apply(rule("first"));
  assert.deepEqual([again?.outcome, again?.revision], ["unchanged", result?.revision]);
});

test("what is deprecated or has no effect is accepted with a warning, and told of refused documents too", async () => {
  const virtualService = (name: string, timeout: string) => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.example.com]
  http:
  - route: [{destination: {host: ${name}.example.com}}]
    timeout: ${timeout}
    mirror: {host: ${name}.example.com}
    mirrorPercent: 5
`;
  const results = await apply(virtualService("older", "5s") + virtualService("wrong", "soon"));
  assert.deepEqual(
    results.map(({ outcome }) => outcome === "rejected"),
    [false, true],
  );
  for (const { warnings } of results) {
    const found = warnings.filter(({ reason }) => reason === "deprecated");
    assert.deepEqual(found, [
      { path: "spec.http[0].mirrorPercent", value: 5, reason: "deprecated", remedy: "use mirrorPercentage.value" },
    ]);
  }
});

test("each document is judged alone, and a refused one is told on config.rejected while the old one stays", async () => {
  await apply(rule("kept"));
  const rejected: [string, unknown][] = [];
  const stop = operator.subscribe("mesh.config.rejected.>", (message) =>
    rejected.push([message.subject, JSON.parse(message.text())]),
  );
  await operator.flush();
  const results = await apply(`${rule("kept", 70)}---\nnot: [closed\n---\n${rule("beside")}`);
  assert.deepEqual(
    results.map(({ document, outcome }) => [document, outcome]),
    [
      [0, "rejected"],
      [1, "rejected"],
      [2, "pending"],
    ],
  );
  await eventually(() => assert.equal(rejected.length, 2));
  assert.equal(rejected[0]?.[0], "mesh.config.rejected.routerule.default.kept");
  assert.deepEqual(rejected[0]?.[1], results[0]);
  assert.equal(rejected[1]?.[0], "mesh.config.rejected.=.=.=");
  stop.close();
  const { items } = await request("get", { kind: "RouteRule", name: "kept" });
  assert.equal(items[0]?.spec.route[0]?.weight, 100);
});

test("a bare publish without a reply is applied", async () => {
  operator.publishBytes("mesh.config.apply", Buffer.from(rule("bare")));
  await eventually(async () => {
    const { items } = await request("get", { kind: "RouteRule", name: "bare" });
    assert.equal(items?.[0]?.metadata.name, "bare");
  });
});

test("revisions guard against lost changes, creation against replacement, and a dry run changes nothing", async () => {
  const [first] = await apply(rule("guarded"), { "Mesh-Expect-Revision": "0" });
  const revision = first?.revision ?? 0;
  const [stale] = await apply(rule("guarded", 100, `  resourceVersion: "${revision - 1}"\n  labels: {a: b}\n`));
  assert.equal(stale?.outcome, "rejected");
  assert.equal(stale?.errors[0]?.path, "metadata.resourceVersion");
  const [created] = await apply(rule("guarded"), { "Mesh-Create": "true" });
  assert.match(created?.errors[0]?.reason ?? "", /already exists/);
  const [dry] = await apply(rule("guarded", 100, "  labels: {a: b}\n"), { "Mesh-Dry-Run": "true" });
  assert.deepEqual([dry?.outcome, dry?.revision], ["pending", revision]);
  const [next] = await apply(rule("guarded", 100, "  labels: {a: b}\n"), { "Mesh-Expect-Revision": String(revision) });
  assert.ok((next?.revision ?? 0) > revision);
  const answer = await request("apply", `${rule("a")}---\n${rule("b")}`, { "Mesh-Expect-Revision": "1" });
  assert.equal(answer.error?.code, "ERR_MESH_INVALID_ARGUMENT");
});

test("deletion leaves a tombstone, history shows what was, and rollback brings it back", async () => {
  await apply(rule("undone"));
  await apply(rule("undone", 100, "  labels: {a: b}\n"));
  const deleted = await request("delete", { kind: "routerule", namespace: "default", name: "undone" });
  assert.equal(deleted.items[0]?.deleted, true);
  assert.equal((await request("get", { kind: "routerule", name: "undone" })).error?.code, "ERR_MESH_NOT_FOUND");
  const history = await request("history", { kind: "routerule", name: "undone" });
  assert.equal(history.items.length, 3);
  const back = await request("rollback", {
    kind: "routerule",
    name: "undone",
    revision: Number(history.items[2]?.metadata.resourceVersion),
  });
  assert.equal(back.items[0]?.metadata.labels, undefined);
  const { items } = await request("get", { kind: "routerule", name: "undone" });
  assert.deepEqual(items, back.items);
});

test("a rule of Mixer must name what exists, and what it names cannot be deleted", async () => {
  const text = (handler: string) => `
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: default}
spec:
  match: destination.labels["app"] == "ratings"
  actions:
  - handler: ${handler}.denier
    instances: [request.checknothing]
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: handler, namespace: default}
spec: {status: {code: 7, message: Not allowed}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: request, namespace: default}
spec: {}
`;
  const refused = await apply(text("missing"));
  assert.deepEqual(
    refused.map(({ outcome }) => outcome),
    ["rejected", "created", "created"],
  );
  assert.equal(refused[0]?.errors[0]?.reason, "missing.denier.default not found");
  assert.deepEqual(
    (await apply(text("handler"))).map(({ outcome }) => outcome),
    ["created", "unchanged", "unchanged"],
  );
  const held = await request("delete", { kind: "denier", name: "handler" });
  assert.equal(held.error?.code, "ERR_MESH_CONFLICT");
  for (const [kind, name] of [
    ["rule", "deny"],
    ["denier", "handler"],
    ["checknothing", "request"],
  ]) {
    assert.equal((await request("delete", { kind, name })).items.length, 1);
  }
});

test("however much is wrong with a submission, its answer and its refusals fit into messages", async () => {
  const rejected: number[] = [];
  const stop = operator.subscribe("mesh.config.rejected.>", (message) => rejected.push(message.data.length));
  await operator.flush();
  const fields = Array.from({ length: 100 }, (_, i) => `f${i}: 1`).join(", ");
  const header = "apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata";
  const bad = Array.from({ length: 900 }, (_, i) => `${header}: {name: b${i}}\nspec: {${fields}}\n`);
  const results = await apply([...bad, rule("beside-many")].join("---\n"));
  assert.equal(results.length, 901);
  assert.ok(results.slice(0, 900).every(({ outcome, errors }) => outcome === "rejected" && errors[0]?.path !== ""));
  assert.equal(results[900]?.outcome, "pending");
  const [long] = await apply(`${"k".repeat(900_000)}: 1\n`);
  assert.equal(long?.outcome, "rejected");
  await eventually(() => assert.equal(rejected.length, 901));
  stop.close();
});

test("lists come in pages", async () => {
  await apply(["p1", "p2", "p3"].map((name) => rule(name)).join("---\n"));
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page: Answer = await request("list", { kind: "routerule", limit: 2, ...(token && { continue: token }) });
    names.push(...page.items.map((item) => item.metadata.name));
    token = page.continue;
  } while (token !== undefined);
  assert.deepEqual(names, [...new Set(names)].sort());
  assert.ok(names.includes("p1") && names.includes("p3"));
});

test("a submission sent while no Pilot runs takes effect when one returns, and a refused one is told", async () => {
  await pilot.stop();
  await operator.requestJson("mesh.config.submit", rule("queued"), TIMEOUT);
  await operator.requestJson("mesh.config.submit", rule("queued-bad", 5), TIMEOUT);
  const rejected: string[] = [];
  const stop = operator.subscribe("mesh.config.rejected.>", (message) => rejected.push(message.subject));
  await operator.flush();
  pilot = build("one");
  await pilot.start();
  await eventually(async () => {
    const { items } = await request("get", { kind: "routerule", name: "queued" });
    assert.equal(items?.[0]?.metadata.name, "queued");
  });
  await eventually(() => assert.deepEqual(rejected, ["mesh.config.rejected.routerule.default.queued-bad"]));
  stop.close();
});

test("configuration that the bus lost is restored from the journal", async () => {
  const { items } = await request("list", {});
  await pilot.stop();
  await nats.restart({ wipe: true });
  await eventually(() => assert.ok(operator.connected));
  pilot = build("one");
  await pilot.start();
  assert.deepEqual((await request("list", {})).items, items);
  const [next] = await apply(rule("after-loss"));
  assert.ok((next?.revision ?? 0) > Math.max(...items.map((item) => Number(item.metadata.resourceVersion))));
});

test("an operator reads what is registered, page by page, and what is not in force with the reason", async () => {
  const workload = await nats.connectWorkload(WORKLOAD);
  const beat = (instance: string): void => {
    const address = { verb: "register", ...WORKLOAD, instance } as const;
    workload.publish(workload.subjects.registry(address), Registration, {
      workload: "ratings-v1",
      labels: { version: "v1" },
      address: "127.0.0.1",
      ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
      healthy: true,
      version: "1.2.3",
    });
  };
  for (const instance of ["r1", "r2"]) beat(instance);
  const list = async (query: object): Promise<RegistryPage> =>
    (await operator.requestJson(operator.subjects.registryList(), query, TIMEOUT)) as RegistryPage;
  const pages = await eventually(async () => {
    const first = await list({ namespace: "default", service: "ratings", limit: 1 });
    assert.ok(first.continue, JSON.stringify(first));
    return [first, await list({ namespace: "default", service: "ratings", continue: first.continue })];
  });
  const [service, ...others] = joinPages(pages);
  assert.deepEqual(others, []);
  assert.deepEqual(service?.ports, [{ number: 9080, protocol: "http" }]);
  assert.deepEqual(
    service?.instances.map(({ instance, version, healthy, labels }) => [instance, version, healthy, labels]),
    ["r1", "r2"].map((instance) => [instance, "1.2.3", true, { version: "v1" }]),
  );
  assert.deepEqual((await list({ namespace: "elsewhere" })).items, []);

  await apply(rule("waits"));
  const answer = await operator.requestJson(operator.subjects.config("pending"), { kind: "routerule" }, TIMEOUT);
  const { items } = answer as { items: readonly PendingResource[] };
  const waiting = items.find(({ name }) => name === "waits");
  assert.match(waiting?.reason ?? "", /no instance of reviews\.default/);
});
