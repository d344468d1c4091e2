import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ValueType } from "../../shared/model/index.ts";
import {
  type AttributeVocabulary,
  compileExpression,
  compileMatch,
  EvaluationError,
  ExpressionError,
  formatExpression,
  MapBag,
  parseExpression,
  TrackingBag,
  type Value,
} from "../../shared/policy/index.ts";

const VOCABULARY: AttributeVocabulary = new Map<string, ValueType>([
  ["a", "INT64"],
  ["b", "INT64"],
  ["ai", "INT64"],
  ["ad", "DOUBLE"],
  ["as", "STRING"],
  ["bs", "STRING"],
  ["a.b", "STRING"],
  ["ab", "BOOL"],
  ["bb", "BOOL"],
  ["aip", "IP_ADDRESS"],
  ["bip", "IP_ADDRESS"],
  ["at", "TIMESTAMP"],
  ["adur", "DURATION"],
  ["adns", "DNS_NAME"],
  ["aemail", "EMAIL_ADDRESS"],
  ["auri", "URI"],
  ["ar", "STRING_MAP"],
  ["br", "STRING_MAP"],
]);

type Attributes = Readonly<Record<string, Value>>;

function evaluate(text: string, attributes: Attributes = {}): Value {
  return compileExpression(text, VOCABULARY).evaluate(MapBag.of(attributes));
}

function errorOf(text: string, type?: ValueType): ExpressionError {
  try {
    compileExpression(text, VOCABULARY, type);
  } catch (error) {
    assert(error instanceof ExpressionError, String(error));
    return error;
  }
  return assert.fail(`${text} compiled`);
}

