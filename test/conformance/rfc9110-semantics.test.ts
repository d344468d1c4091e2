import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually, standstill } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import { fieldOf } from "../harness/strict-reader.ts";
import { withProxy } from "./codec-proxy.ts";

/** RFC 9110: hop-by-hop fields, switching protocols, CONNECT, Expect and interim answers. */

describe("RFC 9110 7.6.1: fields of one connection", () => {
  test("end here, with those that Connection names, and the others go on", () =>
    withProxy({}, async ({ backend }, client) => {
      client.head(
        "GET / HTTP/1.1",
        "Connection: X-Mine, keep-alive, host, content-length",
        "Host: a",
        "X-Mine: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: secret",
        "TE: trailers",
        "Upgrade: h2c",
        "HTTP2-Settings: AAA",
        "X-Yours: 2",
      );
      await client.response();
      assert.deepEqual(backend.requests[0]?.fields, [
        ["Host", "a"],
        ["HTTP2-Settings", "AAA"],
        ["X-Yours", "2"],
      ]);
    }));

  test("of an answer end here too", () =>
    withProxy(
      { answer: () => ok("", "Connection: X-Mine", "X-Mine: 1", "Keep-Alive: timeout=5", "Date: x", "X-Yours: 2") },
      async (_, client) => {
        client.head("GET / HTTP/1.1", "Host: a");
        assert.deepEqual((await client.response()).fields, [
          ["Content-Length", "0"],
          ["Date", "x"],
          ["X-Yours", "2"],
        ]);
      },
    ));
});

describe("RFC 9110 6.6.1: Date", () => {
  test("is added where a server gives none", () =>
    withProxy({}, async (_, client) => {
      client.head("GET / HTTP/1.1", "Host: a");
      const date = fieldOf(await client.response(), "date") ?? "";
      assert.ok(Math.abs(Date.parse(date) - Date.now()) < 5_000, date);
    }));
});

const UPGRADE = ["GET /chat HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket"];
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Key: 1\r\n\r\n";

describe("RFC 9110 7.8: WebSocket", () => {
  test("bytes go both ways as they are once the server has switched", () =>
    withProxy({ answer: () => undefined }, async ({ backend, records }, client) => {
      backend.onData = (text, { socket }) =>
        socket.write(text.startsWith("GET /chat ") ? `${SWITCH}\0hi` : `<${text}>`, "latin1");
      client.head(...UPGRADE, "Sec-WebSocket-Key: k");
      const answer = await client.response();
      assert.equal(answer.status, 101);
      assert.deepEqual([fieldOf(answer, "upgrade"), fieldOf(answer, "x-key")], ["websocket", "1"]);
      await client.until(() => client.received === "\0hi");
      const head = backend.connections[0]?.raw ?? "";
      assert.match(head, /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/i);
      assert.match(head, /\r\nSec-WebSocket-Key: k\r\n/);
      client.received = "";
      // What looks like a request is none any more.
      client.send("GET /x HTTP/1.0\n\n\0\xff");
      await client.until(() => client.received === "<GET /x HTTP/1.0\n\n\0\xff>");
      client.socket.end();
      await client.untilClosed();
      await eventually(() => records.length === 1);
      assert.equal(records[0]?.status, 101);
    }));

  test("the last bytes of either side arrive before the end does", () =>
    withProxy({ answer: () => undefined }, async ({ backend }, client) => {
      let ended = false;
      const big = "x".repeat(3_000_000);
      backend.onData = (text, { socket }) => {
        if (text.startsWith("GET ")) {
          socket.on("end", () => (ended = true));
          socket.write(SWITCH);
        }
      };
      client.head(...UPGRADE);
      await client.response();
      client.socket.end(big);
      await eventually(() => ended);
      assert.ok(backend.connections[0]?.raw.endsWith(big));
    }));

  test("the server's end is the client's", () =>
    withProxy({ answer: () => undefined }, async ({ backend }, client) => {
      const big = "y".repeat(3_000_000);
      backend.onData = (_, { socket }) => socket.end(SWITCH + big);
      client.head(...UPGRADE);
      await client.response();
      assert.equal((await client.untilClosed()).length, big.length);
    }));

  test("a side that does not read stops the other", () =>
    withProxy({ answer: () => undefined, settings: { bufferBytes: 65_536 } }, async ({ backend }, client) => {
      backend.onData = (_, { socket }) => {
        socket.write(SWITCH);
        socket.pause();
      };
      client.head(...UPGRADE);
      await client.response();
      let flushed = false;
      client.socket.write(Buffer.alloc(64 * 1024 * 1024), () => (flushed = true));
      await standstill(() => client.socket.bytesWritten - client.socket.writableLength);
      assert.equal(flushed, false);
    }));

  test("a server may answer without switching, and HTTP goes on", () =>
    withProxy({}, async (_, client) => {
      client.head(...UPGRADE);
      assert.equal((await client.response()).body, "/chat");
      client.head("GET /next HTTP/1.1", "Host: a");
      assert.equal((await client.response()).body, "/next");
    }));

  test("early bytes of a client whose server does not switch are read as requests", () =>
    withProxy({}, async ({ backend }, client) => {
      client.send(`${UPGRADE.join("\r\n")}\r\n\r\nnot a request\r\n\r\n`);
      assert.equal((await client.response()).status, 200);
      assert.equal(await client.refusal(), 400);
      assert.equal(backend.requests.length, 1);
    }));

  for (const [what, lines, mayUpgrade] of [
    ["where its route does not let it", UPGRADE, false],
    ["for another protocol", [...UPGRADE.slice(0, 3), "Upgrade: h2c"], true],
    ["without Connection: upgrade", UPGRADE.filter((line) => !line.startsWith("Connection")), true],
    ["for a method other than GET", ["POST /chat HTTP/1.1", ...UPGRADE.slice(1)], true],
  ] as const) {
    test(`is not asked for ${what}, and a server that switches all the same is refused`, () =>
      withProxy({ answer: () => SWITCH, mayUpgrade }, async ({ backend }, client) => {
        client.head(...lines);
        const response = await client.response();
        assert.equal(response.status, 502);
        assert.match(response.body, /upgrade/);
        const [request] = backend.requests;
        assert.ok(request !== undefined);
        assert.equal(fieldOf(request, "upgrade"), undefined);
        assert.equal(fieldOf(request, "connection"), undefined);
      }));
  }

  test("is cut when its connection drains, since it has no end to wait for", () =>
    withProxy({ answer: () => SWITCH }, async (proxy, client) => {
      client.head(...UPGRADE);
      await client.response();
      proxy.drainConnections();
      assert.equal(await client.untilClosed(), "");
    }));
});

