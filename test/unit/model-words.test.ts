import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ATTRIBUTES,
  type AttributeValue,
  checkRegex,
  closest,
  formatDuration,
  formatReference,
  fromWireAttribute,
  MAX_REGEX_LENGTH,
  parseDuration,
  parseReference,
  referenceType,
  resolveHost,
  serviceHost,
  toWireAttribute,
} from "../../shared/model/index.ts";
import { CheckRequest } from "../../shared/wire/index.ts";

describe("host names", () => {
  const ratings = { namespace: "prod", service: "ratings" };
  const cases: readonly (readonly [string, { namespace: string; service: string } | undefined])[] = [
    ["ratings", { namespace: "default", service: "ratings" }],
    ["ratings:9080", { namespace: "default", service: "ratings" }],
    ["ratings.prod", ratings],
    ["ratings.prod.svc", ratings],
    ["ratings.prod.svc.cluster.local", ratings],
    ["ratings.prod.svc.cluster.local.", ratings],
    ["ratings.prod.svc.cluster.local.:80", ratings],
    ["RATINGS.Prod.SVC.cluster.LOCAL:80", ratings],
    ["ratings.prod.svc.cluster", undefined],
    ["ratings.prod.svc.cluster.local.org", undefined],
    ["www.example.com", undefined],
    ["*.example.com", undefined],
    ["10.0.0.1", undefined],
    ["10.0.0.0/8", undefined],
    ["ratings:", undefined],
    ["ratings:http", undefined],
    ["[::1]:80", undefined],
    ["-ratings", undefined],
    ["", undefined],
    [".", undefined],
  ];
  for (const [host, expected] of cases) {
    test(`${JSON.stringify(host)} means ${expected === undefined ? "no service" : serviceHost(expected)}`, () => {
      assert.deepEqual(resolveHost(host, "default"), expected);
    });
  }
});

describe("durations", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["7s", 7000],
    ["7.000s", 7000],
    ["15.500s", 15_500],
    ["0.001s", 1],
    ["-1.5s", -1500],
    ["0.0005s", 0.5],
    ["7", undefined],
    ["7S", undefined],
    ["7ms", undefined],
    [".5s", undefined],
    ["1.s", undefined],
    ["1h", undefined],
    ["", undefined],
    ["1.0000000001s", undefined],
  ];
  for (const [text, ms] of cases)
    test(`${JSON.stringify(text)} is ${ms} ms`, () => assert.equal(parseDuration(text), ms));

  test("are written back in the same form", () => {
    for (const text of ["7s", "15.500s", "0.001s", "0.000500000s"])
      assert.equal(formatDuration(parseDuration(text) ?? 0), text);
  });
});

describe("a regular expression", () => {
  const cases: readonly (readonly [string, number | undefined, RegExp?])[] = [
    ["^(.*?;)?(user=jason)(;.*)?$", undefined],
    ["", undefined],
    ["(?i)a|b[^c]+\\d{2,3}", undefined],
    ["^(*?;)?(user=jason)(;.*)?$", 2, /^missing argument to repetition operator: \*\?$/],
    ["a*?b(*?;)", 5, /missing argument/],
    ["*", 0, /missing argument/],
    ["a|+", 2, /missing argument/],
    ["a**", 1, /nested repetition/],
    ["xx(a", 2, /missing closing \)/],
    ["(a[)](b", 5, /missing closing \)/],
    ["\\((", 2, /missing closing \)/],
    ["aa)b)", 2, /unexpected \)/],
    ["ab[cd", 2, /missing closing ]/],
    ["(a)\\1", 3, /invalid escape/],
    ["x(?=a)", 1, /Perl syntax/],
    ["xx{2,1}", 2, /repeat count/],
    ["x{1001}", 1, /repeat count/],
    ["((a{100}){100}){100}", 9, /repeat count/],
    ["a\\", 1, /trailing backslash/],
    ["x[z-a]", 2, /class range/],
    ["x".repeat(MAX_REGEX_LENGTH + 1), MAX_REGEX_LENGTH, /longer/],
  ];
  for (const [pattern, position, reason] of cases) {
    test(`${JSON.stringify(pattern.slice(0, 40))} is ${position === undefined ? "fine" : `wrong at ${position}`}`, () => {
      const fault = checkRegex(pattern);
      assert.equal(fault?.position, position);
      if (reason !== undefined) assert.match(fault?.reason ?? "", reason);
    });
  }

  test("is no small text that becomes a large program", () => {
    const fault = checkRegex("xa{1,1000}a{1,1000}a{1,1000}");
    assert.match(fault?.reason ?? "", /^becomes a program of 6\d{3} instructions, more than 4096$/);
    assert.equal(fault?.position, 2);
    assert.equal(checkRegex("[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){0,15}"), undefined, "host names are not so large");
  });

  test("is judged fast, however hard it tries", () => {
    const started = performance.now();
    checkRegex("(a*)*".repeat(199));
    checkRegex(`${"a{1,30}".repeat(140)}(`);
    checkRegex("(".repeat(1000));
    for (let i = 0; i < 50; i++) checkRegex(`${"a*".repeat(490)}(*`);
    checkRegex(`${"(*".repeat(499)}`);
    assert.ok(performance.now() - started < 2000);
  });
});

