import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import { answering, failing, type Respond } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";

/** Retries that a route asks for, over real sockets. */

const { proxy, application, backend, client, cleanUp } = proxyFixture();

type Retry = NonNullable<RouteInput["retry"]>;

/** Every request may be tried again as often as its route says. */
const UNBOUNDED = { retryBudget: { percent: 100, minConcurrency: 100 } };

describe("a retry condition", () => {
  const conditions: readonly (readonly [what: string, retry: Retry, first: Respond, isMet: boolean])[] = [
    ["5xx", { retryOn: ["5xx"] }, answering(500), true],
    ["5xx", { retryOn: ["5xx"] }, answering(404), false],
    ["gateway-error", { retryOn: ["gateway-error"] }, answering(502), true],
    ["gateway-error", { retryOn: ["gateway-error"] }, answering(500), false],
    ["retriable-4xx", { retryOn: ["retriable-4xx"] }, answering(409), true],
    ["retriable-4xx", { retryOn: ["retriable-4xx"] }, answering(400), false],
    [
      "retriable-status-codes",
      { retryOn: ["retriable-status-codes"], retriableStatusCodes: [418] },
      answering(418),
      true,
    ],
    [
      "retriable-status-codes",
      { retryOn: ["retriable-status-codes"], retriableStatusCodes: [418] },
      answering(503),
      false,
    ],
    [
      "retriable-headers",
      { retryOn: ["retriable-headers"], retriableHeaders: [{ name: "x-again", exact: "yes" }] },
      answering(200, { "x-again": "yes" }),
      true,
    ],
    [
      "retriable-headers",
      { retryOn: ["retriable-headers"], retriableHeaders: [{ name: "x-again", exact: "yes" }] },
      answering(503, { "x-again": "no" }),
      false,
    ],
    ["unavailable", { retryOn: ["unavailable"] }, answering(200, { "grpc-status": "14" }), true],
    ["cancelled", { retryOn: ["cancelled"] }, answering(200, { "grpc-status": "14" }), false],
    ["nothing said", {}, answering(503), true],
    ["nothing said", {}, answering(404), false],
  ];
  for (const [i, [what, retry, first, isMet]] of conditions.entries()) {
    test(`${what} is ${isMet ? "met" : "not met"} by its answer (${i})`, async () => {
      const app = await application();
      app.respond = (received, response) => {
        app.respond = () => ({ body: "second" });
        return first(received, response);
      };
      const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 1, ...retry } } });
      assert.equal((await caller.call()).body === "second", isMet);
      assert.equal(app.received.length, isMet ? 2 : 1);
      assert.equal(caller.last?.flags, "");
    });
  }

  test("of a connection that broke is `reset`, and of one that never came about `connect-failure`", async () => {
    for (const [retryOn, asked] of [
      ["reset", 2],
      ["connect-failure", 1],
    ] as const) {
      const broken = await backend((_, { socket }) => void socket.destroy());
      const caller = await proxy({ instances: [broken.port], route: { retry: { attempts: 1, retryOn: [retryOn] } } });
      assert.equal((await caller.call("/", { method: "POST", body: "x" })).status, 503);
      assert.equal(broken.requests.length, asked, retryOn);
    }
  });
});

