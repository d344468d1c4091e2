import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_SUBMISSION_BYTES, parseSubmission, type SubmittedDocument } from "../../shared/model/documents.ts";
import {
  accepted,
  createKindRegistry,
  type FieldError,
  type Resource,
  revisionOf,
  sameContent,
} from "../../shared/model/index.ts";

const REGISTRY = createKindRegistry();
const HEAD = "apiVersion: config.istio.io/v1alpha2";

function rule(name: string, more = ""): string {
  return `${HEAD}\nkind: RouteRule\nmetadata:\n  name: ${name}\nspec:\n  destination:\n    name: reviews\n${more}`;
}

function parse(text: string): readonly SubmittedDocument[] {
  return parseSubmission(text, REGISTRY);
}

function only(text: string): SubmittedDocument {
  const [first, ...rest] = parse(text);
  assert.ok(first);
  assert.deepEqual(rest, []);
  return first;
}

function resource(text: string): Resource {
  const document = only(text);
  assert.ok(document.ok, JSON.stringify(document));
  return document.parsed.resource;
}

function errors(text: string): readonly FieldError[] {
  const document = only(text);
  assert.ok(!document.ok);
  return document.errors;
}

function outcomes(text: string): readonly string[] {
  return parse(text).map((each) => `${each.document} ${each.name} ${each.ok}`);
}

describe("a submission", () => {
  test("versions that Istio's samples carry are accepted and kept", () => {
    for (const version of ["v1alpha1", "v1alpha2", "v1beta1"]) {
      const [document] = parseSubmission(rule("a").replace(HEAD, `apiVersion: config.istio.io/${version}`), REGISTRY);
      assert.ok(document?.ok);
      assert.equal(document.parsed.resource.apiVersion, `config.istio.io/${version}`);
    }
  });

  test("made of nothing but punctuation is refused before the parser labours at it", () => {
    for (const text of [
      "[]".repeat(400_000),
      `[${",".repeat(900_000)}]`,
      ":\n".repeat(400_000),
      "!a ".repeat(300_000),
    ]) {
      const [refused] = parse(text);
      assert.ok(refused !== undefined && !refused.ok);
      assert.match(refused.errors[0]?.reason ?? "", /^more than 50000 lines/);
    }
    assert.deepEqual(outcomes(`${"[]".repeat(400_000)}\n---\n${rule("a")}`), ["0  false", "1 a true"]);
  });

  test("may be YAML with comments, empty documents and markers", () => {
    const text = `# first\n---\n${rule("a")}\n---\n---\n# nothing\n---\n${rule("b")}...\n`;
    assert.deepEqual(outcomes(text), ["0 a true", "1 b true"]);
  });

  test("may be JSON, indented with tabs", () => {
    const json = JSON.stringify(
      { apiVersion: "config.istio.io/v1alpha2", kind: "rule", metadata: { name: "a" }, spec: { match: '"x" == "/é"' } },
      null,
      "\t",
    );
    assert.deepEqual(resource(json).spec, { match: '"x" == "/é"' });
  });

  test("may be a list or an array, whose items count as documents", () => {
    const item = (name: string): unknown => ({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "rule",
      metadata: { name },
    });
    assert.deepEqual(outcomes(JSON.stringify([item("a"), item("b")])), ["0 a true", "1 b true"]);
    const text = `${JSON.stringify({ apiVersion: "v1", kind: "List", items: [item("a"), item("B")] })}\n---\n${rule("c")}`;
    assert.deepEqual(outcomes(text), ["0 a true", "1 B false", "2 c true"]);
  });

  test("has no documents when it is empty", () => {
    for (const text of ["", "\n", "---\n", "# only a comment\n---\n...\n"]) assert.deepEqual(parse(text), []);
  });

  test("is judged document by document, whatever breaks one of them", () => {
    for (const broken of [
      "a: [",
      "a: {b",
      'a: "never closed',
      "a: 'never closed",
      "\tx: 1",
      "a: b: c",
      "a: *nowhere",
      "}",
      "--- ---",
    ]) {
      const text = `${rule("a")}\n---\n${broken}\n---\n${rule("b")}`;
      assert.deepEqual(outcomes(text), ["0 a true", "1  false", "2 b true"], broken);
    }
  });

  test("names the line of a syntax error within the whole text", () => {
    const [, broken] = parse(`${rule("a")}---\nx: 1\ny: b: c\n`);
    assert.ok(broken !== undefined && !broken.ok);
    assert.match(broken.errors[0]?.reason ?? "", /line 10, column 4/);
  });

  test("is bounded in size, documents, depth, values and aliases", () => {
    assert.match(errors("x".repeat(MAX_SUBMISSION_BYTES + 1))[0]?.reason ?? "", /longer than/);
    assert.equal(parse("---\n1\n".repeat(1500)).length, 1001);
    assert.match(errors(`a: ${"[".repeat(100)}${"]".repeat(100)}`)[0]?.reason ?? "", /nested deeper/);
    assert.match(errors("[".repeat(500_000))[0]?.reason ?? "", /nested deeper/);
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 10; i++)
      bomb.push(
        `${"abcdefghij"[i]}: &${"abcdefghij"[i]} [${Array(9)
          .fill(`*${"abcdefghij"[i - 1]}`)
          .join(",")}]`,
      );
    assert.match(errors(bomb.join("\n"))[0]?.reason ?? "", /aliases/);
  });

  test("may use a few aliases", () => {
    const text = rule(
      "a",
      "  route:\n  - labels: &l\n      version: v1\n    weight: 50\n  - labels: *l\n    weight: 50\n",
    );
    assert.deepEqual(resource(text).spec["route"], [
      { labels: { version: "v1" }, weight: 50 },
      { labels: { version: "v1" }, weight: 50 },
    ]);
  });
});

