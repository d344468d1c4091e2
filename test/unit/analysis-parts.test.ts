import assert from "node:assert/strict";
import { test } from "node:test";
import { RE2JS } from "re2js";
import { conditionsOfMatch, covers } from "../../shared/analysis/conditions.ts";
import { HostPatterns, hostCovers, hostsOverlap } from "../../shared/analysis/host-patterns.ts";
import type { Message } from "../../shared/analysis/index.ts";
import { isSuppressed, parseRegistered, parseSuppression, servicesOfDocuments } from "../../shared/analysis/index.ts";
import { isLiteral, mayMatch } from "../../shared/analysis/regex-language.ts";
import { InvalidArgumentError } from "../../shared/base/index.ts";
import type { HttpMatchSpec, JsonObject } from "../../shared/model/index.ts";

const ANY: HttpMatchSpec = {
  name: "",
  uri: undefined,
  ignoreUriCase: false,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: [],
  withoutHeaders: [],
  queryParams: [],
  port: 0,
  sourceLabels: {},
  sourceNamespace: "",
  gateways: [],
};

function isCovered(narrow: Partial<HttpMatchSpec>, wide: Partial<HttpMatchSpec>): boolean {
  return covers(conditionsOfMatch({ ...ANY, ...wide }), conditionsOfMatch({ ...ANY, ...narrow }));
}

test("a pattern that no text can match is found, and none that some text matches", () => {
  for (const pattern of ["a^b", "$a", "(a|b)^c", "a$b+", "(^a$)b", "a\\Ab", "x(?:^y|^z)", "a{1,3}^"])
    assert.equal(mayMatch(pattern), false, pattern);
  for (const pattern of [
    "^a$",
    "a*^b",
    "(a$)?b",
    "a|b^c",
    "(?m)a^b",
    "^^a$$",
    "[a$^]b",
    "\\^a",
    "",
    ".*",
    "a{0}^b",
    "(a|)^b",
  ])
    assert.equal(mayMatch(pattern), true, pattern);
});

test("whether a pattern may begin with a slash", () => {
  for (const pattern of ["api/.*", "[a-z]+", "\\w+/x", "(a|b)/", "[^/]+", "[^/a]*x", "v\\d", "", "\\d*"])
    assert.equal(mayMatch(pattern, "/"), false, pattern);
  for (const pattern of [
    "/api",
    ".*",
    "^/a",
    "(a|/b)",
    "a?/x",
    "[^a]+",
    "\\/x",
    "\\x2fa",
    "\\W",
    "\\pP+",
    "[[:punct:]]a",
    "[+-9]x",
    "\\Q/a\\E",
    "(?i)/a",
    "(?P<n>/a)",
  ])
    assert.equal(mayMatch(pattern, "/"), true, pattern);
});

test("no pattern is called impossible that the engine matches", () => {
  const pieces = ["a", "/", "^", "$", ".", "a*", "/?", "(a|/)", "[^a]", "\\d", "(^a)?", "|", "b+"];
  const texts = ["", "a", "/", "/a", "a/", "ab", "/ab", "b", "1/", "//"];
  let compared = 0;
  for (const first of pieces) {
    for (const second of pieces) {
      for (const third of pieces) {
        const pattern = `${first}${second}${third}`;
        let compiled: RE2JS;
        try {
          compiled = RE2JS.compile(pattern);
        } catch {
          continue;
        }
        const matched = texts.filter((text) => compiled.matches(text));
        compared++;
        if (matched.length > 0) assert.ok(mayMatch(pattern), `${pattern} matches ${matched[0]}`);
        if (matched.some((text) => text.startsWith("/"))) assert.ok(mayMatch(pattern, "/"), pattern);
      }
    }
  }
  assert.ok(compared > 1000);
});

test("a pattern without special characters is literal", () => {
  assert.ok(isLiteral("user=jason"));
  for (const pattern of ["a.b", "a*", "^a", "a\\b", "[a]", "a|b"]) assert.ok(!isLiteral(pattern), pattern);
});

