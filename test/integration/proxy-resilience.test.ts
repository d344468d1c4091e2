import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer, type Socket, type Server as TcpServer } from "node:net";
import { afterEach, describe, test } from "node:test";
import { createSecureContext } from "node:tls";
import { CircuitBreaker, DEFAULT_LIMITS } from "../../services/proxy/cluster/circuit-breaker.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { OverloadFilter } from "../../services/proxy/filter/overload.ts";
import { RateLimitFilter } from "../../services/proxy/filter/rate-limit.ts";
import { Overload } from "../../services/proxy/overload.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type ForwardingOptions, ForwardingProxy } from "../harness/forwarding-proxy.ts";
import { consistently, eventually, FakeClock, freePort } from "../harness/index.ts";
import { Application, RoutingProxy } from "../harness/routing-proxy.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function proxy(options: ForwardingOptions): Promise<ForwardingProxy> {
  const made = await new ForwardingProxy(options).listen();
  cleanups.push(() => made.close());
  return made;
}

/** A server that counts what it is asked, and answers as told. */
class Upstream {
  readonly requests: { readonly method: string; readonly body: string; readonly atMs: number }[] = [];
  connections = 0;
  readonly server: Server;
  answer: (response: ServerResponse, request: IncomingMessage) => void;

  constructor(answer: (response: ServerResponse, request: IncomingMessage) => void) {
    this.answer = answer;
    this.server = createHttpServer((request, response) => {
      const atMs = performance.now();
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
      request.on("end", () => {
        this.requests.push({ method: request.method ?? "", body, atMs });
        this.answer(response, request);
      });
    });
    this.server.on("connection", () => this.connections++);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    return this;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function upstream(answer: Upstream["answer"] = (response) => response.end("ok")): Promise<Upstream> {
  const made = await new Upstream(answer).listen();
  cleanups.push(() => made.close());
  return made;
}

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Upstream["answer"] =>
  (response) =>
    response.writeHead(code, headers).end(String(code));

/** Fails so many times, then works. */
function failing(times: number, code = 503, headers: Readonly<Record<string, string>> = {}): Upstream["answer"] {
  let left = times;
  return (response) => (left-- > 0 ? status(code, headers) : status(200))(response, undefined as never);
}

/** A TCP server in the test's own hands. */
async function raw(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: TcpServer = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

describe("retries by policy", () => {
  test("follow an answer that the route names, until one is good", async () => {
    const app = await upstream(failing(2));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 3 } } });
    assert.equal((await caller.get()).status, 200);
    assert.equal(app.requests.length, 3);
    assert.equal(caller.last?.attempts, 3);
    assert.equal(caller.cluster.breaker.retries, 0);
  });

  test("do not follow any other", async () => {
    const app = await upstream(failing(1, 500));
    const caller = await proxy({
      instances: [app.port],
      route: { retry: { attempts: 3, retryOn: ["gateway-error"] } },
    });
    assert.equal((await caller.get()).status, 500);
    assert.equal(app.requests.length, 1);
    assert.equal(caller.last?.flags, "");
  });