describe("the grammar of expressions", () => {
  const parses: readonly [string, string][] = [
    ["a.b == 2", "EQ($a.b, 2)"],
    ["(a == b)", "EQ($a, $b)"],
    ["a | b == c", "EQ(OR($a, $b), $c)"],
    ["a || b && c", "LOR($a, LAND($b, $c))"],
    ["a && b || c", "LOR(LAND($a, $b), $c)"],
    ["a == b && c != d", "LAND(EQ($a, $b), NEQ($c, $d))"],
    ["a | b | c", "OR(OR($a, $b), $c)"],
    ["a + b * c", "ADD($a, MUL($b, $c))"],
    ["a * b + c", "ADD(MUL($a, $b), $c)"],
    ["a - b - c", "SUB(SUB($a, $b), $c)"],
    ["a < b == c", "EQ(LT($a, $b), $c)"],
    ["a & b | c ^ d", "XOR(OR(AND($a, $b), $c), $d)"],
    ["!a", "NOT($a)"],
    ["-a", "SUB($a)"],
    ["!(a || b)", "NOT(LOR($a, $b))"],
    ['m["k"]', 'INDEX($m, "k")'],
    ['a.b["k"] | "x"', 'OR(INDEX($a.b, "k"), "x")'],
    ["f(a, b)", "f($a, $b)"],
    ["f(a, b,)", "f($a, $b)"],
    ["f()", "f()"],
    ["a.b.c(q)", "$a.b:c($q)"],
    ['"abc".f(a)', '"abc":f($a)'],
    ["a.b().c()", "$a:b():c()"],
    ["(a | b).f(c)", "OR($a, $b):f($c)"],
    ['m["k"].f("x")', 'INDEX($m, "k"):f("x")'],
    ["TRUE == False", "EQ(TRUE, False)"],
    ["`raw\\n` == 'c'", "EQ(`raw\\n`, 'c')"],
    ["a ==\n  b // why\n", "EQ($a, $b)"],
    ["a /* b */ == c", "EQ($a, $c)"],
    ["1.5e3 | .5", "OR(1.5e3, .5)"],
  ];
  for (const [text, printed] of parses) {
    it(`reads ${JSON.stringify(text)} as ${printed}`, () =>
      assert.equal(formatExpression(parseExpression(text)), printed));
  }

  const refused: readonly [string, RegExp, number][] = [
    ["a = 2", /^unable to parse expression 'a = 2': 1:3: expected '==', found '='$/, 2],
    ["", /^expression is empty$/, 0],
    ["   ", /^expression is empty$/, 0],
    ["a ==", /1:5: expected operand, found 'EOF'$/, 4],
    ["a b", /1:3: expected 'EOF', found b$/, 2],
    ["(a", /1:3: expected '\)', found 'EOF'$/, 2],
    ["f(a b)", /1:5: expected '\)', found b$/, 4],
    ["a.", /1:3: expected selector, found 'EOF'$/, 2],
    ["*a", /1:1: unexpected expression$/, 0],
    ["foo{}", /1:1: unexpected expression$/, 0],
    ["(a.c).d", /1:1: unexpected expression$/, 0],
    ["a().b", /1:1: unexpected expression$/, 0],
    ["x == c().e.d()", /1:6: unexpected expression$/, 5],
    ["a[1:2]", /1:1: unexpected expression$/, 0],
    ["'aaa'", /1:1: illegal rune literal$/, 0],
    ["''", /1:1: illegal rune literal$/, 0],
    ['a == "x', /1:6: string literal not terminated$/, 5],
    ["`x", /1:1: raw string literal not terminated$/, 0],
    ['"\\q"', /1:2: unknown escape sequence$/, 1],
    ["a == #", /1:6: illegal character "#"$/, 5],
    ["a ==\nb c", /2:3: expected 'EOF', found c$/, 7],
    ["9223372036854775808", /integer 9223372036854775808 is out of range$/, 0],
    ["$out.x", /illegal character "\$"$/, 0],
  ];
  for (const [text, message, position] of refused) {
    it(`refuses ${JSON.stringify(text)} at ${position}`, () => {
      const error = errorOf(text);
      assert.match(error.message, message);
      assert.equal(error.position, position);
    });
  }

  it("refuses nesting and lengths without bound", () => {
    assert.match(errorOf(`${"(".repeat(5000)}a${")".repeat(5000)}`).message, /longer than|too deeply/);
    assert.match(errorOf(`${"(".repeat(500)}a${")".repeat(500)}`).message, /too deeply/);
    assert.match(errorOf("!".repeat(500)).message, /too deeply/);
    assert.match(errorOf(`as${" | as".repeat(5000)}`).message, /longer than/);
    assert.equal(evaluate(`as${" | as".repeat(1500)}`, { as: "x" }), "x");
  });
});

describe("literals", () => {
  const literals: readonly [string, ValueType, Value][] = [
    ["1", "INT64", 1],
    ["010", "INT64", 10],
    ["1.5", "DOUBLE", 1.5],
    ["true", "BOOL", true],
    ["FALSE", "BOOL", false],
    ['"x"', "STRING", "x"],
    ["`a\\b`", "STRING", "a\\b"],
    ["'c'", "STRING", "c"],
    ["'\\''", "STRING", "'"],
    ['"a\\t\\"\\\\\\x41\\101\\u00e9\\U0001F600"', "STRING", 'a\t"\\AAé\u{1f600}'],
    ['"\\xc3\\xa9"', "STRING", "é"],
    ['""', "STRING", ""],
    ['"10ms"', "DURATION", 10],
    ['"1h5m"', "DURATION", 3_900_000],
    ['"1.5s"', "DURATION", 1500],
    ['"-2us"', "DURATION", -0.002],
    ['"0"', "DURATION", 0],
    ['"10"', "STRING", "10"],
    ['"10 ms"', "STRING", "10 ms"],
    ['"v1"', "STRING", "v1"],
  ];
  for (const [text, type, value] of literals) {
    it(`${text} is the ${type} ${JSON.stringify(value)}`, () => {
      const compiled = compileExpression(text, VOCABULARY);
      assert.equal(compiled.type, type);
      assert.equal(compiled.evaluate(MapBag.of({})), value);
      assert.deepEqual(compiled.shape, { kind: "constant", value });
    });
  }
});