describe("retries by policy", () => {
  test("send the whole body again until an answer is good", async () => {
    const app = await application(failing(2));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 3 } } });
    assert.equal((await caller.call("/", { method: "POST", body: "some body" })).status, 200);
    assert.deepEqual(
      app.received.map(({ body }) => body),
      ["some body", "some body", "some body"],
    );
    assert.equal(caller.last?.attempts, 3);
    assert.equal(caller.cluster.breaker.retries, 0);
    assert.equal(caller.cluster.hosts[0]?.activeRequests, 0);
  });

  test("end with the last answer and URX when they are used up", async () => {
    const app = await application(answering(503));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 2 } } });
    assert.equal((await caller.call()).body, "503");
    assert.equal(app.received.length, 3);
    assert.equal(caller.last?.flags, "URX");
    const broken = await backend((_, { socket }) => void socket.end());
    const other = await proxy({ instances: [broken.port], route: { retry: { attempts: 2 } } });
    assert.equal((await other.call()).status, 503);
    assert.equal(broken.requests.length, 3);
    assert.equal(other.last?.flags, "URX,UC");
  });

  test("go to an instance that has not been tried", async () => {
    const [bad, worse, good] = [
      await application(answering(503)),
      await application(answering(503)),
      await application(),
    ];
    const instances = [bad.port, worse.port, good.port];
    const caller = await proxy({ instances, route: { retry: { attempts: 2 } } });
    for (let i = 0; i < 12; i++) assert.equal((await caller.call()).status, 200);
    assert.equal(good.received.length, 12);
  });

  test("wait a random time whose bound grows from the base to the longest", async () => {
    const asked = new Map<string, number[]>();
    const app = await application(({ url, atMs }) => {
      const times = [...(asked.get(url) ?? []), atMs];
      asked.set(url, times);
      return times.length < 3 ? { status: 503 } : { body: "ok" };
    });
    const retry = { attempts: 2, backoffBaseMs: 200, backoffMaxMs: 500 };
    const caller = await proxy({ instances: [app.port], policy: UNBOUNDED, route: { retry } });
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => caller.call(`/${i}`)));
    assert.ok(answers.every(({ status }) => status === 200));
    const waits = (nth: number): number[] =>
      [...asked.values()].map((times) => (times[nth] ?? 0) - (times[nth - 1] ?? 0));
    const [first, second] = [waits(1), waits(2)];
    // By chance alone each of these fails once in millions of runs.
    assert.ok(Math.min(...first) < 120 && Math.max(...first) > 80, `first: ${first.join(" ")}`);
    assert.ok(Math.max(...first) < 200 + 150, `first: ${first.join(" ")}`);
    assert.ok(Math.max(...second) > 200 && Math.max(...second) < 500 + 150, `second: ${second.join(" ")}`);
  });

  test("wait as long as the server asks", async () => {
    const app = await application(failing(1, 503, { "retry-after": "1" }));
    const route = { retry: { attempts: 1 }, timeout: { timeoutMs: 5_000 } };
    const caller = await proxy({ instances: [app.port], route });
    assert.equal((await caller.call()).status, 200);
    const [first, second] = app.received;
    const waitMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
    assert.ok(waitMs >= 990 && waitMs < 1_700, String(waitMs));
  });

  test("are left to the client when the server asks for more time than the route has, or five minutes", async () => {
    for (const route of [{ timeout: { timeoutMs: 1_000 } }, {}]) {
      const app = await application(failing(1, 503, { "retry-after": "301" }));
      const caller = await proxy({ instances: [app.port], route: { ...route, retry: { attempts: 1 } } });
      const answer = await caller.call();
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "301"]);
    }
  });

  test("send a body again while it is at hand, and nothing once it is not", async () => {
    const app = await application(failing(1));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 1 } } });
    assert.equal((await caller.call("/", { method: "POST", body: "a".repeat(60_000) })).status, 200);
    assert.deepEqual(
      app.received.map(({ body }) => body.length),
      [60_000, 60_000],
    );
    app.respond = failing(1);
    assert.equal((await caller.call("/", { method: "POST", body: "b".repeat(200_000) })).status, 503);
    assert.equal(app.received.length, 3);
  });

  test("stop at the breaker: so many at one time, the others get the answer as it is", async () => {
    const held: (() => void)[] = [];
    const app = await application(({ url }, response) => {
      if (url === "/held" && app.received.length > 1) return void held.push(() => response.end("ok"));
      return { status: 503 };
    });
    const policy = { circuitBreaker: { httpMaxRetries: 1 } };
    const caller = await proxy({ instances: [app.port], policy, route: { retry: { attempts: 1 } } });
    const retried = caller.call("/held");
    await eventually(() => held.length === 1);
    assert.equal(caller.cluster.breaker.retries, 1);
    assert.equal((await caller.call("/other")).status, 503);
    assert.equal(caller.last?.flags, "UO");
    held[0]?.();
    assert.equal((await retried).status, 200);
    assert.equal(caller.cluster.breaker.retries, 0);
  });

  test("are a share of the active requests where a budget says so, but some always", async () => {
    const held: (() => void)[] = [];
    cleanUp(() => {
      for (const answer of held) answer();
    });
    const app = await application((_, response) => void held.push(() => response.writeHead(503).end()));
    const retryBudget = { percent: 20, minConcurrency: 1 };
    const caller = await proxy({ instances: [app.port], policy: { retryBudget }, route: { retry: { attempts: 1 } } });
    const calls = Array.from({ length: 10 }, () => caller.call());
    await eventually(() => held.length === 10);
    // All ten fail while ten are active: a fifth of them may be tried again.
    for (const answer of held.splice(0)) answer();
    await eventually(() => held.length === 2 && caller.records.length === 8);
    assert.equal(caller.records.filter(({ flags }) => flags === "UO").length, 8);
    app.respond = answering(200);
    for (const answer of held.splice(0)) answer();
    await Promise.all(calls);
    assert.equal(app.received.length, 12);
  });

  test("end when the client goes", async () => {
    const app = await application(() => undefined);
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 3, perTryTimeoutMs: 40 } } });
    const asked = () => app.received.filter(({ url }) => url === "/leaves").length;
    const leaving = await client(caller);
    leaving.head("GET /leaves HTTP/1.1", "Host: reviews");
    await eventually(() => asked() === 2);
    leaving.close();
    await eventually(() => caller.records.length === 1);
    const before = asked();
    // As long as all tries of the other would have taken.
    assert.equal((await caller.call("/stays")).status, 504);
    assert.equal(asked(), before);
    assert.equal(app.received.length, before + 4);
  });
});