test("one set of conditions covers another only where every request shows it", () => {
  assert.ok(isCovered({ uri: { exact: "/a" } }, {}));
  assert.ok(isCovered({ uri: { prefix: "/a/b" } }, { uri: { prefix: "/a" } }));
  assert.ok(isCovered({ uri: { exact: "/a1" } }, { uri: { regex: "/a\\d" } }));
  assert.ok(isCovered({ uri: { exact: "/A" } }, { uri: { prefix: "/a" }, ignoreUriCase: true }));
  assert.ok(isCovered({}, { uri: { prefix: "/" } }));
  assert.ok(
    isCovered({ headers: [{ name: "a", match: { exact: "1" } }] }, { headers: [{ name: "a", match: undefined }] }),
  );
  assert.ok(isCovered({ port: 80, sourceLabels: { app: "x", version: "1" } }, { sourceLabels: { app: "x" } }));
  assert.ok(isCovered({ gateways: ["mesh"] }, { gateways: ["mesh", "default/public"] }));
  assert.ok(!isCovered({}, { uri: { exact: "/a" } }));
  assert.ok(!isCovered({ uri: { prefix: "/a" } }, { uri: { exact: "/a" } }));
  assert.ok(!isCovered({ uri: { prefix: "/a" }, ignoreUriCase: true }, { uri: { prefix: "/a" } }));
  assert.ok(!isCovered({ uri: { regex: "/a.*" } }, { uri: { regex: "/.*a" } }));
  assert.ok(!isCovered({}, { headers: [{ name: "a", match: { regex: ".*" } }] }), "the header may be absent");
  assert.ok(!isCovered({}, { withoutHeaders: [{ name: "a", match: undefined }] }));
  assert.ok(!isCovered({}, { port: 80 }));
  assert.ok(!isCovered({}, { gateways: ["mesh"] }));
  assert.ok(!isCovered({ sourceNamespace: "a" }, { sourceNamespace: "b" }));
});

test("patterns of hosts are found most specific first", () => {
  const patterns = new HostPatterns<string>();
  for (const pattern of ["*", "*.example.com", "*.com", "a.example.com", "*-api.example.com"])
    patterns.add(pattern, pattern);
  assert.deepEqual([...patterns.fitting("a.example.com")].flat(), ["a.example.com", "*.example.com", "*.com", "*"]);
  assert.deepEqual([...patterns.fitting("x-api.example.com")].flat(), [
    "*-api.example.com",
    "*.example.com",
    "*.com",
    "*",
  ]);
  assert.deepEqual([...patterns.fitting("*.example.com")].flat(), ["*.example.com", "*.com", "*"]);
  assert.deepEqual([...patterns.fitting("example.org")].flat(), ["*"]);
  assert.ok(hostCovers("*.com", "*.example.com"));
  assert.ok(!hostCovers("*.example.com", "*.com"));
  assert.ok(hostsOverlap("*.com", "*.example.com"));
  assert.ok(!hostsOverlap("a.example.com", "b.example.com"));
});

const MESSAGE = {
  code: "LAT0212",
  object: { kind: "VirtualService", namespace: "default", name: "reviews-v2" },
} as Message;

test("what is suppressed is named by code, kind, name and namespace, each with asterisks", () => {
  const isLeftOut = (text: string): boolean => isSuppressed(MESSAGE, [parseSuppression(text)]);
  for (const text of [
    "LAT0212",
    "*",
    "LAT0212=VirtualService/reviews-v2.default",
    "LAT0212=virtualservice/*.default",
    "*=*/rev*v2.*",
    "LAT0212=VirtualService/reviews-v2",
  ])
    assert.ok(isLeftOut(text), text);
  for (const text of [
    "LAT0213",
    "LAT0212=VirtualService/reviews.default",
    "LAT0212=VirtualService/*.prod",
    "LAT0212=Gateway/*.*",
    "*=*/*v2*v2.*",
  ])
    assert.ok(!isLeftOut(text), text);
  for (const text of ["IST0101", "LAT0212=reviews", "", "LAT0212=a=b"])
    assert.throws(() => parseSuppression(text), InvalidArgumentError, text);
});

test("Services and workloads of Kubernetes tell of ports, protocols and labels", () => {
  const service = (spec: JsonObject): JsonObject => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "reviews" },
    spec,
  });
  const deployment = (version: string): JsonObject => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `reviews-${version}` },
    spec: { template: { metadata: { labels: { app: "reviews", version } } } },
  });
  const ports = [
    { port: 9080, name: "http-web" },
    { port: 5432, name: "postgres", appProtocol: "tcp" },
    { port: 9090, name: "grpc" },
    { port: 80 },
  ];
  const known = servicesOfDocuments(
    [service({ selector: { app: "reviews" }, ports }), deployment("v1"), deployment("v2")],
    "shop",
  );
  const [found] = known.services ?? [];
  assert.equal(found?.namespace, "shop");
  assert.deepEqual(
    found?.ports.map(({ number, protocol }) => `${number}/${protocol}`),
    ["9080/http", "5432/tcp", "9090/grpc", "80/"],
  );
  assert.deepEqual(
    found?.instances.map(({ labels }) => labels["version"]),
    ["v1", "v2"],
  );
  assert.equal(servicesOfDocuments([], "shop").services, undefined, "nothing is known, which is not the same as none");
});

test("registered instances are read from lines", () => {
  const [service] = parseRegistered(["a.b 80/http,81/tcp x=1,y=2", "a.b 80/http unhealthy gateway"]);
  assert.equal(service?.ports.length, 2);
  assert.deepEqual(
    service?.instances.map(({ healthy, gateway }) => [healthy, gateway]),
    [
      [true, false],
      [false, true],
    ],
  );
  assert.throws(() => parseRegistered(["a.b"]), InvalidArgumentError);
});