describe("types", () => {
  const typed: readonly [string, ValueType][] = [
    ["a == 2", "BOOL"],
    ['ar["x"] | "y"', "STRING"],
    ['adur | "0ms"', "DURATION"],
    ["(ar | br)", "STRING_MAP"],
    ['(ar | br)["k"]', "STRING"],
    ['ip("1.2.3.4")', "IP_ADDRESS"],
    ['timestamp("2015-01-02T15:04:35Z")', "TIMESTAMP"],
    ['dnsName("a.b")', "DNS_NAME"],
    ['email("a@b.c")', "EMAIL_ADDRESS"],
    ['uri("http://a")', "URI"],
    ["emptyStringMap()", "STRING_MAP"],
    ['as.startsWith("x") && "re".matches(as)', "BOOL"],
    ["at == at", "BOOL"],
  ];
  for (const [text, type] of typed) {
    it(`${text} is ${type}`, () => assert.equal(compileExpression(text, VOCABULARY).type, type));
  }

  const wrong: readonly [string, string, number?][] = [
    ["nope", "unknown attribute nope", 0],
    ["a == 2 && c.d == 3", "unknown attribute c.d", 10],
    ["true == a", "EQ(true, $a) arg 2 ($a) typeError got INT64, expected BOOL", 8],
    ['a == "x"', 'EQ($a, "x") arg 2 ("x") typeError got STRING, expected INT64', 5],
    ["as | 5", "OR($as, 5) arg 2 (5) typeError got INT64, expected STRING", 5],
    ["ab && as", "LAND($ab, $as) arg 2 ($as) typeError got STRING, expected BOOL", 6],
    ['as["k"]', 'INDEX($as, "k") arg 1 ($as) typeError got STRING, expected STRING_MAP', 0],
    ['ar["10s"]', 'INDEX($ar, "10s") arg 2 ("10s") typeError got DURATION, expected STRING', 3],
    ["a < b", "unknown function: LT", 0],
    ["!ab", "unknown function: NOT", 0],
    ["a + b", "unknown function: ADD", 0],
    ["-1", "unknown function: SUB", 0],
    ["a & b", "unknown function: AND", 0],
    ["f(a)", "unknown function: f", 0],
    ['toLower("A")', "unknown function: toLower", 0],
    ['conditionalString(true, "a", "b")', "unknown function: conditionalString", 0],
    ['startsWith("a", "b")', "invoking instance method without an instance: startsWith", 0],
    ['as.ip("x")', "invoking regular function on instance method: ip", 0],
    ['a.startsWith("x")', '$a:startsWith("x") target typeError got INT64, expected STRING', 0],
    ["ip()", "ip() arity mismatch. Got 0 arg(s), expected 1 arg(s)", 0],
    ['match("a")', 'match("a") arity mismatch. Got 1 arg(s), expected 2 arg(s)', 0],
    ["ip(a)", "ip($a) arg 1 ($a) typeError got INT64, expected STRING", 3],
    ['adur == "1s"', 'EQ($adur, "1s"): values of type DURATION cannot be compared', 0],
    ["ar == br", "EQ($ar, $br): values of type STRING_MAP cannot be compared", 0],
  ];
  for (const [text, message, position] of wrong) {
    it(`${text}: ${message}`, () => {
      const error = errorOf(text);
      assert.equal(error.message, message);
      assert.equal(error.position, position);
    });
  }

  it("refuses any type but the expected one", () => {
    assert.equal(errorOf("as", "BOOL").message, "expression 'as' has type STRING, expected BOOL");
    assert.equal(compileExpression("as", VOCABULARY, "STRING").type, "STRING");
  });

  const badConstants: readonly [string, RegExp][] = [
    ['ip("1.2.3")', /^could not convert 1\.2\.3 to IP_ADDRESS$/],
    [
      'timestamp("yesterday")',
      /^could not convert 'yesterday' to TIMESTAMP\. expected format: '2006-01-02T15:04:05Z07:00'$/,
    ],
    ['dnsName("")', /^error converting '' to dns name: 'idna: invalid label ""'$/],
    ['"a(".matches(as)', /^bad pattern: missing closing \)$/],
  ];
  for (const [text, message] of badConstants) {
    it(`refuses the constant in ${text} when it is compiled`, () => assert.match(errorOf(text).message, message));
  }
});

