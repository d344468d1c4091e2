import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { runCli } from "../../cli/program.ts";
import { ALL_CODES, type Message } from "../../shared/analysis/index.ts";
import { cliIo } from "../harness/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-analyze-"));
after(() => rmSync(folder, { recursive: true }));

const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /v1}}]
    route: [{destination: {host: reviews, subset: v1}}]
`;
const RULE = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const io = { ...cliIo(), out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
  const code = await runCli(["analyze", ...args], io);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const route = file("route.yaml", ROUTE);
const both = file("both.yaml", `${ROUTE}---\n${RULE}`);

test("a message tells level, code, object, file, field and remedy; an error makes the exit code 1", async () => {
  const { code, out } = await run("-f", route);
  assert.equal(code, 1);
  assert.match(
    out,
    new RegExp(
      `^Error \\[LAT0102\\] \\(VirtualService reviews\\.default in ${route}\\) spec\\.http\\[0\\]\\.route\\[0\\]\\.destination\\.subset: no subset v1`,
    ),
  );
  assert.match(out, /\n {4}define the subset .* \(docs\/analysis\.md#lat0102-unknownsubset\)/);
  assert.match(out, /1 resource analysed: 1 error, 1 info$/);
});

test("the threshold decides the exit code, and what is suppressed does not count", async () => {
  assert.equal((await run("-f", both)).code, 0);
  assert.equal((await run("-f", both, "--failure-threshold", "info")).code, 1);
  const left = await run("-f", both, "--failure-threshold", "Info", "--suppress", "LAT0212=VirtualService/*.default");
  assert.equal(left.code, 0);
  assert.match(left.out, /^2 resources analysed: nothing found; 1 suppressed$/);
});

test("JSON and YAML are the messages alone", async () => {
  const json = JSON.parse((await run("-f", route, "-o", "json")).out) as readonly Message[];
  assert.deepEqual(
    json.map(({ code, level, object }) => [code, level, object]),
    [
      ["LAT0102", "Error", { kind: "VirtualService", namespace: "default", name: "reviews" }],
      ["LAT0212", "Info", { kind: "VirtualService", namespace: "default", name: "reviews" }],
    ],
  );
  assert.deepEqual(parse((await run("-f", route, "-o", "yaml")).out), json);
  assert.equal((await run("-f", file("rule.yaml", RULE), "-o", "json")).out, "[]");
});

test("the table has a row for each message", async () => {
  const { out } = await run("-f", route, "-o", "table");
  assert.match(out, /^LEVEL +CODE +OBJECT +PATH +MESSAGE\nError +LAT0102 +VirtualService reviews\.default/);
});

test("Services and Deployments in the files say what is there", async () => {
  const platform = `apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
spec: {template: {metadata: {labels: {app: reviews, version: v2}}}}
`;
  const { out } = await run("-f", both, "-f", file("platform.yaml", platform), "-o", "json");
  const codes = (JSON.parse(out) as readonly Message[]).map(({ code }) => code);
  assert.deepEqual(codes.sort(), ["LAT0212", "LAT0301"]);
});

test("-n is the namespace of documents that name none, and of what is told", async () => {
  const other = file("other.yaml", ROUTE.replace("{name: reviews}", "{name: other, namespace: prod}"));
  const { out } = await run("-f", route, "-f", other, "-n", "shop", "-o", "json");
  const namespaces = new Set((JSON.parse(out) as readonly Message[]).map(({ object }) => object.namespace));
  assert.deepEqual([...namespaces], ["shop"]);
});

test("a document that is not readable is told with its place, and the others are analysed", async () => {
  const { code, out } = await run("-f", file("broken.yaml", `${ROUTE}---\nkind: [open\n`), "-o", "json");
  assert.equal(code, 1);
  const messages = JSON.parse(out) as readonly Message[];
  assert.ok(messages.some(({ object }) => object.kind === "Document" && object.name.startsWith("2 of ")));
  assert.ok(messages.some(({ object }) => object.kind === "VirtualService"));
});

test("every code can be listed", async () => {
  const { code, out } = await run("--list-codes");
  assert.equal(code, 0);
  for (const each of ALL_CODES) assert.match(out, new RegExp(`${each.code} +${each.level} +${each.name}`));
});

test("a wrong command line is exit code 2", async () => {
  for (const args of [
    ["-f", join(folder, "nowhere.yaml")],
    ["-f", route, "--failure-threshold", "bad"],
    ["-f", route, "--suppress", "bad"],
    ["-f", route, "-o", "xml"],
    ["-A", "-n", "shop"],
  ])
    assert.equal((await run(...args)).code, 2, args.join(" "));
});
