import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import type { Respond } from "../harness/application.ts";
import { withRoutes } from "../harness/with-routes.ts";

/** One caller's proxy, real sockets on both sides: what each thing that a route can ask for does to a request. */

const to = (service: string) => ({ destination: { namespace: "default", service } });
const all = (service = "reviews") => [{ ...to(service), weight: 100 }];
const ok: Respond = () => ({ body: "ok" });
const saying =
  (body: string): Respond =>
  () => ({ body });

describe("a route", () => {
  test("is the first that fits; a request that none fits gets 404", async () => {
    const routes: RouteInput[] = [
      { rule: "post", match: { headers: [{ name: "method", exact: "POST" }] }, destinations: all("b") },
      { rule: "beta", match: { queryParameters: [{ name: "beta", present: true }] }, destinations: all("b") },
      { rule: "path", name: "to-a", match: { headers: [{ name: "uri", prefix: "/a" }] }, destinations: all("a") },
    ];
    await withRoutes(routes, { a: saying("a"), b: saying("b") }, async (proxy) => {
      assert.equal((await proxy.call("/a")).body, "a");
      assert.equal((await proxy.call("/a", { method: "POST" })).body, "b");
      assert.equal((await proxy.call("/a?x&beta=1")).body, "b");
      assert.equal((await proxy.call("/c")).status, 404);
      assert.deepEqual(
        proxy.records.map(({ route, flags }) => [route, flags]),
        [
          ["to-a", ""],
          ["post", ""],
          ["beta", ""],
          ["", "NR"],
        ],
      );
    });
  });

  test("splits by weight, exactly, with each destination's headers and port", async () => {
    const routes: RouteInput[] = [
      {
        rule: "split",
        destinations: [
          {
            ...to("a"),
            weight: 75,
            requestHeaders: { set: [{ name: "X-Version", value: "a" }] },
            responseHeaders: { add: [{ name: "x-served-by", value: "a" }] },
          },
          { ...to("b"), weight: 25, port: 9081, responseHeaders: { add: [{ name: "x-served-by", value: "b" }] } },
        ],
      },
    ];
    await withRoutes(routes, { a: saying("a"), b: saying("b") }, async (proxy, { a, b }) => {
      for (let i = 0; i < 40; i++) {
        const { body, headers } = await proxy.call("/");
        assert.equal(headers["x-served-by"], body);
      }
      assert.equal(a?.received.length, 30);
      assert.equal(b?.received.length, 10);
      assert.ok(a?.received.every(({ headers }) => headers["x-version"] === "a"));
      assert.ok(b?.received.every(({ headers }) => headers["x-version"] === undefined));
    });
  });

  test("removes, sets and adds headers: the destination's operations, then the route's", async () => {
    const routes: RouteInput[] = [
      {
        rule: "edits",
        destinations: [
          {
            ...to("a"),
            weight: 100,
            requestHeaders: {
              remove: ["X-Gone"],
              set: [{ name: "X-Both", value: "destination" }],
              add: [{ name: "X-Gone", value: "again" }],
            },
            responseHeaders: { set: [{ name: "server", value: "destination" }], remove: ["x-secret"] },
          },
        ],
        requestHeaders: { set: [{ name: "x-both", value: "route" }], add: [{ name: "x-list", value: "two" }] },
        responseHeaders: { set: [{ name: "server", value: "route" }], add: [{ name: "x-added", value: "1" }] },
        appendHeaders: [{ name: "x-list", value: "three" }],
      },
    ];
    const respond: Respond = () => ({ headers: { Server: "app", "X-Secret": "s" }, body: "ok" });
    await withRoutes(routes, { a: respond }, async (proxy, { a }) => {
      const { headers } = await proxy.call("/", { headers: { "X-Gone": "first", "x-list": "one" } });
      const seen = a?.received[0]?.headers ?? {};
      assert.equal(seen["x-gone"], "again");
      assert.equal(seen["x-both"], "route");
      assert.equal(seen["x-list"], "one, two, three");
      assert.equal(headers["server"], "route");
      assert.equal(headers["x-added"], "1");
      assert.equal(headers["x-secret"], undefined);
    });
  });

  test("rewrites path and host before forwarding", async () => {
    const routes: RouteInput[] = [
      {
        rule: "regex",
        match: { headers: [{ name: "uri", prefix: "/users/" }] },
        rewrite: { regex: "^/users/([^/]+)/(.*)$", substitution: "/\\2/of/\\1", authority: "users.example:81" },
        destinations: all("a"),
      },
      {
        rule: "prefix",
        match: { headers: [{ name: "uri", prefix: "/V1", ignoreCase: true }] },
        rewrite: { uri: "/" },
        destinations: all("a"),
      },
    ];
    await withRoutes(routes, { a: ok }, async (proxy, { a }) => {
      for (const path of ["/users/ann/cart?x=/users/", "/v1/a/b?c", "/v1", "/v1a"]) await proxy.call(path);
      assert.deepEqual(
        a?.received.map(({ url, headers }) => [headers.host, url]),
        [
          ["users.example:81", "/cart/of/ann?x=/users/"],
          ["reviews:9080", "/a/b?c"],
          ["reviews:9080", "/"],
          ["reviews:9080", "/a"],
        ],
      );
    });
  });

  test("redirects with the code, scheme, host, port and path that it names", async () => {
    const redirect = (prefix: string, to: RouteInput["redirect"]): RouteInput => ({
      rule: prefix,
      match: { headers: [{ name: "uri", prefix }] },
      redirect: to ?? null,
      responseHeaders: { add: [{ name: "x-rule", value: prefix }] },
    });
    const routes = [
      redirect("/secure", { scheme: "https", code: 301 }),
      redirect("/port", { port: 8443, scheme: "https", code: 307 }),
      redirect("/plainport", { port: 443, scheme: "https", code: 308 }),
      redirect("/host", { authority: "other.example", uri: "/there" }),
      redirect("/query", { uri: "/there?own=1", code: 303 }),
      redirect("/old", { prefixRewrite: "/new" }),
    ];
    await withRoutes(routes, {}, async (proxy) => {
      const cases: [path: string, host: string, status: number, location: string][] = [
        ["/secure/a?b", "reviews:80", 301, "https://reviews/secure/a?b"],
        ["/secure", "reviews:9080", 301, "https://reviews:9080/secure"],
        ["/port?q", "reviews:9080", 307, "https://reviews:8443/port?q"],
        ["/plainport", "reviews:9080", 308, "https://reviews/plainport"],
        ["/host/x?q=1", "reviews:9080", 302, "http://other.example/there?q=1"],
        ["/query?x", "reviews:9080", 303, "http://reviews:9080/there?own=1"],
        ["/old/a?b", "reviews:9080", 302, "http://reviews:9080/new/a?b"],
      ];
      for (const [path, host, status, location] of cases) {
        // The service is known on one port only: an authority without one means it too.
        const answer = await proxy.call(path, { headers: { host: host === "reviews:80" ? "reviews" : host } });
        assert.equal(answer.status, status, path);
        assert.equal(answer.headers.location, location, path);
        assert.equal(answer.headers["x-rule"], `/${path.split(/[/?]/)[1] ?? ""}`);
      }
      assert.ok(proxy.records.every(({ detail, flags }) => detail === "direct_response" && flags === ""));
    });
  });

  test("answers itself with a status and a body", async () => {
    const routes: RouteInput[] = [
      {
        rule: "teapot",
        directResponse: { status: 418, body: "short and stout" },
        responseHeaders: { add: [{ name: "x-pot", value: "tea" }] },
      },
    ];
    await withRoutes(routes, {}, async (proxy) => {
      const { status, body, headers } = await proxy.call("/", { method: "POST", body: "water" });
      assert.deepEqual([status, body, headers["x-pot"]], [418, "short and stout", "tea"]);
    });
  });

  test("has a time limit, which a header may replace", async () => {
    const routes: RouteInput[] = [
      { rule: "slow", destinations: all("a"), timeout: { timeoutMs: 60_000, overrideHeader: "X-Limit" } },
    ];
    await withRoutes(routes, { a: () => undefined }, async (proxy) => {
      const { status } = await proxy.call("/", { headers: { "x-limit": "20" } });
      assert.equal(status, 504);
      assert.equal(proxy.records[0]?.flags, "UT");
    });
  });

  test("tries again as often as it says", async () => {
    let answers = 0;
    const flaky: Respond = () => (++answers < 3 ? { status: 503 } : { body: "third" });
    const routes: RouteInput[] = [{ rule: "retry", destinations: all("a"), retry: { attempts: 2, retryOn: ["5xx"] } }];
    await withRoutes(routes, { a: flaky }, async (proxy) => {
      const { status, body } = await proxy.call("/");
      assert.deepEqual([status, body], [200, "third"]);
      assert.equal(proxy.records[0]?.attempts, 3);
    });
  });
});