describe("evaluation", () => {
  const bag: Attributes = {
    a: 2,
    as: "abc",
    ab: true,
    bb: false,
    ar: { k: "v", empty: "", constructor: "c" },
    aip: Uint8Array.of(10, 0, 0, 1),
  };
  const evaluated: readonly [string, Value][] = [
    ["a == 2", true],
    ["a != 2", false],
    ["a == 3 || ab", true],
    ["ab && bb", false],
    ["ab || nobody_asks", true],
    ["bb && nobody_asks", false],
    ["b | a", 2],
    ["b | b | 7", 7],
    ["bb | ab", false],
    ["bs | as", "abc"],
    ['br["x"] | ar["x"] | ar["k"]', "v"],
    ['ar["empty"] | "default"', ""],
    ['ar[bs] | "no key"', "no key"],
    ['ar[as | "k"] | "none"', "none"],
    ['ar[bs | "k"]', "v"],
    ['(br | ar)["k"]', "v"],
    ['br["k"] | emptyStringMap()["k"] | "end"', "end"],
    ['emptyStringMap()["toString"] | "none"', "none"],
    ['ar["toString"] | "none"', "none"],
    ['ar["constructor"]', "c"],
    ['aip == ip("10.0.0.1")', true],
    ['aip == ip("::ffff:10.0.0.1")', true],
    ['aip == ip("10.0.0.2")', false],
    ['ip(bs | "10.0.0.1") == aip', true],
  ];
  const vocabulary = new Map([...VOCABULARY, ["nobody_asks", "BOOL"] as const]);
  for (const [text, value] of evaluated) {
    it(`${text} gives ${JSON.stringify(value)}`, () => {
      assert.deepEqual(compileExpression(text, vocabulary).evaluate(MapBag.of(bag)), value);
    });
  }

  const failing: readonly [string, string][] = [
    ["b == 2", "lookup failed: 'b'"],
    ["b | b", "lookup failed: 'b'"],
    ['ar["x"]', "member lookup failed: 'x'"],
    ['br["x"]', "member lookup failed: 'x'"],
    ["ar[bs]", "lookup failed: 'bs'"],
    ["ip(bs) | ip(as)", "lookup failed: 'bs'"],
    ["ip(bs | as)", "could not convert abc to IP_ADDRESS"],
    ["(b == 2) | true", "lookup failed: 'b'"],
    ["bb || b == 2", "lookup failed: 'b'"],
    [
      'timestamp(as) == timestamp("2015-01-02T15:04:35Z")',
      "could not convert 'abc' to TIMESTAMP. expected format: '2006-01-02T15:04:05Z07:00'",
    ],
  ];
  for (const [text, message] of failing) {
    it(`${text} fails: ${message}`, () => {
      assert.throws(
        () => evaluate(text, bag),
        (error) => error instanceof EvaluationError && error.message === message,
      );
    });
  }
});

