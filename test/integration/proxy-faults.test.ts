import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FaultFilter } from "../../services/proxy/filter/fault.ts";
import type { RouteInput } from "../../shared/wire/index.ts";
import type { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import type { TestProxy } from "../harness/test-proxy.ts";

const { proxy, application, client } = proxyFixture();

/** `draws`: what chance says, one after the other, from 0 to 1. */
async function injecting(
  fault: NonNullable<RouteInput["fault"]>,
  draws: number[] = [],
): Promise<{ caller: TestProxy; app: Application }> {
  const app = await application();
  const filters = [new FaultFilter(() => draws.shift() ?? 0.5)];
  return { app, caller: await proxy({ instances: [app.port], route: { rule: "fault", fault }, filters }) };
}

describe("a fault", () => {
  test("aborts by chance, without asking the instance", async () => {
    const { caller, app } = await injecting({ abort: { percent: 50, httpStatus: 418 } }, [0.49, 0.51]);
    assert.equal((await caller.call()).status, 418);
    assert.deepEqual([caller.last?.flags, caller.last?.detail], ["FI", "fault_filter_abort"]);
    assert.equal((await caller.call()).status, 200);
    assert.equal(app.received.length, 1);
  });

  test("aborts with the status that a header names, where the rule says so and it is one", async () => {
    const { caller, app } = await injecting({ abort: { percent: 100, httpStatus: 500, overrideHeader: "X-Abort" } });
    for (const [value, status] of [
      ["404", 404],
      ["99", 500],
      ["nonsense", 500],
      ["204", 204],
    ] as const) {
      const answer = await caller.call("/", { headers: { "x-abort": value } });
      assert.equal(answer.status, status);
      if (status === 204) assert.equal(answer.headers["content-length"], undefined);
    }
    assert.equal((await caller.call()).status, 500);
    assert.equal(app.received.length, 0);
  });

  test("delays, with the body kept, and draws anew for the abort", async () => {
    const fault = { delay: { percent: 100, fixedDelayMs: 50 }, abort: { percent: 0, httpStatus: 500 } };
    const { caller, app } = await injecting(fault);
    const startedMs = performance.now();
    assert.equal((await caller.call("/", { method: "POST", body: "kept while delayed" })).status, 200);
    assert.ok(performance.now() - startedMs >= 45);
    assert.equal(app.received[0]?.body, "kept while delayed");
    assert.equal(caller.last?.flags, "DI");
  });

  test("delays by a share of the requests, and aborts what it has delayed", async () => {
    const fault = { delay: { percent: 10, fixedDelayMs: 20 }, abort: { percent: 100, httpStatus: 418 } };
    const { caller } = await injecting(fault, [0.09, 0.11]);
    for (const flags of ["DI,FI", "FI"]) {
      assert.equal((await caller.call()).status, 418);
      assert.equal(caller.last?.flags, flags);
    }
  });

  test("delays for as long as a header says, where the rule lets it", async () => {
    const { caller } = await injecting({ delay: { percent: 100, fixedDelayMs: 60_000, overrideHeader: "x-delay" } });
    const startedMs = performance.now();
    assert.equal((await caller.call("/", { headers: { "X-Delay": "30" } })).body, "ok");
    assert.ok(performance.now() - startedMs >= 29);
  });

  test("delays exponentially, each request by its own draw", async () => {
    // e^-2 of all requests wait longer than two means; the first place in the distribution is no delay at all.
    const { caller } = await injecting({ delay: { percent: 100, exponentialDelayMs: 40 } }, [0, 1 - Math.exp(-2)]);
    assert.equal((await caller.call()).status, 200);
    assert.equal(caller.last?.flags, "");
    const startedMs = performance.now();
    assert.equal((await caller.call()).status, 200);
    assert.ok(performance.now() - startedMs >= 75);
    assert.equal(caller.last?.flags, "DI");
  });

  test("aborts gRPC requests with a status in the head of the answer, and others with the HTTP status like it", async () => {
    const { caller, app } = await injecting({ abort: { percent: 100, grpcStatus: 14, overrideHeader: "x-abort" } });
    const grpc = { "content-type": "application/grpc+proto" };
    for (const [headers, status, grpcStatus] of [
      [grpc, 200, "14"],
      [{ ...grpc, "x-abort": "5" }, 200, "5"],
      [{ ...grpc, "x-abort": "17" }, 200, "14"],
      [{ ...grpc, "x-abort": "0" }, 200, "14"],
      [{ "content-type": "application/json" }, 503, undefined],
      [{ "content-type": "application/grpcish", "x-abort": "7" }, 403, undefined],
    ] as const) {
      const answer = await caller.call("/", { headers });
      assert.equal(answer.status, status, JSON.stringify(headers));
      assert.equal(answer.headers["grpc-status"], grpcStatus, JSON.stringify(headers));
      if (grpcStatus === undefined) continue;
      assert.equal(answer.headers["content-type"], "application/grpc");
      assert.equal(answer.body, "");
    }
    assert.equal(caller.last?.flags, "FI");
    assert.equal(app.received.length, 0);
  });

  test("that delays a request whose client has gone ends with it", async () => {
    const { caller, app } = await injecting({ delay: { percent: 100, fixedDelayMs: 80 } });
    const leaving = await client(caller);
    leaving.head("GET /leaves HTTP/1.1", "Host: reviews");
    await eventually(() => caller.begun === 1);
    leaving.close();
    await eventually(() => caller.last?.flags === "DI,DC");
    // Delayed as long, and begun later: it would have come second.
    assert.equal((await caller.call("/stays")).status, 200);
    assert.deepEqual(
      app.received.map(({ url }) => url),
      ["/stays"],
    );
  });
});
