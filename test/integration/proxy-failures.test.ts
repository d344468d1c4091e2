import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually, freePort } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import { type Answer, ok } from "../harness/raw-backend.ts";

/** Instances that fail under routes that ask for no retry: what is done all the same, and what the client gets. */

const { proxy, application, backend, client } = proxyFixture();

const GET = ["GET / HTTP/1.1", "Host: reviews"];
const POST = "POST / HTTP/1.1\r\nHost: reviews\r\nContent-Length: 1\r\n\r\nx";

/** Answers `/` as told by turns, over all connections; then always as the last one. */
function script(...turns: (string | "close")[]): Answer {
  let turn = 0;
  return (_, { socket }) => {
    const answer = turns[Math.min(turn++, turns.length - 1)] ?? "close";
    if (answer !== "close") return answer;
    socket.end();
    return undefined;
  };
}

describe("a kept connection that closes under a request", () => {
  test("is replaced once, by a fresh one, when the request may be repeated", async () => {
    const server = await backend(script(ok("1"), "close", ok("3")));
    const caller = await proxy({ instances: [server.port] });
    const asking = await client(caller);
    for (const expected of ["1", "3"]) assert.equal((await asking.head(...GET).response()).body, expected);
    assert.equal(server.connections.length, 2);
    assert.equal(caller.last?.attempts, 2);
  });

  test("is not replaced for POST", async () => {
    const server = await backend(script(ok(), "close", ok()));
    const caller = await proxy({ instances: [server.port] });
    const asking = await client(caller);
    await asking.head(...GET).response();
    assert.equal((await asking.send(POST).response()).status, 503);
    assert.equal(caller.last?.flags, "UC");
    assert.equal(server.requests.length, 2);
  });

  test("is not replaced twice", async () => {
    const server = await backend(script(ok(), "close"));
    const caller = await proxy({ instances: [server.port] });
    const asking = await client(caller);
    await asking.head(...GET).response();
    assert.equal((await asking.head(...GET).response()).status, 503);
    assert.equal(server.requests.length, 3);
    assert.equal(caller.last?.flags, "UC");
  });
});

describe("an idle connection", () => {
  const keeping =
    (timeout: number): Answer =>
    () =>
      ok("", `Keep-Alive: timeout=${timeout}, max=100`);

  test("is given up before the time at which its server says that it closes it", async () => {
    const server = await backend(keeping(1));
    const caller = await proxy({ instances: [server.port] });
    const asking = await client(caller);
    for (let i = 0; i < 2; i++) await asking.send(POST).response();
    assert.equal(server.connections.length, 1);
    const startedMs = performance.now();
    await eventually(() => {
      caller.cluster.sweep(Date.now());
      return caller.cluster.breaker.connections === 0;
    });
    assert.ok(performance.now() - startedMs > 300, "not at once either");
  });

  test("gets no request that its server might not take any more", async () => {
    const server = await backend(keeping(0));
    const asking = await client(await proxy({ instances: [server.port] }));
    for (let i = 0; i < 3; i++) assert.equal((await asking.send(POST).response()).status, 200);
    assert.equal(server.connections.length, 3);
    server.answer = keeping(60);
    for (let i = 0; i < 3; i++) await asking.send(POST).response();
    assert.equal(server.connections.length, 4);
  });
});

describe("an instance", () => {
  test("that closes its first connection is answered for with 503 and not asked again", async () => {
    const server = await backend(script("close"));
    const caller = await proxy({ instances: [server.port] });
    assert.equal((await caller.call()).status, 503);
    assert.equal(server.requests.length, 1);
    await eventually(() => server.connections[0]?.socket.destroyed === true);
  });

  test("that takes no connection is passed over for another, whatever the method, and is 503 UF where it is alone", async () => {
    const gone = await freePort();
    const good = await application();
    const caller = await proxy({ instances: [gone, good.port] });
    for (let i = 0; i < 6; i++) assert.equal((await caller.call("/", { method: "POST", body: "x" })).status, 200);
    assert.equal(good.received.length, 6);
    assert.ok(caller.records.some(({ attempts }) => attempts === 2));
    const alone = await proxy({ instances: [gone] });
    assert.equal((await alone.call("/", { method: "POST", body: "x" })).status, 503);
    assert.deepEqual([alone.last?.flags, alone.last?.attempts], ["UF", 1]);
    assert.match(alone.last?.transportFailure ?? "", /ECONNREFUSED/);
  });

  test("whose port does not exist is 503 UF, not a crash", async () => {
    const caller = await proxy({ instances: [70_000] });
    assert.equal((await caller.call()).status, 503);
    assert.equal(caller.last?.flags, "UF");
  });

  test("that does not serve the port is passed over", async () => {
    const good = await application();
    const others = [await freePort(), await freePort()].map((port) => ({ port, servicePorts: [1] }));
    const caller = await proxy({ instances: [good.port, ...others] });
    for (let i = 0; i < 6; i++) assert.equal((await caller.call()).status, 200);
    const none = await proxy({ instances: [{ port: good.port, servicePorts: [1] }] });
    assert.equal((await none.call()).status, 503);
    assert.equal(none.last?.flags, "UH");
  });
});

describe("the route's time limit", () => {
  test("begins when the whole request is here", async () => {
    const app = await application();
    const caller = await proxy({ instances: [app.port], route: { timeout: { timeoutMs: 150 } } });
    const asking = await client(caller);
    asking.send("POST /slow HTTP/1.1\r\nHost: reviews\r\nContent-Length: 2\r\n\r\na");
    await eventually(() => caller.begun === 1);
    // Time out for others means that it has been longer than the limit for this one.
    app.respond = () => undefined;
    assert.equal((await caller.call("/other")).status, 504);
    app.respond = () => ({ body: "ok" });
    assert.equal((await asking.send("b").response()).status, 200);
  });

  test("gives the request up and answers 504", async () => {
    const server = await backend(() => undefined);
    const caller = await proxy({ instances: [server.port], route: { timeout: { timeoutMs: 60 } } });
    const startedMs = performance.now();
    assert.equal((await caller.call()).status, 504);
    assert.ok(performance.now() - startedMs >= 55);
    assert.equal(caller.last?.flags, "UT");
    await eventually(() => server.connections[0]?.socket.destroyed === true);
  });

  test("cuts no answer that has begun", async () => {
    let finish = (): void => {};
    const server = await backend(({ target }, { socket }) => {
      if (target === "/other") return undefined;
      finish = () => void socket.write("cd");
      return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab";
    });
    const limits = { timeout: { timeoutMs: 60 }, retry: { perTryTimeoutMs: 60 } };
    const caller = await proxy({ instances: [server.port], route: limits });
    const asking = await client(caller);
    asking.head(...GET);
    await asking.until(() => asking.received.endsWith("ab"));
    assert.equal((await caller.call("/other")).status, 504, "the time is over for others");
    finish();
    assert.equal((await asking.response()).body, "abcd");
  });
});
