import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OverloadFilter } from "../../services/proxy/filter/overload.ts";
import { Overload } from "../../services/proxy/overload.ts";
import { FakeClock } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import { withRoutes } from "../harness/with-routes.ts";

const { proxy, application, client, cleanUp } = proxyFixture();

describe("a local rate limit", () => {
  const limited = (rule: string) => ({
    rule,
    match: { headers: [{ name: "uri", prefix: `/${rule}` }] },
    destinations: [{ destination: { service: "reviews" }, weight: 1 }],
    rateLimit: { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 3_000 },
  });

  test("answers 429 with headers beyond the route's own tokens, until there are new ones", async () => {
    const clock = new FakeClock();
    const routes = [limited("a"), limited("b")];
    await withRoutes(
      routes,
      { reviews: () => ({ body: "ok" }) },
      async (caller, { reviews }) => {
        const statuses = async (path: string, calls: number): Promise<number[]> => {
          const seen: number[] = [];
          for (let i = 0; i < calls; i++) seen.push((await caller.call(path)).status);
          return seen;
        };
        assert.deepEqual(await statuses("/a", 2), [200, 200]);
        const { status, headers } = await caller.call("/a");
        assert.equal(status, 429);
        assert.deepEqual(
          ["x-envoy-ratelimited", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"].map(
            (name) => headers[name],
          ),
          ["true", "2", "0", "3", "3"],
        );
        assert.deepEqual([caller.last?.flags, caller.last?.detail], ["RL", "local_rate_limited"]);
        assert.deepEqual(await statuses("/b", 3), [200, 200, 429], "another route has a bucket of its own");
        clock.advance(3_000);
        assert.deepEqual(await statuses("/a", 2), [200, 429]);
        assert.equal(reviews?.received.length, 5);
      },
      { clock },
    );
  });

  test("outlives a change of configuration", async () => {
    await withRoutes([limited("a")], { reviews: () => ({ body: "ok" }) }, async (caller) => {
      for (const status of [200, 200, 429]) assert.equal((await caller.call("/a")).status, status);
      caller.reroute([limited("b"), limited("a")]);
      assert.equal((await caller.call("/b")).status, 200, "the new routes are in force");
      caller.reroute([limited("a")]);
      assert.equal((await caller.call("/a")).status, 429);
    });
  });
});

describe("overload", () => {
  for (const what of ["connections", "memory"] as const) {
    test(`of ${what} answers 503 at once and ends the connection, until there is room again`, async () => {
      const app = await application();
      const clock = new FakeClock();
      const used = { connections: 0, memory: 0 };
      const overload = new Overload({
        maxHeapPercent: 90,
        maxConnections: 90,
        clock,
        connections: () => used.connections,
        heapPercent: () => used.memory,
      });
      cleanUp(() => overload.close());
      const caller = await proxy({ instances: [app.port], filters: [new OverloadFilter(overload)] });
      assert.equal((await caller.call()).status, 200);
      used[what] = 91;
      clock.advance(250);
      const shed = await caller.call();
      assert.deepEqual([shed.status, shed.headers["x-envoy-local-overloaded"]], [503, "true"]);
      assert.deepEqual([caller.last?.flags, caller.last?.detail], ["OM", "overload"]);
      const kept = await client(caller);
      kept.head("GET / HTTP/1.1", "Host: reviews");
      assert.match(await kept.untilClosed(), /^HTTP\/1\.1 503 /);
      used[what] = 89;
      clock.advance(250);
      assert.equal((await caller.call()).status, 503, "not before it is well below");
      used[what] = 80;
      clock.advance(250);
      assert.equal((await caller.call()).status, 200);
      assert.equal(app.received.length, 2);
    });
  }
});