describe("functions", () => {
  const cases: readonly [string, Attributes, boolean][] = [
    ['match(as, "abc")', { as: "abc" }, true],
    ['match(as, "abc")', { as: "abcd" }, false],
    ['match(as, "ab*")', { as: "abcd" }, true],
    ['match(as, "*cd")', { as: "abcd" }, true],
    ['match(as, "*bc*")', { as: "*bcd" }, true],
    ['match(as, "*bc*")', { as: "abcd" }, false],
    ['match(as, "*")', { as: "" }, true],
    ['match(as, "a*c")', { as: "abc" }, false],
    ['"b+".matches(as)', { as: "abbbc" }, true],
    ['"^b+$".matches(as)', { as: "abbbc" }, false],
    ["bs.matches(as)", { bs: "^/reviews/\\d+$", as: "/reviews/12" }, true],
    ['as.startsWith("ab")', { as: "abc" }, true],
    ['as.startsWith("b")', { as: "abc" }, false],
    ['as.endsWith("bc")', { as: "abc" }, true],
    ['ar["k"].startsWith("10.")', { ar: { k: "10.1" } }, true],
    ["ip(as) == ip(bs)", { as: "2001:db8::1", bs: "2001:DB8:0:0:0:0:0:1" }, true],
    ["ip(as) == ip(bs)", { as: "1.2.3.4", bs: "::ffff:102:304" }, true],
    ["ip(as) == ip(bs)", { as: "1.2.3.4", bs: "1.2.3.5" }, false],
    ["timestamp(as) == timestamp(bs)", { as: "2015-01-02T15:04:35Z", bs: "2015-01-02T17:04:35.000+02:00" }, true],
    ["timestamp(as) == at", { as: "1970-01-01T00:00:01.5Z", at: 1500 }, true],
    ["dnsName(as) == dnsName(bs)", { as: "Example.COM.", bs: "example.com" }, true],
    ["dnsName(as) == dnsName(bs)", { as: "bücher.example", bs: "xn--bcher-kva.example" }, true],
    ["dnsName(as) == dnsName(bs)", { as: "a.example", bs: "b.example" }, false],
    ["email(as) == email(bs)", { as: "Joe@Example.com", bs: "Joe@example.com" }, true],
    ["email(as) == email(bs)", { as: "joe@example.com", bs: "Joe@example.com" }, false],
    ["uri(as) == uri(bs)", { as: "HTTP://Example.com/a?b#c", bs: "http://example.com/a?b#c" }, true],
    ["uri(as) == uri(bs)", { as: "http://example.com:80/", bs: "http://example.com/" }, false],
    ["uri(as) == uri(bs)", { as: "https://user@Example.com./x", bs: "https://user@example.com/x" }, true],
    ["uri(as) == uri(bs)", { as: "urn:A", bs: "URN:A" }, true],
    ["uri(as) == uri(bs)", { as: "urn:A", bs: "urn:a" }, false],
  ];
  for (const [text, attributes, expected] of cases) {
    it(`${text} with ${JSON.stringify(attributes)} is ${expected}`, () =>
      assert.equal(evaluate(text, attributes), expected));
  }

  const refused: readonly [string, readonly string[]][] = [
    ["ip(as)", ["", "1.2.3", "1.2.3.256", "fe80::1%eth0", "x"]],
    ["timestamp(as)", ["", "2015-01-02", "2015-02-30T00:00:00Z", "2015-01-02 15:04:35Z"]],
    ["dnsName(as)", ["", "a..b", "-a.b", "a_b.c", `${"x".repeat(64)}.com`, "a b"]],
    ["email(as)", ["", "joe", "joe@", "@x.com", "Joe <joe@x.com>", "a b@x.com", "joe@-x"]],
    ["uri(as)", ["", ":x", "http://a:b", "%zz", "a\nb", "1a:b", "http://[::1"]],
    ["as.matches(as)", ["a("]],
  ];
  for (const [text, inputs] of refused) {
    for (const input of inputs) {
      it(`${text} refuses ${JSON.stringify(input)}`, () =>
        assert.throws(() => evaluate(text, { as: input }), EvaluationError));
    }
  }

  const accepted: readonly [string, readonly string[]][] = [
    ["dnsName(as)", ["a", "a.b.", "A-1.example", "münchen.de"]],
    ["email(as)", ["joe@x.com", "joe.doe+tag@x.co.uk", '"joe doe"@x.com']],
    ["uri(as)", ["/path", "http://a:80/b?c#d", "mailto:x@y", "//host/path", "http://[::1]:80/", "a/b:c"]],
  ];
  for (const [text, inputs] of accepted) {
    for (const input of inputs)
      it(`${text} gives ${input} back unchanged`, () => assert.equal(evaluate(text, { as: input }), input));
  }

  it("searches patterns in linear time", () => {
    const startedMs = performance.now();
    evaluate('"(a+)+$".matches(as)', { as: `${"a".repeat(5000)}b` });
    assert.ok(performance.now() - startedMs < 2000);
  });
});

