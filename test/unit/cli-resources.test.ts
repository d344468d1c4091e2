import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { describeChange } from "../../cli/commands/history.ts";
import { UsageError } from "../../cli/io.ts";
import { canonicalYaml, fieldChanges } from "../../cli/resources/canonical.ts";
import { parseLabelSelector } from "../../cli/resources/label-selector.ts";
import { renderResources } from "../../cli/resources/output.ts";
import { isSelected, oneNamed, parseSelection } from "../../cli/resources/selection.ts";
import { unifiedDiff } from "../../cli/resources/unified-diff.ts";
import type { Resource } from "../../shared/model/index.ts";

const NOW = Date.parse("2026-01-02T00:00:00.000Z");

function resource(kind: string, name: string, spec: Resource["spec"], more: object = {}): Resource {
  const metadata = { name, namespace: "default", resourceVersion: "3", ...more };
  const apiVersion = /^[VDG]/.test(kind) ? "networking.istio.io/v1" : "config.istio.io/v1alpha2";
  return { apiVersion, kind, metadata, spec };
}

const RULE = resource(
  "RouteRule",
  "r",
  { destination: { name: "reviews" }, precedence: 2 },
  {
    creationTimestamp: "2026-01-01T23:59:00.000Z",
  },
);
const VIRTUAL = resource("VirtualService", "v", { hosts: ["a", "b"], gateways: ["g"] });

for (const [selector, labels, fits] of [
  ["a=b", { a: "b" }, true],
  ["a==b", { a: "c" }, false],
  ["a!=b", {}, true],
  ["a!=b", { a: "b" }, false],
  ["a in (x, y)", { a: "y" }, true],
  ["a in (x,y),b", { a: "y" }, false],
  ["a notin (x),!b", { a: "y" }, true],
  ["a notin (x)", {}, true],
  ["!a", { a: "" }, false],
  ["app.kubernetes.io/name=web", { "app.kubernetes.io/name": "web" }, true],
] as const) {
  test(`selector ${selector} ${fits ? "takes" : "leaves"} ${JSON.stringify(labels)}`, () => {
    assert.equal(parseLabelSelector(selector)(labels), fits);
  });
}

test("what is no label selector is refused with how to write one", () => {
  for (const text of ["", "a=b,", "a in x", "=b", "a~b"])
    assert.throws(() => parseLabelSelector(text), /no label selector/);
});

test("kinds and names are taken in kubectl's spellings", () => {
  const kindsOf = (...words: string[]) => parseSelection(words, {}).kinds.map(({ kind }) => kind);
  const namesOf = (...words: string[]) =>
    parseSelection(words, {}).named?.map(({ definition, name }) => `${definition.kind} ${name}`);
  assert.deepEqual(kindsOf("VirtualServices"), ["VirtualService"]);
  assert.deepEqual(kindsOf("vs,dr,vs"), ["VirtualService", "DestinationRule"]);
  assert.ok(kindsOf("all").length > 15);
  assert.deepEqual(namesOf("vs", "a", "b"), ["VirtualService a", "VirtualService b"]);
  assert.deepEqual(namesOf("vs/a", "routerule/b"), ["VirtualService a", "RouteRule b"]);
  for (const words of [["vs,dr", "a"], ["vs", "a", "dr/b"], ["vs/"], ["vs/a", "b"], ["spaceship"]])
    assert.throws(() => parseSelection(words, {}), UsageError, words.join(" "));
  assert.throws(() => parseSelection(["vs", "a"], { allNamespaces: true }), /leave -A or the name out/);
  assert.deepEqual(oneNamed("vs/a", undefined, undefined), { kind: "VirtualService", namespace: "default", name: "a" });
  assert.throws(() => oneNamed("vs", undefined, undefined), /the name of one resource/);
  const selection = parseSelection(["vs/v", "routerule/x"], {});
  assert.deepEqual([isSelected(VIRTUAL, selection, {}), isSelected(RULE, selection, {})], [true, false]);
  assert.equal(isSelected(VIRTUAL, selection, { namespace: "other" }), false);
});

test("each kind has its own columns, several kinds a table each", () => {
  const lines = (resources: readonly Resource[], format: "short" | "wide") =>
    renderResources(resources, format, NOW)
      .split("\n")
      .map((line) => line.split(/ {2,}/));
  assert.deepEqual(lines([RULE], "short"), [
    ["NAME", "DESTINATION", "PRECEDENCE", "NAMESPACE", "REVISION", "AGE"],
    ["r", "reviews", "2", "default", "3", "60s"],
  ]);
  assert.deepEqual(lines([RULE, VIRTUAL], "short").slice(3), [
    ["NAME", "GATEWAYS", "HOSTS", "NAMESPACE", "REVISION", "AGE"],
    ["virtualservice/v", "g", "a,b", "default", "3"],
  ]);
  assert.ok(lines([RULE], "wide")[1]?.includes("RouteRule.v1alpha2.config.istio.io"));
  assert.equal(renderResources([], "short", NOW), "");
  assert.equal(renderResources([VIRTUAL, RULE], "name", NOW), "routerule/r\nvirtualservice/v");
});

