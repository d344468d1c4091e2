import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, standstill } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import { fieldOf, fieldsOf, readRequest } from "../harness/strict-reader.ts";
import { CodecProxy, withProxy } from "./codec-proxy.ts";

/** RFC 9112, sections 6 and 7: where a body ends, on both sides. */

let proxy: CodecProxy;
before(async () => {
  proxy = await CodecProxy.start();
});
after(() => proxy.close());

const POST = "POST /first HTTP/1.1\r\nHost: a\r\n";
const NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

describe("RFC 9112 6.3: a request's body", () => {
  const accepted: readonly (readonly [string, string, string])[] = [
    ["by its length", "Content-Length: 5\r\n\r\nhello", "hello"],
    ["by equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "hello"],
    ["by a list of equal lengths", "Content-Length: 5, 5\r\n\r\nhello", "hello"],
    ["by a length with zeros before it", "Content-Length: 0005\r\n\r\nhello", "hello"],
    ["by chunks", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"],
    ["by chunks in any case", "transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["as none, without either", "\r\n", ""],
    ["as none, by a length of 0", "Content-Length: 0\r\n\r\n", ""],
  ];
  for (const [what, rest, body] of accepted) {
    test(`is known ${what}, and what follows is the next request`, async () => {
      const client = await proxy.client();
      client.send(POST + rest + NEXT);
      assert.equal((await client.response()).body, "/first");
      assert.equal((await client.response()).body, "/next");
      const [first] = proxy.backend.requests.slice(-2);
      assert.equal(first?.body, body);
      assert.ok(first !== undefined && fieldsOf(first, "content-length").length <= 1);
      client.close();
    });
  }

  const refused: readonly (readonly [string, string, number])[] = [
    ["both framings", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400],
    ["both framings, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 0", 400],
    ["lengths that differ", "Content-Length: 5\r\nContent-Length: 6", 400],
    ["a list of lengths that differ", "Content-Length: 5, 6", 400],
    ["a signed length", "Content-Length: +5", 400],
    ["a negative length", "Content-Length: -1", 400],
    ["a hexadecimal length", "Content-Length: 0x5", 400],
    ["a fraction", "Content-Length: 5.0", 400],
    ["a length with a space in it", "Content-Length: 1 0", 400],
    ["an empty length", "Content-Length:", 400],
    ["a length behind a byte that only some call blank", "Content-Length: \xa05", 400],
    ["a list of lengths with such a byte", "Content-Length: 5,\xa05", 400],
    ["a coding behind such a byte", "Transfer-Encoding: \xa0chunked", 501],
    ["a length that overflows", "Content-Length: 18446744073709551621", 400],
    ["chunked twice", "Transfer-Encoding: chunked, chunked", 400],
    ["chunked twice in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400],
    ["chunked not last", "Transfer-Encoding: chunked, gzip", 400],
    ["an empty coding", "Transfer-Encoding:", 400],
    ["a coding behind a control character", "Transfer-Encoding: \x0bchunked", 400],
    ["a coding in quotes", 'Transfer-Encoding: "chunked"', 501],
    ["a name for chunked that is none", "Transfer-Encoding: xchunked", 501],
    ["identity", "Transfer-Encoding: identity", 501],
    ["another coding before chunked", "Transfer-Encoding: gzip, chunked", 501],
    ["a Transfer-Encoding with a space before its colon", "Transfer-Encoding : chunked", 400],
  ];
  for (const [what, fields, status] of refused) {
    test(`is refused for ${what}`, async () => {
      const before = proxy.backend.requests.length;
      const client = await proxy.client();
      client.send(`${POST}${fields}\r\n\r\n0\r\n\r\n${NEXT}`);
      assert.equal(await client.refusal(), status);
      assert.equal(proxy.backend.requests.length, before);
    });
  }

  test("that its client does not finish never becomes a request, nor a part of another", async () => {
    for (const rest of ["Content-Length: 50\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]) {
      const before = proxy.backend.requests.length;
      const connections = proxy.backend.connections.length;
      const broken = await proxy.client();
      broken.send(POST + rest);
      const count = () => proxy.backend.connections.reduce((sum, { raw }) => sum + raw.split("hello").length - 1, 0);
      const seen = count();
      while (count() === seen) await new Promise((resolve) => setImmediate(resolve));
      broken.close();
      const client = await proxy.client();
      client.send(NEXT);
      assert.equal((await client.response()).body, "/next");
      assert.equal(proxy.backend.requests.length, before + 1);
      assert.ok(proxy.backend.connections.length > connections - 1);
      client.close();
    }
  });
});

describe("a long body", () => {
  const SIZE = 4 * 1024 * 1024;
  const piece = String.fromCharCode(...Array.from({ length: 251 }, (_, i) => (i * 31) & 0xff));
  const big = piece.repeat(Math.ceil(SIZE / piece.length)).slice(0, SIZE);
  const chunks = `${(SIZE / 2).toString(16)}\r\n${big.slice(0, SIZE / 2)}\r\n${(SIZE / 2).toString(16)}\r\n${big.slice(SIZE / 2)}\r\n0\r\n\r\n`;

  for (const [how, framed] of [
    ["by its length", `Content-Length: ${SIZE}\r\n\r\n${big}`],
    ["in chunks", `Transfer-Encoding: chunked\r\n\r\n${chunks}`],
  ] as const) {
    test(`passes unchanged both ways, ${how}, and is counted`, () =>
      withProxy({ answer: () => undefined }, async (proxy, client) => {
        const { backend } = proxy;
        backend.onData = (_, connection) => {
          const { raw, socket } = connection;
          if (raw.length < SIZE || !raw.endsWith(framed.slice(-5))) return;
          backend.onData = () => undefined;
          socket.write(`HTTP/1.1 200 OK\r\n${framed}`, "latin1");
        };
        client.send(`${POST}${framed}`);
        await client.until(() => client.received.length > SIZE && client.received.endsWith(framed.slice(-5)));
        assert.ok((await client.response()).body === big, "the bytes that came back");
        const { request } = readRequest(backend.connections[0]?.raw ?? "");
        assert.ok(request.body === big, "the bytes that went");
        await eventually(() => proxy.records.length === 1);
        assert.deepEqual([proxy.last?.bytesReceived, proxy.last?.bytesSent], [SIZE, SIZE]);
      }));
  }
});

describe("RFC 9112 7.1: a chunked body", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["a chunk longer than its size", "3\r\nabcd\r\n0\r\n\r\n"],
    ["a chunk that ends with CR and something else", "3\r\nabc\rx0\r\n\r\n"],
    ["a chunk that ends with LF and something else", "3\r\nabcx\n0\r\n\r\n"],
    ["a size that is none", "g\r\nabc\r\n"],
    ["a size with a sign", "+3\r\nabc\r\n"],
    ["a size with 0x", "0x3\r\nabc\r\n"],
    ["a size that overflows", "fffffffffffffffff\r\n"],
    ["a bare LF", "3\nabc\n0\n\n"],
    ["a bare LF in an extension", "3;a\nb\r\nabc\r\n"],
    ["an endless extension", `3;${"a".repeat(1_000)}`],
    ["extensions without end", `1;${"a".repeat(200)}\r\nx\r\n`.repeat(100)],
    ["trailers without end", `0\r\n${"a: b\r\n".repeat(2_000)}`],
    ["a trailer that is none", "0\r\nGET / HTTP/1.1\r\n\r\n"],
  ];
  for (const [what, body] of refused) {
    test(`is refused for ${what}`, async () => {
      const before = proxy.backend.requests.length;
      const client = await proxy.client();
      client.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${body}`);
      assert.equal(await client.refusal(), 400);
      assert.equal(proxy.backend.requests.length, before);
      assert.deepEqual(proxy.backend.faults, []);
    });
  }

  test("that turns out to be none breaks off at its server, and is the client's fault", () =>
    withProxy({ answer: () => undefined }, async (proxy, client) => {
      const { backend } = proxy;
      client.send(`${POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
      await eventually(() => backend.connections[0]?.raw.includes("abc") === true);
      client.send(`zz\r\n${NEXT}`);
      assert.equal(await client.refusal(), 400);
      await eventually(() => backend.connections[0]?.socket.destroyed === true);
      assert.deepEqual([proxy.last?.flags, proxy.last?.detail], ["DPE", "http1.codec_error"]);
    }));

  test("loses its extensions and trailers on the way, and nothing else", async () => {
    const client = await proxy.client();
    const body = '3;a="b;c"\r\nabc\r\n2 ; d\r\nde\r\n0;e\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\n\r\n';
    client.send(`${POST}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n${body}${NEXT}`);
    assert.equal((await client.response()).body, "/first");
    assert.equal((await client.response()).body, "/next");
    const first = proxy.backend.requests.at(-2);
    assert.ok(first !== undefined);
    assert.equal(first.body, "abcde");
    assert.deepEqual(
      first.fields.map(([name]) => name.toLowerCase()),
      ["host", "transfer-encoding"],
    );
    client.close();
  });

  test("of tiny chunks is passed on in as few pieces as it came", async () => {
    const client = await proxy.client();
    client.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(5_000)}0\r\n\r\n`);
    await client.response();
    assert.equal(proxy.backend.requests.at(-1)?.body, "x".repeat(5_000));
    const raw = proxy.backend.connections.at(-1)?.raw ?? "";
    assert.ok(raw.length < 5_000 * 3, `${raw.length} bytes`);
    client.close();
  });
});

describe("RFC 9110 6.4.1, 9.3.2, 15.3.5, 15.4.5: an answer without a body", () => {
  const bodiless: readonly (readonly [string, string, string, string | undefined])[] = [
    ["to HEAD keeps the length that GET would have", "HEAD", ok("hello").slice(0, -5), "5"],
    ["to HEAD may be chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", undefined],
    ["of 204 has no length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", undefined],
    ["of 304 keeps its length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "5"],
  ];
  for (const [what, method, answer, length] of bodiless) {
    test(`${what}, and the next answer follows`, () =>
      withProxy({ answer: ({ target }) => (target === "/next" ? ok("next") : answer) }, async ({ backend }, client) => {
        client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n${NEXT}`);
        const response = await client.response(method);
        assert.equal(fieldOf(response, "content-length"), length);
        assert.equal(fieldOf(response, "transfer-encoding"), undefined);
        assert.equal((await client.response()).body, "next");
        assert.equal(backend.connections.length, 1);
      }));
  }

  test("with bytes behind it all the same is cut off from the next request", () =>
    withProxy(
      { answer: ({ target }) => (target === "/next" ? ok("next") : ok("hello")) },
      async ({ backend }, client) => {
        client.head("HEAD / HTTP/1.1", "Host: a");
        assert.equal((await client.response("HEAD")).status, 200);
        client.send(NEXT);
        assert.equal((await client.response()).body, "next");
        assert.equal(backend.connections.length, 2);
      },
    ));
});