describe("attributes that an answer depends on", () => {
  function track(text: string, attributes: Attributes): Record<string, boolean> {
    const bag = new TrackingBag(MapBag.of(attributes));
    try {
      compileExpression(text, VOCABULARY).evaluate(bag);
    } catch (error) {
      assert(error instanceof EvaluationError);
    }
    return Object.fromEntries(bag.referenced.map(({ attribute, absent }) => [attribute, absent]));
  }

  it("are those that were looked at, present or absent", () => {
    assert.deepEqual(track("bs | as", { as: "x" }), { bs: true, as: false });
    assert.deepEqual(track("as | bs", { as: "x" }), { as: false });
    assert.deepEqual(track("ab && a == 2", { ab: false, a: 2 }), { ab: false });
    assert.deepEqual(track("ab || a == 2", { ab: false, a: 2 }), { ab: false, a: false });
    assert.deepEqual(track("b == 2", {}), { b: true });
  });

  it("are single keys of maps", () => {
    assert.deepEqual(track('ar["foo"] | ar["bar"]', { ar: { bar: "x", other: "y" } }), {
      "ar[foo]": true,
      "ar[bar]": false,
    });
    assert.deepEqual(track("ar[as]", { as: "k", ar: { k: "v" } }), { as: false, "ar[k]": false });
    assert.deepEqual(track('(br | ar)["k"]', { ar: { k: "v" } }), { br: true, ar: false });
  });

  it("are known before any request", () => {
    const references = (text: string): readonly string[] => compileExpression(text, VOCABULARY).references;
    assert.deepEqual(references('ar["x-user"] == "a" && (as | bs) == ar["x-user"]'), ["ar[x-user]", "as", "bs"]);
    assert.deepEqual(references("ar[as]"), ["ar", "as"]);
    assert.deepEqual(references('as.startsWith("x") || "y".matches(bs)'), ["as", "bs"]);
    assert.deepEqual(references("true"), []);
  });

  it("are found in a bag that holds single keys only", () => {
    assert.equal(evaluate('ar["k"]', { "ar[k]": "v" }), "v");
  });
});

describe("what is known of an expression in advance", () => {
  it("is the conditions that must hold", () => {
    const equalities = (text: string): unknown => compileMatch(text, VOCABULARY).equalities;
    assert.deepEqual(equalities('as == "x" && (2 == a && ar["k"] == "v") && (bs == "y" || ab)'), [
      { attribute: "as", value: "x" },
      { attribute: "a", value: 2 },
      { attribute: "ar[k]", value: "v" },
    ]);
    assert.deepEqual(equalities('as == "x" || as == "y"'), []);
    assert.deepEqual(equalities('as != "x" && as == bs'), []);
  });

  it("is whether a value can be merged", () => {
    const shape = (text: string): unknown => compileExpression(text, VOCABULARY).shape;
    assert.deepEqual(shape('adur | "0ms"'), { kind: "attribute", attribute: "adur", fallback: 0 });
    assert.deepEqual(shape("a"), { kind: "attribute", attribute: "a" });
    assert.deepEqual(shape('ar["k"]'), { kind: "attribute", attribute: "ar[k]" });
    assert.deepEqual(shape("a | b"), { kind: "computed" });
    assert.deepEqual(shape("a | b | 1"), { kind: "computed" });
    assert.deepEqual(shape("1"), { kind: "constant", value: 1 });
  });

  it("is that an empty match always holds and that a match is BOOL", () => {
    assert.equal(compileMatch("", VOCABULARY).evaluate(MapBag.of({})), true);
    assert.throws(() => compileMatch("as", VOCABULARY), /has type STRING, expected BOOL/);
  });
});