  test("end with the last answer and URX when they are used up", async () => {
    const app = await upstream(status(503));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 2 } } });
    assert.equal((await caller.get()).body, "503");
    assert.equal(app.requests.length, 3);
    assert.equal(caller.last?.flags, "URX");
  });

  test("go to an instance that has not been tried", async () => {
    const bad = await upstream(status(503));
    const worse = await upstream(status(503));
    const good = await upstream();
    const caller = await proxy({ instances: [bad.port, worse.port, good.port], route: { retry: { attempts: 2 } } });
    for (let i = 0; i < 12; i++) assert.equal((await caller.get()).status, 200);
    assert.equal(good.requests.length, 12);
  });

  test("wait a random time that grows from the base", async () => {
    const app = await upstream(failing(3));
    const caller = await proxy({
      instances: [app.port],
      route: { retry: { attempts: 3, backoffBaseMs: 40, backoffMaxMs: 100 } },
    });
    const started = performance.now();
    assert.equal((await caller.get()).status, 200);
    const waits = app.requests.slice(1).map(({ atMs }, i) => atMs - (app.requests[i]?.atMs ?? 0));
    const ceilings = [40, 100, 100];
    for (const [i, wait] of waits.entries()) assert.ok(wait < (ceilings[i] ?? 0) + 60, waits.join(" "));
    assert.ok(performance.now() - started < 500);
  });

  test("wait as long as the server asks", async () => {
    const app = await upstream(failing(1, 503, { "retry-after": "1" }));
    const caller = await proxy({
      instances: [app.port],
      route: { retry: { attempts: 1 }, timeout: { timeoutMs: 5_000 } },
    });
    assert.equal((await caller.get()).status, 200);
    const [first, second] = app.requests;
    const wait = (second?.atMs ?? 0) - (first?.atMs ?? 0);
    assert.ok(wait >= 990 && wait < 1_700, String(wait));
  });

  test("are left to the client when the server asks for more time than the route has, or five minutes", async () => {
    for (const route of [{ timeout: { timeoutMs: 1_000 } }, {}]) {
      const app = await upstream(failing(1, 503, { "retry-after": "301" }));
      const caller = await proxy({ instances: [app.port], route: { ...route, retry: { attempts: 1 } } });
      const answer = await caller.get();
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "301"]);
    }
  });

  test("send the whole body again while it is at hand, and nothing once it is not", async () => {
    const app = await upstream(failing(1));
    const caller = await proxy({ instances: [app.port], route: { retry: { attempts: 1 } } });
    assert.equal((await caller.send("POST", "a".repeat(60_000))).status, 200);
    assert.deepEqual(
      app.requests.map(({ body }) => body.length),
      [60_000, 60_000],
    );
    app.answer = failing(1);
    assert.equal((await caller.send("POST", "b".repeat(200_000))).status, 503);
    assert.equal(app.requests.length, 3);
  });

  test("follow a try that takes too long, within the route's own time", async () => {
    let asked = 0;
    const app = await upstream((response) => void (++asked < 3 ? undefined : response.end("late")));
    const route = { retry: { attempts: 5, perTryTimeoutMs: 60 }, timeout: { timeoutMs: 5_000 } };
    const caller = await proxy({ instances: [app.port], route });
    assert.equal((await caller.get()).body, "late");
    assert.equal(asked, 3);
    app.answer = () => {};
    const short = await proxy({ instances: [app.port], route: { ...route, timeout: { timeoutMs: 150 } } });
    assert.equal((await short.get()).status, 504);
    assert.deepEqual([short.last?.flags, short.last?.detail], ["UT", "response_timeout"]);
    const once = await proxy({ instances: [app.port], route: { retry: { perTryTimeoutMs: 60 } } });
    assert.equal((await once.get()).status, 504);
    assert.equal(once.last?.detail, "upstream_per_try_timeout");
  });

  test("stop at the breaker: so many at one time, the others get the answer as it is", async () => {
    const app = await upstream(status(503));
    const held: (() => void)[] = [];
    let first = true;
    app.answer = (response, request) => {
      if (first) {
        first = false;
        status(503)(response, request);
      } else if (request.headers["x-second"] === "1") status(503)(response, request);
      else held.push(() => response.end("ok"));
    };
    const policy = { circuitBreaker: { httpMaxRetries: 1 } };
    const caller = await proxy({ instances: [app.port], policy, route: { retry: { attempts: 1 } } });
    const retried = caller.get();
    await eventually(() => held.length === 1);
    assert.equal(caller.cluster.breaker.retries, 1);
    assert.equal((await caller.get({ "x-second": "1" })).status, 503);
    assert.equal(caller.last?.flags, "UO");
    held[0]?.();
    assert.equal((await retried).status, 200);
    assert.equal(caller.cluster.breaker.retries, 0);
  });
});