describe("RFC 9112 6.3: an answer's body", () => {
  const framings: readonly (readonly [string, string, string])[] = [
    ["its length", ok("hello"), "hello"],
    ["equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhe", "he"],
    [
      "chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
      "hello",
    ],
    ["no more than a reason", "HTTP/1.1 299\r\nContent-Length: 1\r\n\r\nx", "x"],
  ];
  for (const [what, answer, body] of framings) {
    test(`is known by ${what}, and its connection is used again`, () =>
      withProxy({ answer: () => answer }, async ({ backend }, client) => {
        for (let i = 0; i < 2; i++) {
          client.send(NEXT);
          assert.equal((await client.response()).body, body);
        }
        assert.equal(backend.connections.length, 1);
      }));
  }

  for (const [what, answer, bytes] of [
    ["many small chunks for a client that reads late", `${"400\r\n"}${"x".repeat(1024)}\r\n`.repeat(3_000), 3_072_000],
    ["chunks whose last ones come in one read", `4e20\r\n${"x".repeat(20_000)}\r\n`.repeat(2), 40_000],
  ] as const) {
    test(`in ${what} leaves its connection usable`, () =>
      withProxy(
        {
          maxConnections: 1,
          answer: ({ target }) =>
            target === "/next" ? ok("next") : `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${answer}0\r\n\r\n`,
        },
        async ({ backend }, client) => {
          client.socket.pause();
          client.head("GET / HTTP/1.1", "Host: a");
          await eventually(() => backend.requests.length === 1);
          await standstill(() => backend.connections[0]?.socket.bytesWritten ?? 0);
          client.socket.resume();
          await client.until(() => client.received.length >= bytes);
          assert.equal((await client.response()).body.length, bytes);
          client.send(NEXT);
          assert.equal((await client.response()).body, "next");
          assert.equal(backend.connections.length, 1);
        },
      ));
  }

  test("is known by the end of its connection, and the client's goes on", () =>
    withProxy(
      {
        answer: (_, { socket }) => {
          socket.end("HTTP/1.0 200 OK\r\n\r\nhello");
          return undefined;
        },
      },
      async (_, client) => {
        for (let i = 0; i < 2; i++) {
          client.send(NEXT);
          const response = await client.response();
          assert.deepEqual([response.body, fieldOf(response, "transfer-encoding")], ["hello", "chunked"]);
        }
      },
    ));
});
