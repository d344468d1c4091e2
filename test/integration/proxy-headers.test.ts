import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EdgeHeadersFilter } from "../../services/proxy/filter/edge-headers.ts";
import { RequestIdFilter } from "../../services/proxy/filter/request-id.ts";
import type { RouteInput } from "../../shared/wire/index.ts";
import type { Received, Respond } from "../harness/application.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import { withRoutes } from "../harness/with-routes.ts";

const fixture = proxyFixture();

const to = (service: string): RouteInput => ({
  rule: "r",
  destinations: [{ destination: { namespace: "default", service }, weight: 100 }],
});
const ok: Respond = () => ({ body: "ok" });

describe("a request of the application", () => {
  test("says by which scheme it came, and never whose certificate", async () => {
    await withRoutes([to("a")], { a: ok }, async (proxy, { a }) => {
      await proxy.call("/", { headers: { "x-forwarded-client-cert": "By=spiffe://forged" } });
      await proxy.call("/", { headers: { "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1" } });
      const [plain, forwarded] = a?.received ?? [];
      assert.equal(plain?.headers["x-forwarded-proto"], "http");
      assert.equal(plain?.headers["x-forwarded-client-cert"], undefined);
      assert.match(String(plain?.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
      assert.equal(forwarded?.headers["x-forwarded-proto"], "https");
      assert.equal(forwarded?.headers["x-forwarded-for"], "192.0.2.1");
    });
  });

  test("is told how often it was sent, and the caller how long it took", async () => {
    let calls = 0;
    const flaky: Respond = () => (++calls < 3 ? { status: 503 } : { body: "ok" });
    await withRoutes([{ ...to("a"), retry: { attempts: 3 } }], { a: flaky }, async (proxy, { a }) => {
      const { status, headers } = await proxy.call("/", { headers: { "x-envoy-attempt-count": "99" } });
      assert.equal(status, 200);
      assert.deepEqual(
        a?.received.map((each) => each.headers["x-envoy-attempt-count"]),
        ["1", "2", "3"],
      );
      assert.match(String(headers["x-envoy-upstream-service-time"]), /^\d+$/);
    });
  });

  test("has no time of an upstream when the proxy answers itself, nor a delay in it", async () => {
    const routes = [
      { ...to("a"), match: { headers: [{ name: "uri", exact: "/own" }] }, directResponse: { status: 418, body: "" } },
      { ...to("a"), fault: { delay: { percent: 100, fixedDelayMs: 300 } } },
    ];
    await withRoutes(routes, { a: ok }, async (proxy) => {
      assert.equal((await proxy.call("/own")).headers["x-envoy-upstream-service-time"], undefined);
      const started = performance.now();
      const { headers } = await proxy.call("/");
      assert.ok(performance.now() - started >= 290);
      assert.ok(Number(headers["x-envoy-upstream-service-time"]) < 250);
    });
  });

  test("may set its own time limit", async () => {
    await withRoutes([to("a")], { a: () => undefined }, async (proxy, { a }) => {
      const { status } = await proxy.call("/", { headers: { "x-envoy-upstream-rq-timeout-ms": "50" } });
      assert.equal(status, 504);
      assert.equal(proxy.records[0]?.detail, "response_timeout");
      assert.equal(proxy.records[0]?.flags, "UT");
      assert.equal(a?.received[0]?.headers["x-envoy-upstream-rq-timeout-ms"], undefined);
    });
  });

  test("may ask for retries, by name", async () => {
    const busy: Respond = ({ url }) => ({ status: url === "/busy" ? 503 : 409 });
    const headers = { "x-envoy-retry-on": "5xx, no-such-condition", "x-envoy-max-retries": "2" };
    await withRoutes([to("a")], { a: busy }, async (proxy, { a }) => {
      await proxy.call("/busy", { headers });
      assert.equal(a?.received.length, 3);
      assert.equal(a?.received[0]?.headers["x-envoy-retry-on"], undefined);
      assert.equal(a?.received[0]?.headers["x-envoy-max-retries"], undefined);
      await proxy.call("/conflict", { headers });
      assert.equal(a?.received.length, 4);
      await proxy.call("/busy", { headers: { "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "none" } });
      assert.equal(a?.received.length, 6, "a number that is none leaves it at one retry");
    });
  });
});

describe("a request from outside", () => {
  /** Sends the headers through an edge with so many trusted proxies before it. */
  async function received(
    trustedHops: number,
    headers: Readonly<Record<string, string | string[]>>,
  ): Promise<Received> {
    const application = await fixture.application();
    const filters = [new EdgeHeadersFilter(trustedHops), new RequestIdFilter(false)];
    const instances = [application.port];
    const edge = await fixture.proxy({ instances, filters, stack: "bare", listener: "gateway" });
    await edge.call("/", { headers });
    return application.received[0] as Received;
  }

  test("has nothing left of what it says of itself in the mesh's own headers", async () => {
    const { headers } = await received(0, {
      "x-request-id": "forged",
      "x-forwarded-for": ["10.0.0.1", "10.0.0.2"],
      "x-forwarded-proto": "https",
      "x-forwarded-host": "internal",
      "x-forwarded-client-cert": "By=spiffe://forged",
      "x-envoy-max-retries": "9",
      "x-envoy-retry-on": "5xx",
      "x-envoy-upstream-rq-timeout-ms": "1",
      "X-Envoy-Internal": "true",
      "x-own": "kept",
    });
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(headers["x-forwarded-proto"], "http");
    assert.notEqual(headers["x-request-id"], "forged");
    assert.equal(headers["x-own"], "kept");
    const left = Object.keys(headers).filter((name) => name.startsWith("x-envoy") || name.startsWith("x-forwarded"));
    assert.deepEqual(left.sort(), ["x-forwarded-for", "x-forwarded-proto"]);
  });

  test("through trusted proxies keeps what these have added, and theirs is appended", async () => {
    const { headers } = await received(1, {
      "x-forwarded-for": ["192.0.2.1", "198.51.100.7"],
      "x-forwarded-proto": "https",
      "x-forwarded-client-cert": "By=spiffe://forged",
    });
    assert.equal(headers["x-forwarded-for"], "192.0.2.1, 198.51.100.7, 127.0.0.1");
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(headers["x-forwarded-client-cert"], undefined);
    const nonsense = await received(1, { "x-forwarded-proto": "gopher" });
    assert.equal(nonsense.headers["x-forwarded-proto"], "http");
  });
});
