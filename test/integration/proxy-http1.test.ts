import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { CodecProxy, type CodecProxyOptions } from "../harness/codec-proxy.ts";
import { eventually } from "../harness/index.ts";
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

async function http(listener: RequestListener): Promise<Server & { port: number }> {
  const server = createHttpServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
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
const ok = (body: string, ...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${[`Content-Length: ${body.length}`, ...fields].join("\r\n")}\r\n\r\n${body}`;

/** A backend that answers each request with its path. */
const echoPaths = () => raw((socket) => onHeads(socket, (head) => socket.write(ok(head.split(" ")[1] ?? ""))));

describe("connections", () => {
  test("are kept alive on both sides", async () => {
    const backend = await echoPaths();
    const front = await proxy([backend.port]);
    const caller = await client(front);
    for (let i = 0; i < 5; i++) {
      caller.send(get(`/${i}`));
      assert.equal((await caller.response()).body, `/${i}`);
    }
    assert.equal(backend.accepted, 1);
    assert.equal(front.accepted, 1);
    const other = await client(front);
    other.send(get("/other"));
    assert.equal((await other.response()).body, "/other");
    assert.equal(backend.accepted, 1, "another client uses the connection that is idle");
    assert.deepEqual([front.last?.status, front.last?.detail, front.last?.flags], [200, "via_upstream", ""]);
  });

  test("end after the answer when the client asks for it, and tell it so", async () => {
    const backend = await echoPaths();
    const caller = await client(await proxy([backend.port]));
    caller.send(get("/", "Connection: close"));
    const { head } = await caller.response();
    assert.match(head, /^connection: close$/im);
    await caller.ended();
    await eventually(() => backend.connections === 1);
  });

  test("do not pass on what belongs to one of them", async () => {
    let seen = "";
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        seen = head;
        socket.write(ok("", "Connection: x-secret", "X-Secret: 1", "Keep-Alive: timeout=5", "X-Public: 2"));
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send(get("/", "Connection: x-mine", "X-Mine: 1", "TE: trailers", "X-Yours: 2"));
    const { head } = await caller.response();
    assert.equal(seen, "GET / HTTP/1.1\r\nHost: a\r\nX-Yours: 2\r\n\r\n");
    assert.match(head, /X-Public: 2/);
    assert.doesNotMatch(head, /secret|keep-alive/i);
  });

  test("that the client closes cancel the request at the instance", async () => {
    const ended: string[] = [];
    const backend = await raw((socket) => {
      onHeads(socket, () => ended.push("asked"));
      socket.on("close", () => ended.push("closed"));
    });
    const front = await proxy([backend.port]);
    const caller = await client(front);
    caller.send(get("/slow"));
    await eventually(() => ended.includes("asked"));
    caller.socket.end();
    await eventually(() => ended.includes("closed"));
    await eventually(() => front.records.length === 1);
    assert.deepEqual([front.last?.status, front.last?.flags], [0, "DC"]);
    assert.equal(front.cluster.hosts[0]?.activeRequests, 0);
  });
});

describe("pipelined requests", () => {
  test("are answered in order, whatever each takes", async () => {
    let turn = 0;
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        setTimeout(() => socket.write(ok(head.split(" ")[1] ?? "")), [7, 0, 3, 1][turn++ % 4]);
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send(Array.from({ length: 20 }, (_, i) => get(`/${i}`)).join(""));
    for (let i = 0; i < 20; i++) assert.equal((await caller.response()).body, `/${i}`);
  });

  test("keep their order when cut anywhere, while answers come", async () => {
    const backend = await echoPaths();
    const front = await proxy([backend.port]);
    const caller = await client(front);
    const text = Array.from({ length: 30 }, (_, i) => get(`/${i}`, `X-Fill: ${"x".repeat(i)}`)).join("");
    const sending = (async () => {
      for (let from = 0; from < text.length; ) {
        const to = from + 1 + ((from * 7) % 60);
        caller.send(text.slice(from, to));
        from = to;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < 30; i++) {
      const { status, body } = await caller.response();
      assert.deepEqual([status, body], [200, `/${i}`]);
    }
    await sending;
  });

  test("with bodies between them are told apart", async () => {
    const backend = await http((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => response.end(`${request.url} ${body}`));
    });
    const caller = await client(await proxy([backend.port]));
    const chunked =
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n";
    caller.send(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz${chunked}${get("/3")}`);
    for (const expected of ["/1 xyz", "/2 abcde", "/3 "]) assert.equal((await caller.response()).body, expected);
  });

  test("are not taken up while the client does not read its answers", async () => {
    let asked = 0;
    const body = "x".repeat(60_000);
    const backend = await raw((socket) =>
      onHeads(socket, () => {
        asked++;
        socket.write(ok(body));
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.socket.pause();
    caller.send(get("/").repeat(1_000));
    let before = -1;
    await eventually(
      () => {
        const still = asked > 0 && asked === before;
        before = asked;
        return still;
      },
      { everyMs: 200 },
    );
    assert.ok(asked < 500, `${asked} of 1000 were forwarded`);
    caller.socket.resume();
    for (let i = 0; i < 1_000; i++) assert.equal((await caller.response()).body.length, 60_000);
  });

  test("after an empty line are read, also when the line comes alone", async () => {
    const backend = await echoPaths();
    const caller = await client(await proxy([backend.port]));
    caller.send(`\r\n${get("/1")}`);
    assert.equal((await caller.response()).body, "/1");
    for (const piece of ["\r", "\n", "\r\n", get("/2")]) {
      caller.send(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await caller.response()).body, "/2");
  });
});

describe("bodies", () => {
  const SIZE = 8 * 1024 * 1024;
  const big = Buffer.from(Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
  const sum = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

  for (const chunked of [false, true]) {
    test(`of several megabytes pass unchanged both ways, ${chunked ? "in chunks" : "by length"}`, async () => {
      const backend = await http((request, response) => {
        if (!chunked) response.setHeader("content-length", String(SIZE));
        request.pipe(response);
      });
      const front = await proxy([backend.port]);
      const call = httpRequest({
        port: front.port,
        method: "POST",
        headers: chunked ? {} : { "content-length": SIZE },
        agent: false,
      });
      stops.push(() => void call.destroy());
      for (let from = 0; from < SIZE; from += 100_000) call.write(big.subarray(from, from + 100_000));
      call.end();
      const [response] = (await once(call, "response")) as [import("node:http").IncomingMessage];
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      const echoed = Buffer.concat(pieces);
      assert.equal(echoed.length, SIZE);
      assert.equal(sum(echoed), sum(big));
      await eventually(() => front.records.length === 1);
      assert.deepEqual([front.last?.bytesReceived, front.last?.bytesSent], [SIZE, SIZE]);
    });
  }

  test("wait for an instance that does not read", async () => {
    const backend = await raw((socket) => socket.pause());
    const caller = await client(await proxy([backend.port]));
    caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n");
    const piece = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 64; i++) caller.socket.write(piece);
    let before = -1;
    await eventually(
      () => {
        const still = caller.socket.bytesWritten - caller.socket.writableLength === before;
        before = caller.socket.bytesWritten - caller.socket.writableLength;
        return still;
      },
      { everyMs: 200 },
    );
    assert.ok(caller.socket.writableLength > 32 * 1024 * 1024, `${caller.socket.writableLength} bytes are left`);
  });

  test("wait for a client that does not read", async () => {
    let left = Number.POSITIVE_INFINITY;
    const backend = await raw((socket) =>
      onHeads(socket, () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
        for (let i = 0; i < 64; i++) socket.write(Buffer.alloc(1024 * 1024));
        const timer = setInterval(() => {
          left = socket.writableLength;
        }, 20);
        socket.on("close", () => clearInterval(timer));
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.socket.pause();
    caller.send(get("/"));
    let before = -1;
    await eventually(
      () => {
        const still = left === before;
        before = left;
        return still && Number.isFinite(left);
      },
      { everyMs: 200 },
    );
    assert.ok(left > 32 * 1024 * 1024, `${left} bytes are left`);
  });

  test("of many small chunks to a slow client leave the instance's connection usable", async () => {
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        if (head.startsWith("GET /small")) socket.write(ok("small"));
        else socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(3_000)}0\r\n\r\n`);
      }),
    );
    const front = await proxy([backend.port], { maxConnections: 1 });
    const slow = await client(front);
    slow.socket.pause();
    slow.send(get("/big"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    slow.socket.resume();
    assert.equal((await slow.response()).body.length, 3_000 * 1024);
    slow.send(get("/small"));
    assert.equal((await slow.response()).body, "small");
    assert.equal(backend.accepted, 1);
  });

  test("whose last chunks come in one read leave the instance's connection usable", async () => {
    const chunk = `4e20\r\n${"x".repeat(20_000)}\r\n`;
    const backend = await raw((socket) =>
      onHeads(socket, () => {
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`);
      }),
    );
    const caller = await client(await proxy([backend.port]));
    for (let i = 0; i < 5; i++) {
      caller.send(get("/"));
      assert.equal((await caller.response()).body.length, 40_000);
    }
    assert.equal(backend.accepted, 1);
  });

  test("are not sent for HEAD, 204 and 304, whose heads stay as they are", async () => {
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        if (head.startsWith("HEAD")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        else if (head.startsWith("GET /204")) socket.write("HTTP/1.1 204 No Content\r\n\r\n");
        else if (head.startsWith("GET /304")) socket.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
        else socket.write(ok("last"));
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get("/204")}${get("/304")}${get("/")}`);
    assert.match((await caller.response(true)).head, /Content-Length: 5/);
    assert.doesNotMatch((await caller.response()).head, /content-length|transfer-encoding/i);
    assert.match((await caller.response()).head, /^HTTP\/1.1 304 Not Modified\r\nContent-Length: 5\r\n/);
    assert.equal((await caller.response()).body, "last");
    assert.equal(backend.accepted, 1);
  });

  test("that end with the instance's connection are sent in chunks", async () => {
    const backend = await raw((socket) => onHeads(socket, () => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end")));
    const caller = await client(await proxy([backend.port]));
    for (let i = 0; i < 2; i++) {
      caller.send(get("/"));
      const { head, body } = await caller.response();
      assert.match(head, /transfer-encoding: chunked/);
      assert.equal(body, "until the end");
    }
  });

  test("that break off are not made to look complete", async () => {
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        socket.end(
          head.startsWith("GET /length")
            ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
            : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        );
      }),
    );
    const front = await proxy([backend.port]);
    for (const path of ["/length", "/chunks"]) {
      const caller = await client(front);
      caller.send(get(path));
      await assert.rejects(caller.response(), /closed true/);
      await eventually(() => front.last?.flags === "UC" && front.last.head.path === path);
    }
  });

  test("are asked for with 100 Continue when the instance wants them", async () => {
    const backend = await raw((socket) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        if (text.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        if (text.endsWith("body")) socket.write(ok("thanks"));
      });
    });
    const caller = await client(await proxy([backend.port]));
    caller.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert.equal((await caller.response()).status, 100);
    caller.send("body");
    const answer = await caller.response();
    assert.deepEqual([answer.status, answer.body], [200, "thanks"]);
  });
});

describe("an answer before the request is complete", () => {
  test("ends the connection, and the rest of the request is nobody's request", async () => {
    const asked: string[] = [];
    const backend = await raw((socket) =>
      onHeads(socket, (head) => {
        asked.push(head.split("\r\n")[0] ?? "");
        socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
      }),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    const { status, head } = await caller.response();
    assert.equal(status, 413);
    assert.match(head, /connection: close/);
    await caller.ended();
    caller.send(get("/smuggled"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(asked, ["POST /upload HTTP/1.1"]);
  });

  test("reaches a client that goes on sending", async () => {
    const backend = await raw((socket) =>
      onHeads(socket, () => socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    for (let i = 0; i < 50; i++) caller.socket.write(Buffer.alloc(65_536));
    assert.equal((await caller.response()).status, 413);
  });
});
