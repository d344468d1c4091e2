import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { parse } from "yaml";
import { type CliOutcome, runLateen } from "../harness/cli.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";
import { type PilotFixture, startPilot } from "../harness/pilot.ts";

/** The configuration commands against a real Pilot. */
let nats: NatsFixture;
let folder: string;
let pilot: PilotFixture;

before(async () => {
  nats = await startNats();
  folder = await mkdtemp(join(tmpdir(), "lateen-cli-"));
  pilot = await startPilot(nats);
});

after(async () => {
  await pilot.remove();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Extra {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  readonly isTerminal?: boolean;
  readonly onOut?: (text: string) => void;
}

function lateen(line: string, extra: Extra = {}): Promise<CliOutcome> {
  const env = { NATS_URL: nats.url, NATS_USER: "operator", NATS_PASSWORD: nats.password("operator") };
  return runLateen(line.split(" "), { env, ...extra });
}

beforeEach(async () => {
  await lateen("delete routerules --all -n default");
  await lateen("delete routerules --all -n shop");
});

function rule(name: string, precedence = 1, more = ""): string {
  return `apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata:\n  name: ${name}\n${more}spec:\n  destination: {name: reviews}\n  precedence: ${precedence}\n`;
}

const put = (text: string, flags = "") => lateen(`apply -f -${flags}`, { stdin: text });
const LABELS = "  labels: {team: a}\n";

test("get shows kinds, names, labels and namespaces in every format", async () => {
  await put(`${rule("one", 1, LABELS)}---\n${rule("two")}`);
  await put(rule("three"), " -n shop");
  const table = await lateen("get routerules");
  assert.match(
    table.out,
    /^NAME +DESTINATION +PRECEDENCE +NAMESPACE +REVISION +AGE\none +reviews +1 +default +\d+ +\d+s\ntwo /,
  );
  assert.deepEqual((await lateen("get routerules -A -o name")).out.split("\n"), [
    "routerule/one",
    "routerule/two",
    "routerule/three",
  ]);
  assert.equal((await lateen("get routerules -l team=a -o name")).out, "routerule/one");
  assert.equal((await lateen("get routerules -l team!=a -n shop -o name")).out, "routerule/three");
  const named = await lateen("get routerule/two routerule/none routerule/one -o json");
  assert.equal(named.code, 1);
  assert.match(named.err, /cannot get routerule\/default\/none: .*not found/);
  const { items } = JSON.parse(named.out) as { items: { metadata: { name: string } }[] };
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ["two", "one"],
  );
  assert.match((await lateen("get all -A")).out, /^routerule\/one/m);
});

test("replace changes what exists, and loses no change of somebody else", async () => {
  const missing = await lateen("replace -f -", { stdin: rule("none") });
  assert.equal(missing.code, 1);
  assert.match(
    missing.err,
    /Rejected config routerule\/default\/none\n {2}metadata\.name: does not exist \["none"\]\n {6}use create/,
  );
  await put(rule("one", 90));
  const shown = (await lateen("get routerule one -o yaml")).out;
  assert.equal((await lateen("replace -f -", { stdin: rule("one", 80) })).code, 0);
  const stale = await lateen("replace -f -", { stdin: shown.replace("90", "70") });
  assert.equal(stale.code, 1);
  assert.match(stale.err, /metadata\.resourceVersion: was changed/);
  assert.match((await lateen("get routerule one -o yaml")).out, /precedence: 80/);
});

test("diff says what apply would change, with exit codes for scripts", async () => {
  const file = join(folder, "rule.yaml");
  await writeFile(file, rule("one", 90));
  const created = await lateen(`diff -f ${file}`);
  assert.equal(created.code, 1);
  assert.match(
    created.out,
    /^--- mesh\/routerule\/default\/one \(none\)\n\+\+\+ .*rule\.yaml\n@@ -0,0 \+1,\d+ @@\n\+apiVersion/,
  );
  await put(rule("one", 90));
  assert.deepEqual(await lateen(`diff -f ${file}`), { code: 0, out: "", err: "" });
  await writeFile(file, rule("one", 70));
  const changed = await lateen(`diff -f ${file}`);
  assert.equal(changed.code, 1);
  assert.match(changed.out, /\n-.*precedence: 90\n\+.*precedence: 70/);
  assert.ok((await lateen(`diff -f ${file}`, { isTerminal: true })).out.includes("\u001b[31m-"));
  const json = JSON.parse((await lateen(`diff -f ${file} -o json`)).out) as { items: { changes: unknown[] }[] };
  assert.deepEqual(json.items[0]?.changes, [{ path: "spec.precedence", before: 90, after: 70 }]);
  await writeFile(file, `${rule("one")}  route: [{weight: 700}]\n`);
  const refused = await lateen(`diff -f ${file}`);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /^Rejected config routerule\/default\/one\n {2}spec\.route\[0\]\.weight/);
  const { code } = await runLateen(["diff", "-f", file, "--nats-url", "nats://127.0.0.1:1"]);
  assert.equal(code, 4);
});

