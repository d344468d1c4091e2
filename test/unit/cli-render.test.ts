import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAge, palette, renderApplyResult, renderTable, renderTelemetry } from "../../cli/render.ts";
import type { ApplyResult } from "../../client/index.ts";

const PLAIN = { dryRun: false, colours: palette(false) };

function result(fields: Partial<ApplyResult>): ApplyResult {
  return {
    document: 0,
    kind: "RouteRule",
    namespace: "default",
    name: "reviews-default",
    outcome: "created",
    revision: 17,
    errors: [],
    warnings: [],
    ...fields,
  };
}

test("an accepted document is one line that names its key and revision", () => {
  assert.equal(renderApplyResult(result({}), PLAIN), "Created config routerule/default/reviews-default at revision 17");
  assert.equal(
    renderApplyResult(result({ outcome: "configured" }), PLAIN),
    "Updated config routerule/default/reviews-default to revision 17",
  );
  assert.equal(
    renderApplyResult(
      result({
        outcome: "pending",
        warnings: [
          { path: "spec.route[0].labels", value: null, reason: "no instance has version=v9", remedy: "start one" },
        ],
      }),
      PLAIN,
    ),
    "Accepted config routerule/default/reviews-default at revision 17, pending\n  warning: spec.route[0].labels: no instance has version=v9\n      start one",
  );
  assert.equal(
    renderApplyResult(
      result({ outcome: "pending", warnings: [{ path: "", value: null, reason: "waits", remedy: "" }] }),
      PLAIN,
    ),
    "Accepted config routerule/default/reviews-default at revision 17, pending\n  warning: waits",
  );
  assert.equal(
    renderApplyResult(result({ outcome: "rejected", name: "", document: 2 }), { ...PLAIN, file: "a.yaml" }),
    "Rejected document 3 of a.yaml",
  );
  assert.equal(
    renderApplyResult(result({}), { ...PLAIN, dryRun: true }),
    "Created config routerule/default/reviews-default (dry run)",
  );
});

test("a refusal names each field, its position, reason, value and remedy", () => {
  const errors = [
    {
      path: "spec.match.request.headers.cookie.regex",
      value: "^(*?;)?",
      reason: "nothing to repeat",
      remedy: "put a dot before *",
      position: 2,
    },
    { path: "spec.route[0].weight", value: 150, reason: "not within 0 and 100", remedy: "" },
  ];
  assert.equal(
    renderApplyResult(result({ outcome: "rejected", errors }), PLAIN),
    "Rejected config routerule/default/reviews-default\n" +
      '  spec.match.request.headers.cookie.regex (position 2): nothing to repeat ["^(*?;)?"]\n' +
      "      put a dot before *\n" +
      "  spec.route[0].weight: not within 0 and 100 [150]",
  );
});

test("a document without a readable name is called by its place", () => {
  assert.match(
    renderApplyResult(result({ outcome: "rejected", name: "", document: 2 }), PLAIN),
    /^Rejected document 3/,
  );
});

test("colours appear on a terminal only", () => {
  assert.ok(
    renderApplyResult(result({}), { dryRun: false, colours: palette(true) }).startsWith("\u001b[32mCreated\u001b[0m"),
  );
});

test("a metric row is one line, and an unknown shape is shown as it is", () => {
  const row = {
    time: "2026-01-02T03:04:05.678Z",
    instance: "requestcount",
    reporter: "destination",
    source: { namespace: "default", workload: "reviews-v2", version: "v2", principal: "" },
    destination: { namespace: "default", service: "ratings", workload: "ratings-v1", version: "v1", principal: "" },
    code: 403,
    count: 3,
    value: 3,
    dimensions: {},
  };
  assert.equal(
    renderTelemetry("metric", row),
    "03:04:05.678 default/reviews-v2@v2 -> default/ratings@v1 403 requestcount 3 (3, destination)",
  );
  assert.equal(renderTelemetry("log", { time: "x", severity: "info" }), '--:--:--.--- log {"severity":"info"}');
});

test("tables align and ages stay short", () => {
  assert.equal(renderTable(["A", "B"], [["long", "x"]]), "A     B\nlong  x");
  assert.deepEqual([5_000, 300_000, 10_000_000, 400_000_000].map(formatAge), ["5s", "5m", "2h", "4d"]);
});