describe("RFC 9110 9.3.6: CONNECT to the explicit proxy", () => {
  test("makes the connection one to that host, whose requests are read", () =>
    withProxy({ listener: "outbound" }, async ({ backend }, client) => {
      client.send(
        "CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\nGET /a HTTP/1.1\r\nHost: reviews\r\n\r\n",
      );
      await client.until(() => client.received.startsWith("HTTP/1.1 200 OK\r\n\r\n"));
      client.received = client.received.slice("HTTP/1.1 200 OK\r\n\r\n".length);
      assert.equal((await client.response()).body, "/a");
      const [request] = backend.requests;
      assert.ok(request !== undefined);
      assert.equal(fieldOf(request, "host"), "reviews:9080");
    }));

  for (const [what, text, status] of [
    ["without a port", "CONNECT reviews HTTP/1.1\r\nHost: reviews\r\n\r\n", 400],
    ["to port 0", "CONNECT reviews:0 HTTP/1.1\r\nHost: reviews\r\n\r\n", 400],
    ["to a URI", "CONNECT http://reviews:80/ HTTP/1.1\r\nHost: reviews\r\n\r\n", 400],
    ["with a length", "CONNECT reviews:80 HTTP/1.1\r\nHost: reviews\r\nContent-Length: 4\r\n\r\nabcd", 400],
    ["with chunks", "CONNECT reviews:80 HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
  ] as const) {
    test(`${what} is refused`, () =>
      withProxy({ listener: "outbound" }, async (_, client) => {
        client.send(text);
        assert.equal(await client.refusal(), status);
      }));
  }

  test("with TLS inside is refused at its first bytes", () =>
    withProxy({ listener: "outbound" }, async (_, client) => {
      client.head("CONNECT reviews:443 HTTP/1.1", "Host: reviews:443");
      await client.until(() => client.received === "HTTP/1.1 200 OK\r\n\r\n");
      client.received = "";
      client.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc");
      assert.equal(await client.refusal(), 400);
    }));

  test("inside its own tunnel is refused", () =>
    withProxy({ listener: "outbound" }, async (_, client) => {
      const connect = "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n";
      client.send(connect + connect);
      await client.until(() => client.received.startsWith("HTTP/1.1 200 OK\r\n\r\n"));
      client.received = client.received.slice("HTTP/1.1 200 OK\r\n\r\n".length);
      assert.equal(await client.refusal(), 405);
    }));
});

describe("RFC 9110 10.1.1: Expect", () => {
  const EXPECT = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

  test("is answered by the server, and the body follows", () =>
    withProxy({ answer: ({ body }) => ok(body) }, async ({ backend }, client) => {
      client.send(EXPECT);
      await eventually(() => backend.connections[0]?.raw.includes("100-continue") === true);
      backend.connections[0]?.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      assert.equal((await client.response()).status, 100);
      client.send("hello");
      assert.equal((await client.response()).body, "hello");
    }));

  test("a server may refuse before the body, and the connection ends", () =>
    withProxy({ answer: () => undefined }, async ({ backend }, client) => {
      backend.onData = (_, { socket }) => socket.write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
      client.send(EXPECT);
      const response = await client.response();
      assert.deepEqual([response.status, fieldOf(response, "connection")], [417, "close"]);
      assert.equal(await client.untilClosed(), "");
    }));

  test("100 goes to nobody who did not ask", () =>
    withProxy({ answer: () => `HTTP/1.1 100 Continue\r\n\r\n${ok("x")}` }, async (_, client) => {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
      assert.equal((await client.response()).status, 200);
    }));
});

describe("RFC 9110 15.2: interim answers", () => {
  test("are passed on with their fields, before the answer", () =>
    withProxy(
      {
        answer: () =>
          `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nContent-Length: 5\r\n\r\n${ok("x")}`,
      },
      async (_, client) => {
        client.head("GET / HTTP/1.1", "Host: a");
        const hints = await client.response();
        assert.deepEqual([hints.status, hints.fields], [103, [["Link", "</a.css>"]]]);
        assert.equal((await client.response()).body, "x");
      },
    ));
});

describe("HTTP/1.0, where it is accepted", () => {
  const settings = { acceptHttp10: true };
  const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

  test("gets answers without chunks, ended by the connection", () =>
    withProxy({ settings, answer: () => CHUNKED }, async ({ backend }, client) => {
      client.head("GET / HTTP/1.0", "Host: a");
      const text = await client.untilClosed();
      assert.ok(text.endsWith("\r\n\r\nabc"), text);
      assert.doesNotMatch(text, /transfer-encoding/i);
      assert.match(text, /\r\nconnection: close\r\n/);
      assert.equal(backend.requests[0]?.start, "GET / HTTP/1.1");
    }));

  test("keeps its connection when it asks for that and the length is known", () =>
    withProxy({ settings }, async (_, client) => {
      for (const target of ["/1", "/2"]) {
        client.head(`GET ${target} HTTP/1.0`, "Host: a", "Connection: keep-alive");
        const response = await client.response();
        assert.deepEqual([response.body, fieldOf(response, "connection")], [target, "keep-alive"]);
      }
      client.head("GET /3 HTTP/1.0", "Host: a");
      assert.equal(fieldOf(await client.response(), "connection"), "close");
      assert.equal(await client.untilClosed(), "");
    }));

  test("gets no interim answers", () =>
    withProxy({ settings, answer: () => `HTTP/1.1 103 Early\r\n\r\n${ok("x")}` }, async (_, client) => {
      client.head("GET / HTTP/1.0", "Host: a", "Expect: 100-continue");
      assert.equal((await client.response()).status, 200);
    }));

  test("has no chunks", () =>
    withProxy({ settings }, async (_, client) => {
      client.send("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
      assert.equal(await client.refusal(), 400);
    }));

  test("is refused without that setting, with what to use instead", () =>
    withProxy({}, async (_, client) => {
      client.head("GET / HTTP/1.0", "Host: a");
      const response = await client.response();
      assert.deepEqual(
        [response.status, fieldOf(response, "upgrade"), fieldOf(response, "connection")],
        [426, "HTTP/1.1", "upgrade, close"],
      );
    }));
});

test("an answer reaches its client whole although the connection closes behind it", () =>
  withProxy({ answer: () => ok("x".repeat(5_000_000)) }, async (_, client) => {
    client.head("GET / HTTP/1.1", "Host: a", "Connection: close");
    assert.equal((await client.response()).body.length, 5_000_000);
    assert.equal(await client.untilClosed(), "");
  }));
