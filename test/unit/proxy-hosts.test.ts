import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHostPattern } from "../../services/proxy/route/host-pattern.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";

/** What is chosen, which the explanation must say too. */
function chooser(...patterns: string[]): (authority: string) => string | undefined {
  const table = new HostTable(patterns.map((pattern) => [pattern, parseHostPattern(pattern).text]));
  return (authority) => {
    const found = table.find(authority);
    const explained = table.explain(authority).filter(({ outcome }) => outcome === "chosen");
    assert.deepEqual(
      explained.map(({ rule }) => rule),
      found === undefined ? [] : [found],
      `${authority}: the explanation says what happens`,
    );
    return found;
  };
}

test("the host itself comes before wildcards, a longer wildcard before a shorter, * last", () => {
  const chosen = chooser("*", "*.com", "api.example.com", "*.example.com", "*.b.example.com");
  assert.equal(chosen("api.example.com"), "api.example.com");
  assert.equal(chosen("www.example.com"), "*.example.com");
  assert.equal(chosen("a.b.example.com"), "*.b.example.com");
  assert.equal(chosen("b.example.com"), "*.example.com");
  assert.equal(chosen("example.com"), "*.com");
  assert.equal(chosen("com"), "*");
  assert.equal(chosen("example.org"), "*");
  assert.equal(chosen("[::1]"), "*");
});

test("a wildcard stands for one character at least, and ends where a part of the name does", () => {
  const chosen = chooser("*.example.com", "*-api.example.com");
  assert.equal(chosen("example.com"), undefined);
  assert.equal(chosen(".example.com"), undefined);
  assert.equal(chosen("badexample.com"), undefined);
  assert.equal(chosen("a.b.c.example.com"), "*.example.com");
  assert.equal(chosen("v1-api.example.com"), "*-api.example.com");
  assert.equal(chosen("-api.example.com"), "*.example.com");
});

test("a host of many parts, as long as a head may be, is looked up as quickly as any", () => {
  const table = new HostTable([["*.example.com", true]]);
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) {
    assert.equal(table.find(`${"-.".repeat(25_000)}${i}`), undefined);
    assert.equal(table.find(`${"-.".repeat(25_000)}${i}.example.com`), true);
  }
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 500, `${tookMs} ms`);
});

test("letter case and the dot of the root make no difference, in patterns and requests", () => {
  const chosen = chooser("API.Example.com.", "*.EXAMPLE.org");
  assert.equal(chosen("api.example.COM"), "api.example.com");
  assert.equal(chosen("api.example.com."), "api.example.com");
  assert.equal(chosen("api.example.com.:8080"), "api.example.com");
  assert.equal(chosen("A.example.ORG."), "*.example.org");
});

test("a port counts where the pattern names one; a request without is one to port 80", () => {
  const chosen = chooser("api.example.com:8080", "*.example.com", "*.example.com:80", "only.example.org:80");
  assert.equal(chosen("api.example.com:8080"), "api.example.com:8080");
  assert.equal(chosen("api.example.com:9090"), "*.example.com");
  assert.equal(chosen("api.example.com"), "*.example.com:80");
  assert.equal(chosen("only.example.org"), "only.example.org:80");
  assert.equal(chosen("only.example.org:81"), undefined);
});

test("an address in brackets is a host like any other", () => {
  const chosen = chooser("[2001:DB8::1]", "[::1]:8080", "10.0.0.1");
  assert.equal(chosen("[2001:db8::1]"), "[2001:db8::1]");
  assert.equal(chosen("[2001:db8::1]:9080"), "[2001:db8::1]");
  assert.equal(chosen("[::1]:8080"), "[::1]:8080");
  assert.equal(chosen("[::1]"), undefined);
  assert.equal(chosen("10.0.0.1:7"), "10.0.0.1");
});

test("of patterns that mean the same, the first stands", () => {
  const table = new HostTable([
    ["a.example.com", 1],
    ["A.EXAMPLE.COM.", 2],
    ["*:80", 3],
    ["*:80", 4],
  ]);
  assert.equal(table.find("a.example.com"), 1);
  assert.equal(table.find("b"), 3);
  assert.equal(table.explain("b").length, 2);
});

test("a pattern that no host could be compared with is refused", () => {
  for (const pattern of ["", "a.*.com", "**", "*com", "*.*", "a*", "host:0", "host:65536", ".", ":80", "*.", "*.:80"]) {
    assert.throws(() => new HostTable([[pattern, 1]]), /write a host, \*\.suffix or \*/, pattern);
  }
});

test("the explanation says why each pattern was passed over", () => {
  const table = new HostTable(["a.example.com", "*.example.com:81", "*.com", "*"].map((text) => [text, text]));
  assert.deepEqual(table.explain("b.example.com"), [
    { rule: "a.example.com", outcome: "passed over", reason: "host a.example.com: the request is to b.example.com" },
    { rule: "*.example.com:81", outcome: "passed over", reason: "port 81: the request is to port 80" },
    { rule: "*.com", outcome: "chosen" },
    { rule: "*", outcome: "not reached", reason: "*.com is more specific" },
  ]);
  assert.deepEqual(
    table.explain("com").map((verdict) => ("reason" in verdict ? verdict.reason : verdict.outcome)),
    [
      "host a.example.com: the request is to com",
      "host *.example.com: com does not end in .example.com",
      "host *.com: com does not end in .com",
      "chosen",
    ],
  );
});

test("the index and the explanation agree on any host", () => {
  const parts = ["a", "b", "a-b", "-b", "com", "A"];
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const host = (): string => Array.from({ length: 1 + random(4) }, () => parts[random(parts.length)]).join(".");
  const port = (): string => ["", "", ":80", ":81"][random(4)] ?? "";
  for (let round = 0; round < 200; round++) {
    const patterns = Array.from({ length: 6 }, () => ["", "*.", "*-"][random(3)] + host() + port());
    const chosen = chooser(...patterns);
    for (let n = 0; n < 20; n++) chosen(host() + port());
  }
});
