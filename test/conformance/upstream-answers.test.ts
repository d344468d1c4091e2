import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import { Incomplete } from "../harness/strict-reader.ts";
import { withProxy } from "./codec-proxy.ts";

/** Servers that speak no HTTP/1.1, or more or less of it than they say. */

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

describe("an answer that is malformed", () => {
  const malformed: readonly (readonly [string, string])[] = [
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["the beginning of TLS", "\x15\x03\x01\x00\x02\x02\x46"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["HTTP/1.1 in lower case", "http/1.1 200 OK\r\n\r\n"],
    ["an empty line first", `\r\n${ok()}`],
    ["lines that end with LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
    ["a control character in its reason", "HTTP/1.1 200 \x01\r\n\r\n"],
    ["no space before the status", "HTTP/1.1200 OK\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"],
    ["a field without a colon", "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 0\r\n\r\n"],
    ["a space before a colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"],
    ["a bare LF in a field", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\nContent-Length: 0\r\n\r\n"],
    ["lengths that differ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n"],
    ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["an upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["too long a head", `HTTP/1.1 200 OK\r\nA: ${"x".repeat(70_000)}\r\n\r\n`],
    ["too many fields", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(101)}\r\n`],
  ];
  for (const [what, answer] of malformed) {
    test(`by ${what} is a 502 with a reason, and the next request is not touched by it`, () =>
      withProxy({ answer: ({ target }) => (target === "/next" ? ok("next") : answer) }, async (proxy, client) => {
        client.send(GET);
        const response = await client.response();
        assert.equal(response.status, 502);
        assert.match(response.body, /^the upstream's answer is not valid HTTP\/1\.1: ./);
        assert.equal(proxy.records[0]?.detail, "upstream_reset_before_response_started{protocol_error}");
        assert.equal(proxy.records[0]?.flags, "UPE");
        client.send(NEXT);
        assert.equal((await client.response()).body, "next");
        assert.equal(proxy.backend.connections.length, 2);
      }));
  }

  test("after its head is cut where it was good", () =>
    withProxy(
      { answer: () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" },
      async (proxy, client) => {
        client.send(GET);
        await client.until(() => client.received.endsWith("abc\r\n"));
        proxy.backend.connections[0]?.socket.write("xyz\r\n");
        await assert.rejects(client.response(), Incomplete);
        assert.equal(proxy.records[0]?.detail, "upstream_reset_after_response_started{protocol_error}");
      },
    ));
});

describe("an answer that breaks off", () => {
  for (const [what, answer] of [
    ["in its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"],
    ["in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello"],
    ["between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["before the end of its trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"],
  ] as const) {
    test(`${what} looks broken to the client too`, () =>
      withProxy(
        {
          answer: (_, { socket }) => {
            socket.end(answer);
            return undefined;
          },
        },
        async (proxy, client) => {
          client.send(GET);
          await assert.rejects(client.response(), Incomplete);
          await eventually(() => proxy.records.length === 1);
          assert.equal(proxy.records[0]?.detail, "upstream_reset_after_response_started{connection_termination}");
        },
      ));
  }

  test("in its head is a 503", () =>
    withProxy(
      {
        answer: (_, { socket }) => {
          socket.end("HTTP/1.1 200 OK\r\nContent-");
          return undefined;
        },
      },
      async (_, client) => {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert.equal((await client.response()).status, 503);
      },
    ));
});

describe("a server that says more than it was asked", () => {
  for (const [what, late] of [
    ["at once", false],
    ["while nobody asks", true],
  ] as const) {
    test(`${what} is not believed, and its connection is not used again`, () =>
      withProxy(
        {
          answer: ({ target }, connection) => {
            if (target === "/next") return ok("next");
            if (!late) return ok("first") + ok("evil");
            setTimeout(() => connection.socket.write(ok("evil")), 5);
            return ok("first");
          },
        },
        async ({ backend }, client) => {
          client.send(GET);
          assert.equal((await client.response()).body, "first");
          await eventually(() => backend.connections[0]?.socket.destroyed === true);
          client.send(NEXT);
          assert.equal((await client.response()).body, "next");
          assert.equal(backend.connections.length, 2);
        },
      ));
  }
});
