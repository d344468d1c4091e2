import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { FaultFilter } from "../../services/proxy/filter/fault.ts";
import type { Filter } from "../../services/proxy/filter/filter.ts";
import { compileRoutes } from "../../services/proxy/route/service-route.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type Input, ServiceConfig } from "../../shared/wire/index.ts";
import { CodecProxy, type CodecProxyOptions } from "../harness/codec-proxy.ts";
import { eventually, freePort } from "../harness/index.ts";
import { onHeads, RawClient, RawServer } from "../harness/raw-http.ts";

const stops: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function raw(onConnection: (socket: Socket, index: number) => void): Promise<RawServer> {
  const server = await new RawServer(onConnection).listen();
  stops.push(() => server.stop());
  return server;
}

async function proxy(ports: readonly number[], options: CodecProxyOptions = {}): Promise<CodecProxy> {
  const server = await new CodecProxy(ports, options).listen();
  stops.push(() => server.stop());
  return server as CodecProxy;
}

async function client(to: RawServer): Promise<RawClient> {
  const opened = await RawClient.open(to.port);
  stops.push(() => opened.close());
  return opened;
}

const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${["Host: a", ...fields].join("\r\n")}\r\n\r\n`;
const post = (body: string): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const answer = (status: number, body = ""): string =>
  `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Answers the n-th request of all connections by the n-th text, the last one for ever; collects what was asked. */
async function scripted(...answers: (string | "close" | "silence")[]): Promise<RawServer & { asked: string[] }> {
  const asked: string[] = [];
  const server = await raw((socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (;;) {
        const end = text.indexOf("\r\n\r\n") + 4;
        const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
        if (end < 4 || text.length < end + length) return;
        asked.push(text.slice(0, end + length));
        text = text.slice(end + length);
        const reply = answers[Math.min(asked.length, answers.length) - 1] ?? "close";
        if (reply === "close") socket.end();
        else if (reply !== "silence") socket.write(reply, "latin1");
      }
    });
  });
  return Object.assign(server, { asked });
}

describe("an instance that fails", () => {
  test("with garbage is answered for with 502", async () => {
    for (const garbage of [
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
      "HTTP/1.1 101 Up\r\n\r\n",
    ]) {
      const backend = await scripted(garbage);
      const front = await proxy([backend.port]);
      const caller = await client(front);
      caller.send(get("/"));
      assert.equal((await caller.response()).status, 502);
      assert.equal(front.last?.flags, "UPE");
      await eventually(() => backend.connections === 0);
    }
  });

  test("on a connection that had served is tried once more, when the request may be repeated", async () => {
    const backend = await scripted(answer(200, "1"), "close", answer(200, "3"));
    const front = await proxy([backend.port]);
    const caller = await client(front);
    for (const expected of ["1", "3"]) {
      caller.send(get("/"));
      const { status, body } = await caller.response();
      assert.deepEqual([status, body], [200, expected]);
    }
    assert.equal(backend.accepted, 2);
    assert.equal(front.last?.attempts, 2);
  });

  test("on a connection that had served is not tried again with POST, nor more than once", async () => {
    const posted = await scripted(answer(200), "close", answer(200));
    const caller = await client(await proxy([posted.port]));
    caller.send(get("/"));
    await caller.response();
    caller.send(post("x"));
    assert.equal((await caller.response()).status, 503);
    assert.equal(posted.asked.length, 2);

    const closing = await scripted(answer(200), "close");
    const front = await proxy([closing.port]);
    const other = await client(front);
    other.send(get("/"));
    await other.response();
    other.send(get("/"));
    assert.equal((await other.response()).status, 503);
    assert.equal(closing.asked.length, 3);
    assert.equal(front.last?.flags, "UC");
  });

  test("on its first request is answered for with 503 and not asked again", async () => {
    const backend = await scripted("close");
    const front = await proxy([backend.port]);
    const caller = await client(front);
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 503);
    assert.equal(backend.asked.length, 1);
  });

  test("to take connections is answered for with 503 UF, after another one was tried where there is one", async () => {
    const nobody = await freePort();
    const alone = await proxy([nobody]);
    const caller = await client(alone);
    caller.send(post("x"));
    assert.equal((await caller.response()).status, 503);
    assert.deepEqual([alone.last?.flags, alone.last?.attempts], ["UF", 1]);

    const backend = await scripted(answer(200, "good"));
    const both = await proxy([nobody, backend.port]);
    const other = await client(both);
    for (let i = 0; i < 4; i++) {
      other.send(post("x"));
      assert.equal((await other.response()).status, 200);
    }
    assert.ok(both.records.some((record) => record.attempts === 2));
  });

  test("has no port that exists: 503, not a crash", async () => {
    const front = await proxy([70_000]);
    const caller = await client(front);
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 503);
    assert.equal(front.last?.flags, "UF");
  });

  test("to serve the port is passed over", async () => {
    const backend = await scripted(answer(200));
    const front = await proxy([backend.port, await freePort(), await freePort()], { servicePorts: [80, 81, 81] });
    const caller = await client(front);
    for (let i = 0; i < 6; i++) {
      caller.send(get("/"));
      assert.equal((await caller.response()).status, 200);
    }
    const none = await proxy([backend.port], { servicePorts: [81] });
    const other = await client(none);
    other.send(get("/"));
    assert.equal((await other.response()).status, 503);
    assert.equal(none.last?.flags, "UH");
  });
});

