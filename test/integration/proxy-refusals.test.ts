import assert from "node:assert/strict";
import type { Socket } from "node:net";
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

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const ok = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("what cannot be read", () => {
  const refusals: readonly (readonly [string, string, number])[] = [
    ["two Host fields", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
    ["no Host field", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
    ["a Host with user data", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400],
    ["a target with user data", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400],
    ["a target that is neither path nor URL", "GET abc HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 426],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["CONNECT where it is not allowed", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    [
      "both framings",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["a head that is too long", `GET / HTTP/1.1\r\nHost: a\r\nx: ${"y".repeat(62_000)}\r\n\r\n`, 431],
    ["a head that never ends", `GET / HTTP/1.1\r\nx: ${"y".repeat(62_000)}`, 431],
    ["empty lines without end", "\r\n".repeat(40_000), 431],
    ["too many fields", `GET / HTTP/1.1\r\nHost: a\r\n${"x: y\r\n".repeat(100)}\r\n`, 431],
    ["lines without CR", "GET / HTTP/1.1\nHost: a\n\n", 400],
    ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00", 400],
  ];
  for (const [what, text, status] of refusals) {
    test(`is answered with ${status} and the end of the connection: ${what}`, async () => {
      let asked = 0;
      const backend = await raw((socket) => onHeads(socket, () => socket.write(ok(String(asked++)))));
      const caller = await client(await proxy([backend.port]));
      caller.send(text);
      const answer = await caller.response();
      assert.equal(answer.status, status);
      assert.match(answer.head, /connection: (?:upgrade, )?close/);
      await caller.ended();
      caller.send(get("/after"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(caller.received, "");
      assert.equal(asked, 0);
    });
  }

  test("in a body is answered with 400, and the instance is told nothing more", async () => {
    let closed = false;
    const backend = await raw((socket) => {
      socket.resume();
      socket.on("close", () => {
        closed = true;
      });
    });
    const front = await proxy([backend.port]);
    const caller = await client(front);
    caller.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await eventually(() => backend.connections === 1);
    caller.send(`zz\r\n${get("/after")}`);
    assert.equal((await caller.response()).status, 400);
    await caller.ended();
    await eventually(() => closed);
    assert.equal(front.last?.flags, "DPE");
  });

  test("is answered in its turn, behind what was asked before", async () => {
    const backend = await raw((socket) => onHeads(socket, () => setTimeout(() => socket.write(ok("good")), 30)));
    const caller = await client(await proxy([backend.port]));
    caller.send(`${get("/")}BAD REQUEST\r\n\r\n${get("/after")}`);
    assert.equal((await caller.response()).body, "good");
    assert.equal((await caller.response()).status, 400);
    await caller.ended();
  });
});

describe("CONNECT", () => {
  test("opens a tunnel whose requests go to its host, whatever their Host says", async () => {
    const backend = await raw((socket) => onHeads(socket, (head) => socket.write(ok(head.split("\r\n")[1] ?? ""))));
    const caller = await client(await proxy([backend.port], { acceptConnect: true }));
    caller.send("CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\n");
    assert.match(await caller.take("\r\n\r\n"), /^HTTP\/1.1 200 /);
    caller.send(get("/"));
    assert.equal((await caller.response()).body, "Host: reviews:9080");
  });

  test("with TLS inside is refused at once", async () => {
    const caller = await client(await proxy([], { acceptConnect: true }));
    caller.send("CONNECT reviews:443 HTTP/1.1\r\nHost: reviews:443\r\n\r\n");
    await caller.take("\r\n\r\n");
    caller.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc");
    await caller.ended(2_000);
  });

  test("is not needed for an absolute target, whose authority counts", async () => {
    const backend = await raw((socket) =>
      onHeads(socket, (head) => socket.write(ok(head.split("\r\n").slice(0, 2).join(" ")))),
    );
    const caller = await client(await proxy([backend.port]));
    caller.send("GET http://ratings:9080?x=1 HTTP/1.1\r\nHost: other\r\n\r\n");
    assert.equal((await caller.response()).body, "GET /?x=1 HTTP/1.1 Host: ratings:9080");
  });
});