describe("a document", () => {
  test("gives the resource as applied, in the default namespace", () => {
    assert.deepEqual(resource(rule("a", "  http_req_timeout:\n    simpleTimeout:\n      timeout: 7.000s\n")), {
      apiVersion: "config.istio.io/v1alpha2",
      kind: "RouteRule",
      metadata: { name: "a", namespace: "default" },
      spec: { destination: { name: "reviews" }, httpReqTimeout: { simpleTimeout: { timeout: "7.000s" } } },
    });
  });

  test("keeps namespace, revision, labels and annotations", () => {
    const text = `${HEAD}\nkind: checknothing\nmetadata:\n  name: a\n  namespace: prod\n  resourceVersion: "17"\n  labels: {l: x}\n  annotations: {a: "multi\\nline"}\nspec:\n`;
    const found = resource(text);
    assert.deepEqual(found.metadata, {
      name: "a",
      namespace: "prod",
      resourceVersion: "17",
      labels: { l: "x" },
      annotations: { a: "multi\nline" },
    });
    assert.deepEqual(found.spec, {});
    assert.equal(revisionOf(found), 17);
    assert.ok(sameContent(found, accepted(found, 18, "2026-01-01T00:00:00.000Z")));
  });

  test("keeps text that other YAML versions take for dates, booleans or octal numbers", () => {
    const text = rule("a", "  route:\n  - labels: {day: 2017-11-06, answer: no, code: v010}\n");
    assert.deepEqual(resource(text).spec["route"], [{ labels: { day: "2017-11-06", answer: "no", code: "v010" } }]);
  });

  const refused: readonly (readonly [string, string, readonly (readonly [string, RegExp])[]])[] = [
    ["that is no object", "just text", [["", /must be an object/]]],
    [
      "of another API version",
      rule("a").replace(HEAD, "apiVersion: config.istio.io/v2"),
      [["apiVersion", /no API version/]],
    ],
    ["without API version", rule("a").replace(HEAD, ""), [["apiVersion", /required/]]],
    ["of an unknown kind", rule("a").replace("RouteRule", "HTTPRouteTable"), [["kind", /unknown kind/]]],
    ["of a kind in another letter case", rule("a").replace("RouteRule", "routerule"), [["kind", /unknown kind/]]],
    ["with an unknown field at the top", `${rule("a")}state: {}\n`, [["state", /unknown field/]]],
    ["with unknown metadata", rule("a\n  uuid: x"), [["metadata.uuid", /unknown field/]]],
    ["without name", rule(""), [["metadata.name", /required/]]],
    ["with a number as name", rule("12"), [["metadata.name", /must be text, not the number 12/]]],
    ["with a name in upper case", rule("Reviews"), [["metadata.name", /not a DNS name/]]],
    ["with a dot too many in its name", rule("reviews..v1"), [["metadata.name", /not a DNS name/]]],
    [
      "with a dot in a name that references take apart",
      `${HEAD}\nkind: checknothing\nmetadata: {name: a.b}\n`,
      [["metadata.name", /not a DNS label/]],
    ],
    ["with a bad namespace", rule("a\n  namespace: a_b"), [["metadata.namespace", /DNS label/]]],
    ["with a bad revision", rule("a\n  resourceVersion: latest"), [["metadata.resourceVersion", /not a revision/]]],
    ["with a number as revision", rule("a\n  resourceVersion: 5"), [["metadata.resourceVersion", /must be text/]]],
    ["with a key given twice", rule("a", "  precedence: 1\n  precedence: 2\n"), [["spec.precedence", /given twice/]]],
    ["with a key given twice in JSON", '{"kind":"rule","kind":"rule"}', [["kind", /given twice/]]],
    ["with a timestamp tag", rule("a", "  precedence: !!timestamp 2001-01-01\n"), [["spec.precedence", /tag/]]],
    [
      "with a number where text belongs",
      rule("a").replace("name: reviews", "name: 5"),
      [["spec.destination.name", /must be text, not the number 5/]],
    ],
    ["with infinity", rule("a", "  precedence: .inf\n"), [["spec.precedence", /neither/]]],
    ["with a prototype as key", rule("a", "  appendHeaders: {__proto__: x}\n"), [["spec.appendHeaders", /plain text/]]],
    [
      "with a spec that is a list",
      `${HEAD}\nkind: rule\nmetadata: {name: a}\nspec: []\n`,
      [["spec", /must be an object/]],
    ],
    [
      "with many faults, all of which are told",
      `apiVersion: v1\nkind: RouteRule\nmetadata:\n  name: A\nspec:\n  precedence: x\n  route:\n  - weight: 101\n  mirror: {}\n  extra: 1\n`,
      [
        ["metadata.name", /DNS name/],
        ["apiVersion", /no API version/],
        ["spec.destination", /required/],
        ["spec.precedence", /whole number/],
        ["spec.route[0].weight", /between/],
        ["spec.mirror", /names no service/],
        ["spec.extra", /unknown field/],
      ],
    ],
  ];
  for (const [what, text, expected] of refused) {
    test(`is refused ${what}`, () => {
      const found = errors(text);
      assert.deepEqual(
        found.map(({ path }) => path).sort(),
        expected.map(([path]) => path).sort(),
        JSON.stringify(found),
      );
      for (const [path, reason] of expected)
        assert.ok(
          found.some((error) => error.path === path && reason.test(error.reason)),
          JSON.stringify(found),
        );
    });
  }

  test("names itself as far as it can be read when it is refused", () => {
    const document = only(rule("a\n  namespace: prod", "  nonsense: 1\n"));
    assert.deepEqual(
      [document.kind, document.namespace, document.name, document.ok],
      ["RouteRule", "prod", "a", false],
    );
    const [error] = errors(rule("a").replace("RouteRule", "route-rule"));
    assert.equal(error?.remedy, "did you mean RouteRule?");
  });

  test("tells at most 200 errors, and that there are more", () => {
    const found = errors(rule("a", Array.from({ length: 5000 }, (_, index) => `  unknown${index}: 1\n`).join("")));
    assert.equal(found.length, 201);
    assert.match(found.at(-1)?.reason ?? "", /more than 200 errors/);
  });

  test("shows long values cut short", () => {
    const [error] = errors(rule("a", `  precedence: ${"x".repeat(5000)}\n`));
    assert.ok(typeof error?.value === "string" && error.value.length < 300);
  });
});