describe("retries by policy", () => {
  test("send the whole body again after 5xx answers", async () => {
    const backend = await scripted(answer(503), answer(500, "no"), answer(200, "yes"));
    const front = await proxy([backend.port], { plan: { attempts: 3 } });
    const caller = await client(front);
    caller.send(post("some body"));
    const { status, body } = await caller.response();
    assert.deepEqual([status, body], [200, "yes"]);
    assert.equal(backend.asked.length, 3);
    for (const asked of backend.asked) assert.match(asked, /\r\n\r\nsome body$/);
    assert.equal(front.last?.attempts, 3);
    assert.equal(front.cluster.hosts[0]?.activeRequests, 0);
  });

  test("give the last answer when they are used up, and none for 4xx", async () => {
    const failing = await scripted(answer(503, "1"), answer(503, "2"), answer(503, "3"));
    const caller = await client(await proxy([failing.port], { plan: { attempts: 2 } }));
    caller.send(get("/"));
    assert.equal((await caller.response()).body, "3");

    const refusing = await scripted(answer(404), answer(200));
    const other = await client(await proxy([refusing.port], { plan: { attempts: 2 } }));
    other.send(get("/"));
    assert.equal((await other.response()).status, 404);
    assert.equal(refusing.asked.length, 1);
  });

  test("go to an instance that was not tried", async () => {
    const [bad, good] = [await scripted(answer(500)), await scripted(answer(200))];
    const front = await proxy([bad.port, good.port], { plan: { attempts: 1 } });
    const caller = await client(front);
    for (let i = 0; i < 6; i++) {
      caller.send(get("/"));
      assert.equal((await caller.response()).status, 200);
    }
    assert.equal(good.asked.length, 6);
  });

  test("happen after resets, and say so when they were in vain", async () => {
    const backend = await scripted("close");
    const front = await proxy([backend.port], { plan: { attempts: 2 } });
    const caller = await client(front);
    caller.send(post("x"));
    assert.equal((await caller.response()).status, 503);
    assert.equal(backend.asked.length, 3);
    assert.equal(front.last?.flags, "URX,UC");
  });

  test("do not happen once the body is too long to keep", async () => {
    const backend = await scripted(answer(503), answer(200));
    const caller = await client(await proxy([backend.port], { plan: { attempts: 2 } }));
    caller.send(post("x".repeat(500_000)));
    assert.equal((await caller.response()).status, 503);
    assert.equal(backend.asked.length, 1);
  });

  test("end when the client goes", async () => {
    const backend = await scripted("silence");
    const front = await proxy([backend.port], { plan: { attempts: 5, perTryTimeoutMs: 50 } });
    const caller = await client(front);
    caller.send(get("/"));
    await eventually(() => backend.asked.length === 2);
    caller.close();
    await eventually(() => front.records.length === 1);
    const asked = backend.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(backend.asked.length, asked);
  });
});

