import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import type { Respond } from "../harness/application.ts";
import { withRoutes } from "../harness/with-routes.ts";

const routes: RouteInput[] = [
  {
    rule: "cors",
    match: { headers: [{ name: "uri", prefix: "/any" }] },
    destinations: [{ destination: { namespace: "default", service: "a" }, weight: 100 }],
    cors: { allowOrigin: ["*"] },
  },
  {
    rule: "cors",
    destinations: [{ destination: { namespace: "default", service: "a" }, weight: 100 }],
    cors: {
      allowOrigin: ["http://exact.example"],
      allowOrigins: [{ prefix: "http://dev." }, { regex: "https://[a-z]+\\.example" }],
      allowMethods: ["GET", "PUT"],
      allowHeaders: ["x-own"],
      exposeHeaders: ["x-seen", "x-more"],
      maxAgeMs: 86_400_000,
      allowCredentials: true,
    },
  },
];
const respond: Respond = () => ({ headers: { "access-control-allow-origin": "the application's" }, body: "ok" });
const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": "PUT" },
});

describe("a cross-origin request", () => {
  test("is announced by a preflight, which the proxy answers for allowed origins", async () => {
    await withRoutes(routes, { a: respond }, async (proxy, { a }) => {
      for (const origin of ["http://exact.example", "http://dev.example:3000", "https://shop.example"]) {
        const { status, headers } = await proxy.call("/", preflight(origin));
        assert.equal(status, 200);
        assert.equal(headers["access-control-allow-origin"], origin);
        assert.equal(headers["access-control-allow-methods"], "GET,PUT");
        assert.equal(headers["access-control-allow-headers"], "x-own");
        assert.equal(headers["access-control-max-age"], "86400");
        assert.equal(headers["access-control-allow-credentials"], "true");
        assert.equal(headers.vary, "Origin");
      }
      assert.equal(a?.received.length, 0);
      assert.ok(proxy.records.every(({ detail }) => detail === "cors_response"));
    });
  });

  test("goes on when its origin is not allowed, preflight or not", async () => {
    await withRoutes(routes, { a: respond }, async (proxy, { a }) => {
      for (const origin of ["http://exact.example.evil", "https://shop.example.evil", "null"]) {
        const { body, headers } = await proxy.call("/", preflight(origin));
        assert.equal(body, "ok");
        assert.equal(headers["access-control-allow-origin"], "the application's");
        assert.equal(headers.vary, "Origin");
      }
      assert.equal((await proxy.call("/")).body, "ok");
      assert.equal(
        (await proxy.call("/", { method: "OPTIONS", headers: { origin: "http://exact.example" } })).body,
        "ok",
      );
      assert.equal(a?.received.length, 5);
    });
  });

  test("has its preflight kept from the service where the policy says so, and nothing else", async () => {
    const keeping = routes.map((route) => ({ ...route, cors: { ...route.cors, ignoreUnmatchedPreflights: true } }));
    await withRoutes(keeping, { a: respond }, async (proxy, { a }) => {
      const { status, body, headers } = await proxy.call("/", preflight("http://evil.example.com"));
      assert.deepEqual([status, body, headers.vary], [200, "", "Origin"]);
      assert.equal(headers["access-control-allow-origin"], undefined);
      assert.equal(headers["access-control-allow-methods"], undefined);
      assert.equal(a?.received.length, 0);
      assert.equal((await proxy.call("/", { headers: { origin: "http://evil.example.com" } })).body, "ok");
      assert.equal((await proxy.call("/", { method: "OPTIONS" })).body, "ok");
    });
  });

  test("is forwarded, and its answer says who may read it", async () => {
    await withRoutes(routes, { a: respond }, async (proxy) => {
      const { body, headers } = await proxy.call("/", { headers: { origin: "http://exact.example" } });
      assert.equal(body, "ok");
      assert.equal(headers["access-control-allow-origin"], "http://exact.example");
      assert.equal(headers["access-control-allow-credentials"], "true");
      assert.equal(headers["access-control-expose-headers"], "x-seen,x-more");
      const any = await proxy.call("/any", { headers: { origin: "http://any.example" } });
      assert.equal(any.headers["access-control-allow-origin"], "http://any.example");
      assert.equal(any.headers["access-control-allow-credentials"], undefined);
    });
  });

  test("can read the proxy's own answers too", async () => {
    const aborting = routes.map((route) => ({ ...route, fault: { abort: { percent: 100, httpStatus: 503 } } }));
    await withRoutes(aborting, { a: respond }, async (proxy) => {
      const { status, headers } = await proxy.call("/", { headers: { origin: "http://exact.example" } });
      assert.deepEqual([status, headers["access-control-allow-origin"]], [503, "http://exact.example"]);
      assert.equal((await proxy.call("/", preflight("http://exact.example"))).status, 200, "a preflight has no faults");
    });
  });
});
