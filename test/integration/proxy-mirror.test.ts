import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import { Application, type Respond } from "../harness/application.ts";
import { eventually } from "../harness/eventually.ts";
import { TestProxy } from "../harness/test-proxy.ts";
import { withRoutes } from "../harness/with-routes.ts";

const to = (service: string) => ({ destination: { namespace: "default", service } });
const ok: Respond = () => ({ body: "ok" });

function mirrored(mirrors: RouteInput["mirrors"], more: RouteInput = {}): RouteInput[] {
  return [{ rule: "mirror", destinations: [{ ...to("a"), weight: 100 }], mirrors: mirrors ?? [], ...more }];
}

describe("a mirrored request", () => {
  test("goes to both, the copy marked in its Host, and only the first answer counts", async () => {
    const routes = mirrored([{ ...to("shadow"), percent: 100 }], {
      rewrite: { uri: "/rewritten" },
      requestHeaders: { set: [{ name: "x-tag", value: "t" }] },
      timeout: { timeoutMs: 5_000 },
    });
    const loud: Respond = () => ({ status: 500, body: "x".repeat(100_000) });
    await withRoutes(routes, { a: ok, shadow: loud }, async (proxy, { a, shadow }) => {
      const body = "b".repeat(20_000);
      const answer = await proxy.call("/x?q", { method: "POST", body, headers: { "x-own": "1" } });
      assert.deepEqual([answer.status, answer.body], [200, "ok"]);
      await eventually(() => assert.equal(shadow?.received.length, 1));
      const [original, copy] = [a?.received[0], shadow?.received[0]];
      assert.equal(original?.headers.host, "reviews:9080");
      assert.equal(copy?.headers.host, "reviews-shadow:9080");
      for (const request of [original, copy]) {
        assert.deepEqual([request?.method, request?.url, request?.body], ["POST", "/rewritten?q", body]);
        assert.deepEqual([request?.headers["x-tag"], request?.headers["x-own"]], ["t", "1"]);
      }
      assert.equal(copy?.headers["x-request-id"], original?.headers["x-request-id"]);
      assert.equal(proxy.records.length, 1, "a copy is not a request of the application");
    });
  });

  test("is copied as often as the mirror's share says, each mirror by itself", async () => {
    const routes = mirrored([
      { ...to("half"), percent: 50 },
      { ...to("never"), percent: 0 },
      { ...to("always"), percent: 100 },
    ]);
    await withRoutes(routes, { a: ok, half: ok, never: ok, always: ok }, async (proxy, { half, never, always }) => {
      for (let i = 0; i < 200; i++) assert.equal((await proxy.call(`/${i}`)).status, 200);
      await eventually(() => always?.received.length === 200);
      const copied = half?.received.length ?? 0;
      // Five deviations of the mean.
      assert.ok(copied > 64 && copied < 136, `${copied} of 200`);
      assert.equal(never?.received.length, 0);
    });
  });

  test("is copied to the port that the mirror names", async () => {
    const [first, copies] = await Promise.all([new Application().listen(), new Application().listen()]);
    const proxy = await new TestProxy({
      stack: "sidecar",
      services: { a: [first.port], copy: [{ port: copies.port, servicePorts: [9999] }] },
      routes: mirrored([{ ...to("copy"), percent: 100, port: 9999 }]),
    }).listen();
    try {
      assert.equal((await proxy.call("/")).status, 200);
      await eventually(() => copies.received.length === 1);
      assert.equal(first.received.length, 1);
    } finally {
      await proxy.close();
      await Promise.all([first.close(), copies.close()]);
    }
  });

  test("does not feel a copy that nobody answers, refuses or takes", async () => {
    const gone = mirrored([
      { ...to("silent"), percent: 100 },
      { ...to("nowhere"), percent: 100 },
      { ...to("closed"), percent: 100 },
    ]);
    await withRoutes(gone, { a: ok, silent: () => undefined, closed: ok }, async (proxy, { closed, silent }) => {
      await closed?.close();
      for (let i = 0; i < 3; i++) assert.equal((await proxy.call("/")).body, "ok");
      await eventually(() => assert.equal(silent?.received.length, 3));
    });
  });

  test("gives up a copy whose answer takes longer than the route lets, before its head or within its body", async () => {
    const routes = mirrored(
      [
        { ...to("silent"), percent: 100 },
        { ...to("stuck"), percent: 100 },
      ],
      { timeout: { timeoutMs: 100 } },
    );
    let closed = 0;
    const silent: Respond = (_, response) => {
      response.on("close", () => closed++);
      return undefined;
    };
    const stuck: Respond = (received, response) => {
      response.writeHead(200, { "content-length": 10 }).write("half");
      return silent(received, response);
    };
    await withRoutes(routes, { a: ok, silent, stuck }, async (proxy) => {
      assert.equal((await proxy.call("/")).body, "ok");
      await eventually(() => assert.equal(closed, 2));
    });
  });

  test("is copied with a chunked body, and not at all when the body is longer than what is kept", async () => {
    const routes = mirrored([{ ...to("shadow"), percent: 100 }]);
    await withRoutes(routes, { a: ok, shadow: ok }, async (proxy, { a, shadow }) => {
      const long = "l".repeat(64 * 1024 + 1);
      const chunked = { "transfer-encoding": "chunked" };
      assert.equal((await proxy.call("/long", { method: "POST", body: long, headers: chunked })).body, "ok");
      assert.equal((await proxy.call("/short", { method: "POST", body: "short", headers: chunked })).body, "ok");
      await eventually(() => assert.equal(shadow?.received.length, 1));
      assert.deepEqual([shadow?.received[0]?.url, shadow?.received[0]?.body], ["/short", "short"]);
      assert.deepEqual(
        a?.received.map(({ body }) => body.length),
        [long.length, 5],
      );
    });
  });
});