test("resources come out as YAML that reads back the same, and as JSON", () => {
  const odd = resource("RouteRule", "r", { match: { cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } });
  assert.deepEqual(parse(renderResources([odd], "yaml", NOW)), odd);
  assert.match(renderResources([odd, odd], "yaml", NOW), /\n---\n/);
  assert.deepEqual(JSON.parse(renderResources(odd, "json", NOW)), odd);
  assert.deepEqual(JSON.parse(renderResources([odd], "json", NOW)), { items: [odd] }, "a list of one is a list");
});

test("what means the same is the same canonical text", () => {
  const one = resource("RouteRule", "r", { a: 1, b: { d: [{ x: 1, y: 2 }], c: 3 } }, { resourceVersion: "1" });
  const two = resource("RouteRule", "r", { b: { c: 3, d: [{ y: 2, x: 1 }] }, a: 1 }, { resourceVersion: "9" });
  assert.equal(canonicalYaml(one), canonicalYaml(two));
  assert.deepEqual(fieldChanges(one, two), []);
});

test("changes are named by their paths", () => {
  const before = resource("RouteRule", "r", { route: [{ weight: 90 }], gone: true });
  const after = resource("RouteRule", "r", { route: [{ weight: 100 }, { weight: 0 }] }, { labels: { a: "b" } });
  assert.deepEqual(fieldChanges(before, after), [
    { path: "metadata.labels.a", before: undefined, after: "b" },
    { path: "spec.gone", before: true, after: undefined },
    { path: "spec.route[0].weight", before: 90, after: 100 },
    { path: "spec.route[1]", before: undefined, after: { weight: 0 } },
  ]);
  const tombstone = { ...after, deleted: true as const, metadata: { ...after.metadata, resourceVersion: "4" } };
  const versions = [before, tombstone, after, before].map((version) => ({ ...version }));
  const told = versions.map((version) => describeChange(version, versions));
  assert.deepEqual([told[0], told[1], told[3]], ["as revision 3 again", "deleted", "created"]);
  assert.match(told[2] ?? "", /^metadata\.labels\.a: added b, spec\.gone: removed true, .*: 90 -> 100 and 1 more$/);
});

const LABELS = { from: "a", to: "b" };

test("a diff is what diff -u says", () => {
  assert.equal(unifiedDiff("1\n2\n", "1\n2\n", LABELS), "");
  assert.equal(unifiedDiff("", "1\n2\n", LABELS), "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+1\n+2");
  assert.equal(unifiedDiff("1\n", "", LABELS), "--- a\n+++ b\n@@ -1 +0,0 @@\n-1");
  const numbers = Array.from({ length: 20 }, (_, i) => `${i + 1}`);
  const changed = numbers.toSpliced(1, 1, "two").toSpliced(17, 1);
  assert.equal(
    unifiedDiff(numbers.join("\n"), changed.join("\n"), LABELS),
    "--- a\n+++ b\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -15,6 +15,5 @@\n 15\n 16\n 17\n-18\n 19\n 20",
  );
});

test("a diff of anything, applied, gives the other text", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const from = Array.from({ length: random(30) }, () => String(random(6)));
    const to = from
      .filter(() => random(5) > 0)
      .flatMap((line) => (random(6) === 0 ? [String(random(6)), line] : [line]));
    const diff = unifiedDiff(from.join("\n"), to.join("\n"), LABELS);
    assert.deepEqual(patched(from, diff), to, diff);
  }
});

function patched(from: readonly string[], diff: string): string[] {
  const out: string[] = [];
  let at = 0;
  for (const line of diff.split("\n").slice(2)) {
    const [, first, length] = /^@@ -(\d+)(?:,(\d+))? /.exec(line) ?? [];
    if (first !== undefined) {
      const start = length === "0" ? Number(first) : Number(first) - 1;
      while (at < start) out.push(from[at++] ?? "");
      continue;
    }
    if (line.startsWith("+")) out.push(line.slice(1));
    else {
      assert.equal(from[at], line.slice(1));
      if (line.startsWith(" ")) out.push(line.slice(1));
      at++;
    }
  }
  return [...out, ...from.slice(at)];
}