describe("attributes", () => {
  test("have the types of the vocabulary", () => {
    const types: readonly (readonly [string, string | undefined])[] = [
      ["source.ip", "IP_ADDRESS"],
      ["destination.labels", "STRING_MAP"],
      ["destination.labels[app]", "STRING"],
      ["request.headers[x-user]", "STRING"],
      ["request.headers[:method]", "STRING"],
      ["response.duration", "DURATION"],
      ["request.time", "TIMESTAMP"],
      ["response.code", "INT64"],
      ["connection.mtls", "BOOL"],
      ["context.reporter.kind", "STRING"],
      ["source.workload", "STRING"],
      ["destination.principal", "STRING"],
      ["request.path[a]", undefined],
      ["request.paths", undefined],
      ["", undefined],
    ];
    for (const [reference, type] of types) assert.equal(referenceType(reference), type, reference);
  });

  test("are referred to by name or by map key", () => {
    assert.deepEqual(parseReference("request.headers[a[b].c]"), { attribute: "request.headers", key: "a[b].c" });
    assert.deepEqual(parseReference("request.path"), { attribute: "request.path", key: undefined });
    for (const text of ["", "[a]", "a[b", "a[b]c"]) assert.equal(parseReference(text), undefined, text);
    assert.equal(formatReference("request.headers", "x"), "request.headers[x]");
    assert.equal(formatReference("request.path"), "request.path");
  });

  test("keep their values over the wire", () => {
    const empty: Record<string, string> = Object.create(null);
    const values: readonly (readonly [string, AttributeValue])[] = [
      ["request.path", "/a"],
      ["request.headers[x-user]", ""],
      ["response.code", 0],
      ["connection.mtls", false],
      ["request.time", 1_700_000_000_000.5],
      ["response.duration", 6.848],
      ["source.ip", Uint8Array.from([10, 0, 0, 1])],
      ["source.labels", Object.assign(empty, { app: "reviews" })],
    ];
    for (const [reference, value] of values) {
      const wire = toWireAttribute(reference, value);
      assert.ok(wire);
      const bytes = CheckRequest.encode({ attributes: { [reference]: wire } });
      const back = CheckRequest.decode(bytes).attributes[reference];
      assert.ok(back);
      const found = fromWireAttribute(reference, back);
      assert.deepEqual(found instanceof Uint8Array ? Uint8Array.from(found) : found, value, reference);
    }
  });

  test("of a type other than the vocabulary's are not taken", () => {
    assert.equal(toWireAttribute("request.path", 5), undefined);
    assert.equal(toWireAttribute("no.such", "x"), undefined);
    const wire = (value: NonNullable<ReturnType<typeof toWireAttribute>>) => {
      const decoded = CheckRequest.decode(CheckRequest.encode({ attributes: { x: value } })).attributes["x"];
      assert.ok(decoded);
      return decoded;
    };
    assert.equal(fromWireAttribute("request.path", wire({ int64: 5 })), undefined);
    assert.equal(fromWireAttribute("source.ip", wire({ ipAddress: new Uint8Array(3) })), undefined);
    assert.equal(fromWireAttribute("response.duration", wire({ durationMs: Number.NaN })), undefined);
    assert.equal(fromWireAttribute("no.such", wire({ string: "x" })), undefined);
    assert.equal(fromWireAttribute("request.path", wire({})), undefined);
  });

  test("are all named in the vocabulary once", () => assert.ok(ATTRIBUTES.size > 60));
});

describe("did-you-mean", () => {
  test("offers what is close, and nothing for what is not", () => {
    const words = ["precedence", "destination", "route"];
    assert.equal(closest("precedense", words), "precedence");
    assert.equal(closest("Destination", words), "destination");
    assert.equal(closest("rout", words), "route");
    assert.equal(closest("weight", words), undefined);
    assert.equal(closest("x".repeat(10_000), words), undefined);
  });
});