describe("the route's time limit", () => {
  test("begins when the whole request is here", async () => {
    const app = await upstream();
    const caller = await proxy({ instances: [app.port], route: { timeout: { timeoutMs: 150 } } });
    const socket = connect(caller.port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    socket.write("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 2\r\n\r\na");
    await consistently(() => answer === "", 300);
    socket.write("b");
    await eventually(() => answer.startsWith("HTTP/1.1 200"));
  });
});

describe("retries without a policy", () => {
  test("go to another instance when no connection came about, whatever the method", async () => {
    const good = await upstream();
    const gone = await freePort();
    const caller = await proxy({ instances: [gone, good.port] });
    for (let i = 0; i < 6; i++) assert.equal((await caller.send("POST", "x")).status, 200);
    assert.equal(good.requests.length, 6);
  });

  test("are made once, on a fresh connection, when a kept-alive one closed under an idempotent request", async () => {
    let connections = 0;
    const port = await raw((socket) => {
      const number = ++connections;
      let requests = 0;
      socket.on("data", () => {
        // The first connection closes at its second request, as a server does whose idle time is over.
        if (number === 1 && ++requests === 2) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
    const caller = await proxy({ instances: [port] });
    assert.equal((await caller.get()).status, 200);
    assert.equal((await caller.get()).status, 200);
    assert.equal(connections, 2);
    assert.equal(caller.last?.attempts, 2);
  });

  test("are not made for a request that is not idempotent, nor when a fresh connection closes", async () => {
    let connections = 0;
    const port = await raw((socket) => {
      connections++;
      let requests = 0;
      socket.on("data", (chunk: Buffer) => {
        if (++requests === 2 || chunk.includes("x-close")) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
    const caller = await proxy({ instances: [port] });
    assert.equal((await caller.get()).status, 200);
    assert.equal((await caller.send("POST", "x")).status, 503);
    assert.equal(caller.last?.flags, "UC");
    assert.equal((await caller.get({ "x-close": "1" })).status, 503);
    assert.equal(connections, 2);
  });

  test("lose no request while instances are restarted and added under load", async () => {
    const ports = [await freePort(), await freePort()];
    const start = async (port: number): Promise<Upstream> =>
      new Upstream((response) => response.end("ok")).listen(port);
    const running = await Promise.all(ports.map(start));
    cleanups.push(() => Promise.all(running.map((app) => app.close())));
    const caller = await proxy({ instances: ports });
    const statuses: number[] = [];
    let done = false;
    const client = async (): Promise<void> => {
      while (!done) statuses.push((await caller.get()).status);
    };
    const clients = Array.from({ length: 8 }, client);
    const progress = async (): Promise<void> => {
      const target = statuses.length + 100;
      await eventually(() => statuses.length > target);
    };
    await progress();
    for (const [i, port] of ports.entries()) {
      const old = running[i] as Upstream;
      // A graceful stop: no new connections, idle ones end, requests under way finish.
      const closed = new Promise((resolve) => old.server.close(resolve));
      await progress();
      old.server.closeIdleConnections();
      await closed;
      await progress();
      running[i] = await start(port);
      await progress();
    }
    const added = await upstream();
    caller.use([...ports, added.port]);
    await eventually(() => added.requests.length > 50);
    caller.use([added.port]);
    await progress();
    done = true;
    await Promise.all(clients);
    assert.deepEqual([...new Set(statuses)], [200]);
  });
});

describe("circuit breaking", () => {
  const held: ServerResponse[] = [];
  const hold: Upstream["answer"] = (response) => void held.push(response);
  const releaseAll = (): void => {
    for (const response of held.splice(0)) response.end("ok");
  };

  test("refuses what no connection is left for: 503, UO and x-envoy-overloaded", async () => {
    const app = await upstream(hold);
    const policy = { circuitBreaker: { maxConnections: 1, httpMaxPendingRequests: 1 } };
    const caller = await proxy({ instances: [app.port], policy });
    const first = caller.get();
    await eventually(() => held.length === 1);
    const second = caller.get();
    await eventually(() => caller.cluster.breaker.pending === 1);
    const third = await caller.get();
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
    const app = await upstream(hold);
    const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { httpMaxRequests: 2 } } });
    const active = [caller.get(), caller.get()];
    await eventually(() => held.length === 2);
    assert.equal((await caller.get()).headers["x-envoy-overloaded"], "true");
    releaseAll();
    assert.deepEqual(
      (await Promise.all(active)).map((answer) => answer.status),
      [200, 200],
    );
    app.answer = status(200);
    assert.equal((await caller.get()).status, 200);
  });

  test("does not let a client that went away count for ever", async () => {
    const app = await upstream(hold);
    const caller = await proxy({ instances: [app.port], policy: { circuitBreaker: { httpMaxRequests: 1 } } });
    const socket = connect(caller.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: reviews\r\n\r\n");
    await eventually(() => caller.cluster.breaker.requests === 1 && held.length === 1);
    socket.destroy();
    await eventually(() => caller.cluster.breaker.requests === 0);
    held.length = 0;
  });

  test("ends connections after so many requests, and idle ones after their time", async () => {
    const app = await upstream();
    const policy = { circuitBreaker: { httpMaxRequestsPerConnection: 2, idleTimeoutMs: 500 } };
    const caller = await proxy({ instances: [app.port], policy });
    for (let i = 0; i < 5; i++) await caller.get();
    assert.equal(app.connections, 3);
    caller.cluster.sweep(Date.now());
    assert.equal(caller.cluster.breaker.connections, 1);
    caller.cluster.sweep(Date.now() + 500);
    await eventually(() => caller.cluster.breaker.connections === 0);
  });

  test("gives a connection its own time to come about", async () => {
    // It accepts, and never says a word of TLS.
    const port = await raw(() => {});
    const context = createSecureContext();
    const connector = new Connector({
      connectTimeoutMs: 60_000,
      self: UNKNOWN_PEER,
      identity: () => ({ context, expiresMs: Number.POSITIVE_INFINITY }),
      verify: () => ({ error: "not used" }),
    });
    const breaker = new CircuitBreaker({ ...DEFAULT_LIMITS, connectTimeoutMs: 50 });
    const ports = new Map([[80, { address: "127.0.0.1", port, plaintext: false }]]);
    const host = new Host({ peer: UNKNOWN_PEER, ports, connector, breaker });
    const failure = await new Promise((resolve) => {
      host.pool(80)?.acquire({ onConnection: () => resolve("connected"), onFailure: resolve }, false);
    });
    assert.equal(failure, "connect-timeout");
    assert.equal(breaker.connections, 0);
    host.close();
  });
});

describe("ejection", () => {
  test("takes a failing instance out by its answers, and lets it back after its time", async () => {
    const clock = new FakeClock();
    const [bad, good] = [await upstream(status(500)), await upstream()];
    const policy = { outlierDetection: { consecutive_5xx: 3, intervalMs: 1_000, baseEjectionMs: 5_000 } };
    const caller = await proxy({ instances: [bad.port, good.port], policy, clock });
    for (let i = 0; i < 6; i++) await caller.get();
    assert.equal(bad.requests.length, 3);
    for (let i = 0; i < 6; i++) assert.equal((await caller.get()).status, 200);
    bad.answer = status(200);
    clock.advance(5_000);
    for (let i = 0; i < 6; i++) await caller.get();
    assert.equal(bad.requests.length, 6);
  });

  test("counts connections that fail and tries that take too long as gateway failures", async () => {
    const clock = new FakeClock();
    const good = await upstream();
    const slow = await upstream(() => {});
    const policy = { panicPercent: 10, outlierDetection: { consecutiveGatewayFailure: 2, maxEjectionPercent: 100 } };
    const gone = await freePort();
    const caller = await proxy({
      instances: [gone, slow.port, good.port],
      policy,
      clock,
      route: { retry: { attempts: 2, perTryTimeoutMs: 40 } },
    });
    await eventually(async () => {
      await caller.get();
      return caller.cluster.hosts.filter((host) => host.ejected).length === 2;
    });
    const before = slow.requests.length;
    for (let i = 0; i < 4; i++) assert.equal((await caller.get()).status, 200);
    assert.equal(slow.requests.length, before);
  });
});

describe("active health checks", () => {
  const check = { intervalMs: 1_000, timeoutMs: 10_000, unhealthyThreshold: 2, healthyThreshold: 2 };

  const round = async (clock: FakeClock, checked: () => boolean): Promise<void> => {
    clock.advance(1_200);
    await eventually(checked);
  };

  test("ask for a path: failures in a row take an instance out, successes in a row bring it back", async () => {
    const clock = new FakeClock();
    const [ill, well] = [await upstream(status(404)), await upstream()];
    const policy = { healthCheck: { ...check, httpPath: "/health" } };
    const caller = await proxy({ instances: [ill.port, well.port], policy, clock });
    const [host] = caller.cluster.hosts;
    assert.ok(host !== undefined);
    await round(clock, () => ill.requests.length === 1 && well.requests.length === 1);
    assert.equal(host.available, true);
    await consistently(() => !host.checkFailed, 50);
    await round(clock, () => host.checkFailed);
    assert.equal(ill.requests.length, 2);
    for (let i = 0; i < 4; i++) assert.equal((await caller.get()).status, 200);
    ill.answer = status(204);
    await round(clock, () => ill.requests.length === 3);
    assert.equal(host.checkFailed, true);
    // The answer that was just given may still be on its way: the next check is due a while after it has come.
    await eventually(() => {
      clock.advance(100);
      return !host.checkFailed;
    });
    await Promise.all(Array.from({ length: 4 }, () => caller.get()));
    assert.ok(ill.requests.length > 4);
  });

  test("believe a 503 at once, and end an ejection when they succeed", async () => {
    const clock = new FakeClock();
    const [app, other] = [await upstream(status(503)), await upstream()];
    const policy = {
      healthCheck: { ...check, healthyThreshold: 1, httpPath: "/health" },
      outlierDetection: { consecutive_5xx: 1 },
    };
    const caller = await proxy({ instances: [app.port, other.port], policy, clock });
    const [host] = caller.cluster.hosts;
    assert.ok(host !== undefined);
    await round(clock, () => host.checkFailed);
    caller.cluster.outlier?.onStatus(host, 500);
    assert.equal(host.ejected, true);
    app.answer = status(200);
    await round(clock, () => host.available);
  });

  test("are content with a connection where no path is given, and fail without one or without an answer in time", async () => {
    const clock = new FakeClock();
    const app = await upstream();
    const gone = await freePort();
    const caller = await proxy({ instances: [app.port, gone], policy: { healthCheck: check }, clock });
    const [up, down] = caller.cluster.hosts;
    await round(clock, () => app.connections === 1);
    await eventually(async () => {
      clock.advance(1_200);
      return down?.checkFailed === true;
    });
    assert.equal(up?.available, true);
    assert.equal(app.requests.length, 0);
    const silent = await upstream(() => {});
    const slow = await proxy({
      instances: [silent.port],
      policy: { healthCheck: { ...check, timeoutMs: 500, httpPath: "/" } },
      clock,
    });
    for (let i = 1; i <= 2; i++) {
      await eventually(() => {
        if (silent.requests.length < i) clock.advance(100);
        return silent.requests.length === i;
      });
      clock.advance(500);
    }
    assert.equal(slow.cluster.hosts[0]?.checkFailed, true);
  });

  test("end with their policy and with their hosts", async () => {
    const clock = new FakeClock();
    const app = await upstream(status(503));
    const caller = await proxy({ instances: [app.port], policy: { healthCheck: { ...check, httpPath: "/" } }, clock });
    await round(clock, () => caller.cluster.hosts[0]?.checkFailed === true);
    caller.use([app.port], {});
    assert.equal(caller.cluster.hosts[0]?.checkFailed, false);
    assert.equal(clock.pending, 0);
  });
});

describe("a local rate limit", () => {
  test("answers 429 with headers beyond the route's tokens, and outlives a change of configuration", async () => {
    const clock = new FakeClock();
    const app = await upstream();
    const filters = [new RateLimitFilter(clock)];
    const rateLimit = { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 3_000 };
    const caller = await proxy({ instances: [app.port], filters, route: { rule: "a", rateLimit } });
    assert.deepEqual([(await caller.get()).status, (await caller.get()).status], [200, 200]);
    const refused = await caller.get();
    assert.equal(refused.status, 429);
    const { headers } = refused;
    assert.deepEqual(
      ["x-envoy-ratelimited", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"].map(
        (name) => headers[name],
      ),
      ["true", "2", "0", "3", "3"],
    );
    assert.deepEqual([caller.last?.flags, caller.last?.detail], ["RL", "local_rate_limited"]);
    const again = await proxy({ instances: [app.port], filters, route: { rule: "a", rateLimit } });
    assert.equal((await again.get()).status, 429, "the same bucket for the same route of a newer snapshot");
    const other = await proxy({ instances: [app.port], filters, route: { rule: "b", rateLimit } });
    assert.equal((await other.get()).status, 200);
    clock.advance(3_000);
    assert.deepEqual([(await caller.get()).status, (await caller.get()).status], [200, 429]);
    assert.equal(app.requests.length, 4);
  });
});

describe("overload", () => {
  test("answers 503 at once until there is room again", async () => {
    const app = await upstream();
    let connections = 0;
    const clock = new FakeClock();
    const overload = new Overload({ maxHeapPercent: 99, maxConnections: 1, clock, connections: () => connections });
    cleanups.push(() => overload.close());
    const caller = await proxy({ instances: [app.port], filters: [new OverloadFilter(overload)] });
    assert.equal((await caller.get()).status, 200);
    connections = 2;
    clock.advance(250);
    const shed = await caller.get();
    assert.deepEqual([shed.status, shed.headers["x-envoy-local-overloaded"]], [503, "true"]);
    assert.equal(shed.headers.connection, "close", "or those who wait for nothing would keep it overloaded");
    const socket = connect(caller.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: reviews\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    assert.deepEqual([caller.last?.flags, caller.last?.detail], ["OM", "overload"]);
    connections = 0;
    clock.advance(250);
    assert.equal((await caller.get()).status, 200);
    assert.equal(app.requests.length, 2);
  });
});

describe("balancing over real instances", () => {
  test("by peak EWMA leaves one that is slow, and one that is quick to fail", async () => {
    const others = [(response: ServerResponse) => void setTimeout(() => response.end("ok"), 60), status(503)];
    for (const worse of others) {
      const [quick, other] = [await upstream(), await upstream(worse)];
      const caller = await proxy({ instances: [quick.port, other.port], policy: { loadBalancing: "PEAK_EWMA" } });
      for (let i = 0; i < 40; i++) await caller.get();
      assert.ok(other.requests.length <= 3, `${other.requests.length} of 40`);
    }
  });

  test("by hash keeps requests with one key at one instance", async () => {
    const apps = await Promise.all(Array.from({ length: 4 }, () => upstream()));
    for (const loadBalancing of ["RING_HASH", "MAGLEV"]) {
      const caller = await proxy({
        instances: apps.map((app) => app.port),
        policy: { loadBalancing },
        route: { hashPolicies: [{ header: "x-user" }] },
      });
      for (const user of ["jason", "mary", "ann", "bob"]) {
        const before = apps.map((app) => app.requests.length);
        for (let i = 0; i < 5; i++) await caller.get({ "x-user": user });
        const grown = apps.map((app, i) => app.requests.length - (before[i] ?? 0)).sort((a, b) => a - b);
        assert.deepEqual(grown, [0, 0, 0, 5], `${loadBalancing} ${user}`);
      }
    }
  });
});

describe("passthrough", () => {
  test("sends a request to the address that it names and chooses no instance", async () => {
    const named = await upstream((response) => response.end("named"));
    const instance = await new Application(() => ({ body: "instance" })).listen();
    cleanups.push(() => instance.close());
    const routes = [
      {
        destinations: [{ destination: { service: "reviews" }, weight: 1 }],
        rewrite: { authority: `127.0.0.1:${named.port}` },
        timeout: { timeoutMs: 5_000 },
      },
    ];
    for (const [loadBalancing, body] of [
      ["PASSTHROUGH", "named"],
      ["ROUND_ROBIN", "instance"],
    ] as const) {
      const caller = await new RoutingProxy(routes, { reviews: instance }, [{ loadBalancing }]).listen();
      cleanups.push(() => caller.close());
      assert.equal((await caller.call()).body, body);
    }
  });
});
