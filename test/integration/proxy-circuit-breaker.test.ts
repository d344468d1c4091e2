import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { createSecureContext } from "node:tls";
import { CircuitBreaker, DEFAULT_LIMITS } from "../../services/proxy/cluster/circuit-breaker.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { Respond } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";

const { proxy, application, backend, client, cleanUp } = proxyFixture();

/** Of a socket without unacknowledged data, in /proc/net/tcp. */
const KEEPALIVE_TIMER = "02";
const NO_TIMER = "00";

describe("circuit breaking", () => {
  const held: ServerResponse[] = [];
  const hold: Respond = (_, response) => void held.push(response);
  const releaseAll = (): void => {
    for (const response of held.splice(0)) response.end("ok");
  };

  test("refuses what no connection is left for: 503, UO and x-envoy-overloaded", async () => {
    const app = await application(hold);
    const policy = { circuitBreaker: { maxConnections: 1, httpMaxPendingRequests: 1 } };
    const caller = await proxy({ instances: [app.port], policy });
    const first = caller.call();
    await eventually(() => held.length === 1);
    const second = caller.call();
    await eventually(() => caller.cluster.breaker.pending === 1);
    const third = await caller.call();
    assert.deepEqual([third.status, third.headers["x-envoy-overloaded"]], [503, "true"]);
    assert.deepEqual(
      [caller.last?.flags, caller.last?.detail],
      ["UO", "upstream_reset_before_response_started{overflow}"],
    );
    assert.equal(app.connections, 1);
    releaseAll();
    assert.equal((await first).status, 200);
    await eventually(() => held.length === 1);
    releaseAll();
    assert.equal((await second).status, 200);
    const { breaker } = caller.cluster;
    assert.deepEqual([breaker.requests, breaker.pending, breaker.connections], [0, 0, 1]);
  });

  test("refuses requests beyond those that may be active", async () => {
    const app = await application(hold);
    const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { httpMaxRequests: 2 } } });
    const active = [caller.call(), caller.call()];
    await eventually(() => held.length === 2);
    assert.equal((await caller.call()).headers["x-envoy-overloaded"], "true");
    releaseAll();
    assert.deepEqual(
      (await Promise.all(active)).map(({ status }) => status),
      [200, 200],
    );
    app.respond = () => ({ body: "ok" });
    assert.equal((await caller.call()).status, 200);
  });

  test("does not let a client that went away count for ever", async () => {
    const app = await application(hold);
    const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { httpMaxRequests: 1 } } });
    const leaving = await client(caller);
    leaving.head("GET / HTTP/1.1", "Host: reviews");
    await eventually(() => caller.cluster.breaker.requests === 1 && held.length === 1);
    leaving.close();
    await eventually(() => caller.cluster.breaker.requests === 0);
    held.length = 0;
  });

  test("ends connections after so many requests, and idle ones after their time", async () => {
    const app = await application();
    const policy = { circuitBreaker: { httpMaxRequestsPerConnection: 2, idleTimeoutMs: 500 } };
    const caller = await proxy({ instances: [app.port], policy });
    for (let i = 0; i < 5; i++) await caller.call();
    assert.equal(app.connections, 3);
    caller.cluster.sweep(Date.now());
    assert.equal(caller.cluster.breaker.connections, 1);
    caller.cluster.sweep(Date.now() + 500);
    await eventually(() => caller.cluster.breaker.connections === 0);
  });

  test("ends a connection after its longest time: idle ones at once, one with a request after that", async () => {
    const app = await application();
    const held: ServerResponse[] = [];
    app.respond = ({ url }, response) => (url === "/held" ? void held.push(response) : { body: "ok" });
    const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { maxConnectionDurationMs: 300 } } });
    await caller.call();
    const slow = caller.call("/held");
    await eventually(() => held.length === 1);
    await caller.call();
    assert.deepEqual([app.connections, caller.cluster.breaker.connections], [2, 2]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    caller.cluster.sweep(Date.now());
    await eventually(() => caller.cluster.breaker.connections === 1);
    held[0]?.end("late");
    assert.equal((await slow).body, "late");
    await eventually(() => caller.cluster.breaker.connections === 0);
  });

  test("has the system ask for a silent other end where it says so", async () => {
    const app = await application();
    for (const [tcpKeepaliveMs, timer] of [
      [30_000, KEEPALIVE_TIMER],
      [0, NO_TIMER],
    ] as const) {
      const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { tcpKeepaliveMs } } });
      await caller.call();
      assert.equal(await timerOf(caller.last?.upstreamSocket?.localPort ?? 0, app.port), timer);
    }
  });

  test("gives a connection its own time to come about", async () => {
    // It accepts, and never says a word of TLS.
    const silent = await backend(() => undefined);
    silent.onData = () => {};
    const context = createSecureContext();
    const connector = new Connector({
      connectTimeoutMs: 60_000,
      self: UNKNOWN_PEER,
      identity: () => ({ context, expiresMs: Number.POSITIVE_INFINITY }),
      verify: () => ({ error: "not used" }),
    });
    const breaker = new CircuitBreaker({ ...DEFAULT_LIMITS, connectTimeoutMs: 50 });
    const ports = new Map([[80, { address: "127.0.0.1", port: silent.port, plaintext: false }]]);
    const host = new Host({ peer: UNKNOWN_PEER, ports, connector, breaker });
    cleanUp(() => host.close());
    const failure = await new Promise((resolve) => {
      host.pool(80)?.acquire({ onConnection: () => resolve("connected"), onFailure: resolve }, false);
    });
    assert.equal(failure, "connect-timeout");
    assert.equal(breaker.connections, 0);
  });
});

/** The kernel's timer of the connection from one loopback port to another. */
async function timerOf(localPort: number, remotePort: number): Promise<string | undefined> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
  const line = lines.find(
    ([, local = "", remote = ""]) => local.endsWith(`:${hex(localPort)}`) && remote.endsWith(`:${hex(remotePort)}`),
  );
  return line?.[5]?.split(":")[0];
}