describe("time-outs", () => {
  test("of the route answer 504 and give the request up", async () => {
    const backend = await scripted("silence");
    const front = await proxy([backend.port], { plan: { timeoutMs: 60 } });
    const caller = await client(front);
    const started = performance.now();
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 504);
    assert.ok(performance.now() - started >= 55);
    assert.equal(front.last?.flags, "UT");
    await eventually(() => backend.connections === 0);
  });

  test("of one try are tried again, within the route's", async () => {
    const backend = await scripted("silence", answer(200, "second"));
    const front = await proxy([backend.port], { plan: { attempts: 1, perTryTimeoutMs: 50 } });
    const caller = await client(front);
    caller.send(get("/"));
    assert.equal((await caller.response()).body, "second");

    const silent = await scripted("silence");
    const short = await proxy([silent.port], { plan: { attempts: 10, perTryTimeoutMs: 40, timeoutMs: 100 } });
    const other = await client(short);
    other.send(get("/"));
    assert.equal((await other.response()).status, 504);
    assert.equal(short.last?.detail, "response_timeout");
    assert.ok((short.last?.attempts ?? 0) <= 3);

    const once = await proxy([silent.port], { plan: { perTryTimeoutMs: 40 } });
    const third = await client(once);
    third.send(get("/"));
    assert.equal((await third.response()).status, 504);
    assert.equal(once.last?.detail, "upstream_per_try_timeout");
  });

  test("do not cut an answer that has begun", async () => {
    const backend = await raw((socket) =>
      onHeads(socket, () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
        setTimeout(() => socket.write("cd"), 120);
      }),
    );
    const caller = await client(await proxy([backend.port], { plan: { timeoutMs: 60, perTryTimeoutMs: 60 } }));
    caller.send(get("/"));
    assert.equal((await caller.response()).body, "abcd");
  });
});