describe("a time limit of one try", () => {
  test("is followed by another try, within the route's own time", async () => {
    const app = await application((_, response) => {
      if (app.received.length === 3) response.end("late");
      return undefined;
    });
    const route = { retry: { attempts: 5, perTryTimeoutMs: 60 }, timeout: { timeoutMs: 5_000 } };
    const caller = await proxy({ instances: [app.port], route });
    assert.equal((await caller.call()).body, "late");
    assert.equal(app.received.length, 3);
    const short = await proxy({ instances: [app.port], route: { ...route, timeout: { timeoutMs: 150 } } });
    assert.equal((await short.call()).status, 504);
    assert.deepEqual([short.last?.flags, short.last?.detail], ["UT", "response_timeout"]);
    assert.ok((short.last?.attempts ?? 0) <= 3);
  });

  test("of more than Node's timers take is none, as for a connection and for the route", async () => {
    const app = await application((_, response) => {
      setTimeout(() => response.end("late"), 50);
      return undefined;
    });
    const timeoutMs = 30 * 24 * 3_600_000;
    const route = { retry: { perTryTimeoutMs: timeoutMs }, timeout: { timeoutMs } };
    const policy = { circuitBreaker: { connectTimeoutMs: timeoutMs } };
    const caller = await proxy({ instances: [app.port], policy, route });
    assert.equal((await caller.call()).body, "late");
  });

  test("is the end where no retry is left", async () => {
    const app = await application(() => undefined);
    const caller = await proxy({ instances: [app.port], route: { retry: { perTryTimeoutMs: 60 } } });
    assert.equal((await caller.call()).status, 504);
    assert.deepEqual([caller.last?.flags, caller.last?.detail], ["UT", "upstream_per_try_timeout"]);
  });
});
