import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Edge } from "../../cli/live/edges-report.ts";
import type { StatRow } from "../../cli/live/stat-report.ts";
import type { TopRow } from "../../cli/live/top-table.ts";
import type { TapRow } from "../../shared/wire/index.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

for (const [sort, env] of [
  ["one process", {}],
  ["worker processes", { CONCURRENCY: "2" }],
] as const) {
  describe(`requests seen by the command line, with proxies of ${sort}`, () => {
    let live: LiveMesh;
    before(async () => {
      live = await LiveMesh.start(env);
      live.callAgainAndAgain(["/good/1?secret=x", "/fail/2"]);
    });
    after(() => live.stop());

    test("tap shows each request once, with both ends and their identities", async () => {
      const { code, out, err } = await live.lateen(["tap", "--path", "/good", "-c", "3", "-o", "json"]);
      assert.equal(code, 0, err);
      const rows = out.split("\n").map((line) => JSON.parse(line) as TapRow);
      assert.equal(rows.length, 3);
      for (const row of rows) {
        assert.deepEqual(
          [row.reporter, row.method, row.path, row.status, row.mutualTls],
          ["destination", "GET", "/good/1?secret=x", 200, true],
        );
        assert.equal(row.source.principal, "spiffe://cluster.local/ns/default/sa/caller");
        assert.equal(row.source.instance, "caller-1");
        assert.equal(row.destination.instance, "reviews-1");
        assert.ok(row.durationMs > 0 && row.requestId !== "");
      }
      assert.equal(new Set(rows.map(({ requestId }) => requestId)).size, 3);
    });

    test("tap filters by end, method and status, at the caller's proxy too", async () => {
      const { out } = await live.lateen(["tap", "caller", "--to", "reviews.default", "--status", "5xx", "-c", "2"]);
      for (const line of out.split("\n"))
        assert.match(
          line,
          /^\d\d:\d\d:\d\d\.\d{3} caller-1\.default -> reviews-1\.default GET \/fail\/2 503 [\d.]+m?s .*tls$/,
        );
      const none = await live.lateen(["tap", "--method", "POST", "--duration", "600ms"]);
      assert.deepEqual(none, { code: 0, out: "", err: "" });
    });

    test("tap says what does not exist", async () => {
      const { code, err } = await live.lateen(["tap", "details"]);
      assert.equal(code, 1);
      assert.match(err, /no proxy, service or workload details; there are caller-1\.default, reviews-1\.default/);
    });

    test("top sums up who calls whom with what", async () => {
      const { out } = await live.lateen([
        "top",
        "reviews",
        "--reporter",
        "destination",
        "--duration",
        "1500ms",
        "-o",
        "json",
      ]);
      const { rows } = JSON.parse(out) as { rows: TopRow[] };
      assert.deepEqual(rows.map(({ path }) => path).sort(), ["/fail/2", "/good/1"]);
      for (const { source, destination, path, count, successRate, bestMs, worstMs } of rows) {
        assert.deepEqual([source, destination], ["caller-v1.default", "reviews-v1.default"]);
        assert.ok(count >= 3);
        assert.equal(successRate, path === "/good/1" ? 1 : 0);
        assert.ok(bestMs > 0 && bestMs <= worstMs);
      }
    });

    test("stat counts by service, over a window", async () => {
      const { out } = await live.lateen(["stat", "--window", "1500ms", "-o", "json"]);
      const { rows, seconds } = JSON.parse(out) as { rows: StatRow[]; seconds: number };
      const reviews = rows.find(({ name }) => name === "reviews");
      assert.ok(reviews?.requests !== undefined && seconds > 1.4);
      assert.ok(reviews.requests >= 10 && reviews.requests <= 60, `${reviews.requests}`);
      assert.ok(Math.abs((reviews.successRate ?? 0) - 0.5) < 0.15);
      assert.equal(reviews.securedRate, 1);
      assert.ok((reviews.p50Ms ?? 0) <= (reviews.p99Ms ?? 0) && (reviews.p50Ms ?? 0) > 0);
      const caller = rows.find(({ name }) => name === "caller");
      assert.deepEqual([caller?.proxies, caller?.rps, caller?.requests], [1, 0, undefined]);
      const text = (await live.lateen(["stat", "reviews", "--by", "workload", "--window", "500ms"])).out;
      assert.match(text, /^default +reviews-v1 +1 +\d+\.\d\d% +[\d.]+ .* 100\.00%$/m);
    });

    test("edges tell both identities, and that the way is encrypted", async () => {
      const { out } = await live.lateen(["edges", "-o", "json"]);
      const { edges } = JSON.parse(out) as { edges: Edge[] };
      const [edge, ...more] = edges.filter(
        ({ destination }) => destination.service === "reviews" && destination.workload !== "",
      );
      assert.deepEqual(more, []);
      assert.equal(edge?.secured, "yes");
      assert.equal(edge?.source.principal, "spiffe://cluster.local/ns/default/sa/caller");
      assert.equal(edge?.destination.principal, "spiffe://cluster.local/ns/default/sa/reviews");
      const table = (await live.lateen(["edges", "reviews"])).out;
      assert.match(table, /^caller-v1 +reviews-v1 +default +default +caller\.default +reviews\.default +\d+ +√$/m);
    });
  });
}

test("on a terminal top is refreshed in place until it is interrupted", async () => {
  const live = await LiveMesh.start();
  try {
    live.callAgainAndAgain(["/good"]);
    const stop = new AbortController();
    let screens = 0;
    const { code } = await live.lateen(["top"], {
      isTerminal: true,
      signal: stop.signal,
      onOut(text) {
        if (!text.startsWith("\u001b[H")) return;
        screens++;
        if (text.includes("/good")) stop.abort();
      },
    });
    assert.equal(code, 0);
    assert.ok(screens >= 2);
  } finally {
    await live.stop();
  }
});