describe("faults", () => {
  type FaultInput = NonNullable<NonNullable<Input<typeof ServiceConfig>["routes"]>[number]["fault"]>;

  const injecting = (fault: FaultInput, draws: number[] = []): Filter[] => {
    const { routes } = ServiceConfig.decode(ServiceConfig.encode({ routes: [{ rule: "r", fault }] }));
    const [route] = compileRoutes(routes, UNKNOWN_PEER, () => {
      throw new Error("no destinations");
    });
    return [
      {
        name: "route",
        onRequest(exchange) {
          exchange.route = route;
          return "continue";
        },
      },
      new FaultFilter(() => draws.shift() ?? 0.5),
    ];
  };

  test("abort by chance, without asking the instance", async () => {
    const backend = await scripted(answer(200));
    const front = await proxy([backend.port], {
      filters: injecting({ abort: { percent: 50, httpStatus: 418 } }, [0.49, 0.51]),
    });
    const caller = await client(front);
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 418);
    assert.equal(front.last?.flags, "FI");
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 200);
    assert.equal(backend.asked.length, 1);
  });

  test("delay and then abort, each on its own", async () => {
    const backend = await scripted(answer(200));
    const fault: FaultInput = { delay: { percent: 100, fixedDelayMs: 50 }, abort: { percent: 0, httpStatus: 500 } };
    const caller = await client(await proxy([backend.port], { filters: injecting(fault) }));
    const started = performance.now();
    caller.send(post("kept while delayed"));
    assert.equal((await caller.response()).status, 200);
    assert.ok(performance.now() - started >= 45);
    assert.match(backend.asked[0] ?? "", /kept while delayed$/);
  });

  test("delay exponentially, each request by its own draw", async () => {
    const backend = await scripted(answer(200));
    // e^-2 of all requests wait longer than two means; the first place in the distribution is no delay at all.
    const filters = injecting({ delay: { percent: 100, exponentialDelayMs: 40 } }, [0, 1 - Math.exp(-2)]);
    const front = await proxy([backend.port], { filters });
    const caller = await client(front);
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 200);
    assert.equal(front.last?.flags, "");
    const started = performance.now();
    caller.send(get("/"));
    assert.equal((await caller.response()).status, 200);
    assert.ok(performance.now() - started >= 75);
    assert.equal(front.last?.flags, "DI");
  });

  test("abort gRPC requests with a status in the head of the answer, and others with the HTTP status like it", async () => {
    const backend = await scripted(answer(200));
    const filters = injecting({ abort: { percent: 100, grpcStatus: 14, overrideHeader: "x-abort" } });
    const front = await proxy([backend.port], { filters });
    const caller = await client(front);
    const grpc = "content-type: application/grpc+proto\r\n";
    for (const [fields, status, grpcStatus] of [
      [grpc, 200, "14"],
      [`${grpc}x-abort: 5\r\n`, 200, "5"],
      [`${grpc}x-abort: 17\r\n`, 200, "14"],
      [`${grpc}x-abort: 0\r\n`, 200, "14"],
      ["content-type: application/json\r\n", 503, undefined],
      ["content-type: application/grpcish\r\nx-abort: 7\r\n", 403, undefined],
    ] as const) {
      caller.send(get("/", fields.trimEnd()));
      const { status: given, head, body } = await caller.response();
      assert.equal(given, status, fields);
      assert.equal(/^grpc-status: (.*)$/im.exec(head)?.[1]?.trim(), grpcStatus, fields);
      if (grpcStatus === undefined) continue;
      assert.match(head, /^content-type: application\/grpc\r?$/im);
      assert.equal(body.length, 0);
    }
    assert.equal(front.last?.flags, "FI");
    assert.equal(backend.asked.length, 0);
  });

  test("take their values from the request where the rule says so", async () => {
    const backend = await scripted(answer(200));
    const front = await proxy([backend.port], {
      filters: injecting({ abort: { percent: 100, httpStatus: 500, overrideHeader: "X-Abort" } }),
    });
    const caller = await client(front);
    for (const [value, status] of [
      ["404", 404],
      ["99", 500],
      ["abc", 500],
      ["204", 204],
    ] as const) {
      caller.send(get("/", `x-abort: ${value}`));
      const { status: given, head } = await caller.response();
      assert.equal(given, status);
      if (given === 204) assert.doesNotMatch(head, /content-length/i);
    }
  });

  test("that delay a request whose client has gone end with it", async () => {
    const backend = await scripted(answer(200));
    const front = await proxy([backend.port], { filters: injecting({ delay: { percent: 100, fixedDelayMs: 80 } }) });
    const caller = await client(front);
    caller.send(get("/"));
    await eventually(() => front.accepted === 1);
    caller.close();
    await eventually(() => front.last?.flags.includes("DC") === true);
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.equal(backend.asked.length, 0);
  });
});

test("more waiting requests than the pool allows are refused with 503 UO", async () => {
  const backend = await scripted("silence");
  const front = await proxy([backend.port], { maxConnections: 1, plan: { timeoutMs: 500 } });
  const callers = await Promise.all(Array.from({ length: 102 }, () => client(front)));
  for (const caller of callers) {
    caller.send(get("/"));
    await eventually(() => backend.asked.length === 1);
  }
  const statuses = await Promise.all(callers.map(async (caller) => (await caller.response()).status));
  assert.deepEqual(
    [statuses.filter((status) => status === 503).length, statuses.filter((status) => status === 504).length],
    [1, 101],
  );
  assert.equal(front.records.filter((record) => record.flags === "UO").length, 1);
});