test("history tells what each revision changed, and rollback undoes it", async () => {
  for (const precedence of [90, 80]) await put(rule("aged", precedence));
  await lateen("delete routerule aged");
  await put(rule("aged", 90));
  const lines = (await lateen("history routerule aged")).out.split("\n");
  assert.match(lines[0] ?? "", /^REVISION +TIME +CHANGE$/);
  assert.deepEqual(
    lines.slice(1, 4).map((line) => line.replace(/^(\d+) +\S+ +/, "")),
    [`as revision ${lines[4]?.split(" ")[0]} again`, "deleted", "spec.precedence: 90 -> 80"],
  );
  const changed = lines[3]?.split(" ")[0] ?? "";
  const then = await lateen(`history routerule/aged --revision ${changed} -o yaml`);
  assert.equal((parse(then.out) as { spec: { precedence: number } }).spec.precedence, 80);
  const back = await lateen(`rollback routerule aged --revision ${changed}`);
  assert.match(back.out, /^Rolled back config routerule\/default\/aged to revision \d+$/);
  assert.match((await lateen("get routerule aged -o yaml")).out, /precedence: 80/);
  assert.match((await lateen("rollback routerule aged")).out, /^Rolled back/);
  assert.match((await lateen("get routerule aged -o yaml")).out, /precedence: 90/);
  const none = await lateen("rollback routerule aged --revision 1");
  assert.deepEqual([none.code, /has no revision 1/.test(none.err)], [1, true]);
});

test("delete takes labels, whole namespaces and files, and says first what it would do", async () => {
  await put(`${rule("one", 1, LABELS)}---\n${rule("two")}`);
  const dry = await lateen("delete routerules --all --dry-run");
  assert.equal(
    dry.out,
    "Deleted config: routerule/default/one (dry run)\nDeleted config: routerule/default/two (dry run)",
  );
  assert.equal((await lateen("delete routerule,vs -l team=a -o name")).out, "routerule/one");
  const json = await lateen("delete routerule/two -o json");
  assert.equal((JSON.parse(json.out) as { items: { deleted: boolean }[] }).items[0]?.deleted, true);
  assert.equal((await lateen("delete routerule two")).code, 1);
  assert.equal((await lateen("delete routerule two --ignore-not-found")).code, 0);
  assert.deepEqual(await lateen("delete routerules --all"), { code: 0, out: "", err: "Nothing to delete." });
});

test("what others need is deleted after them", async () => {
  const text = `apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny}
spec:
  match: destination.labels["app"] == "ratings"
  actions: [{handler: stop.denier, instances: [all.checknothing]}]
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: stop}
spec: {status: {code: 7, message: no}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: all}
spec: {}
`;
  assert.equal((await put(text, " -n shop")).code, 0);
  const { code, out, err } = await lateen("delete denier,checknothing,rule --all -n shop -o name");
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(out.split("\n").length, 3);
});

test("get --watch shows what is there, then changes and deletions, until it is interrupted", async () => {
  await put(rule("one", 1, LABELS));
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = lateen("get routerules --watch -l team=a", {
    signal: stop.signal,
    onOut: (text) => void seen.push(text.split(/ +/).slice(0, 2).join(" ")),
  });
  await eventually(() => assert.deepEqual(seen, ["EVENT NAME", "ADDED one"]));
  await put(rule("other"));
  await put(rule("one", 90, LABELS));
  await put(rule("one", 90));
  await put(rule("one", 80, LABELS));
  await lateen("delete routerule one other");
  await eventually(() => assert.equal(seen.at(-1), "DELETED one"));
  stop.abort();
  assert.equal((await watching).code, 0);
  assert.deepEqual(seen.slice(2), ["MODIFIED one", "DELETED one", "ADDED one", "DELETED one"]);
});

test("get --watch-only as JSON is one event a line", async () => {
  await put(rule("one"));
  const stop = new AbortController();
  const seen: { type: string; object: { metadata: { name: string } } }[] = [];
  const watching = lateen("get routerules --watch-only -o json", {
    signal: stop.signal,
    onOut: (text) => void seen.push(JSON.parse(text)),
  });
  await eventually(async () => {
    await put(rule("one", 50 + Math.floor(performance.now() % 40)));
    assert.ok(seen.length > 0);
  });
  stop.abort();
  await watching;
  assert.deepEqual([seen[0]?.type, seen[0]?.object.metadata.name], ["MODIFIED", "one"]);
});

test("version --remote names what runs in the mesh", async () => {
  const { code, out } = await lateen("version --remote -o json");
  assert.equal(code, 0);
  const { client, remote } = JSON.parse(out) as { client: { version: string }; remote: Record<string, string>[] };
  assert.deepEqual(
    remote.map(({ role, version }) => [role, version]),
    [["pilot", client.version]],
  );
});
