import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { eventually, FakeClock } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import type { RawClient } from "../harness/raw-client.ts";
import { fieldOf } from "../harness/strict-reader.ts";
import { type CodecProxyOptions, withProxy } from "./codec-proxy.ts";

/** What a listener grants its clients: sizes, and times on a clock that the tests move. */

const START = "GET / HTTP/1.1\r\nHost: a\r\n";
const MAX_HEAD_BYTES = 60 * 1024;

describe("a request's head", () => {
  const padded = (bytes: number): string => `${START}X: ${"x".repeat(bytes - START.length - 3)}\r\n\r\n`;

  test("may be as long as the limit, and not a byte longer", () =>
    withProxy({}, async (proxy, client) => {
      client.send(padded(MAX_HEAD_BYTES));
      assert.equal((await client.response()).status, 200);
      client.send(padded(MAX_HEAD_BYTES + 1));
      assert.equal(await client.refusal(), 431);
      assert.deepEqual(
        proxy.records.map(({ detail }) => detail),
        ["via_upstream", "http1.headers_too_large"],
      );
    }));

  test("is refused as soon as it is too long, without its end", () =>
    withProxy({ settings: { maxHeadBytes: 1_024 } }, async (_, client) => {
      client.send(START + "X: y\r\n".repeat(200));
      assert.equal(await client.refusal(), 431);
    }));

  test("may be longer than what is kept of pipelined requests", () =>
    withProxy({ settings: { maxHeadBytes: 1_000_000 } }, async (_, client) => {
      client.send(padded(900_000));
      assert.equal((await client.response()).status, 200);
    }));

  test("may not be preceded by empty lines without end", () =>
    withProxy({}, async (_, client) => {
      client.send("\r\n".repeat(MAX_HEAD_BYTES));
      assert.equal(await client.refusal(), 431);
    }));

  test("may have 100 fields, and not 101", () =>
    withProxy({}, async (_, client) => {
      const fields = Array.from({ length: 100 }, (_, i) => `X-${i}: y\r\n`);
      client.send(`GET / HTTP/1.1\r\n${fields.slice(1).join("")}Host: a\r\n\r\n`);
      assert.equal((await client.response()).status, 200);
      client.send(`GET / HTTP/1.1\r\n${fields.join("")}Host: a\r\n\r\n`);
      assert.equal(await client.refusal(), 431);
    }));
});

const HOUR_MS = 3_600_000;
const STREAM_IDLE_MS = 300_000;

/** A proxy on a clock that stands; answers are given by the test. */
async function withTime(
  settings: CodecProxyOptions["settings"],
  use: (parts: {
    clock: FakeClock;
    client: RawClient;
    servers: Socket[];
    outcomes(): readonly string[];
  }) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const servers: Socket[] = [];
  const answer: CodecProxyOptions["answer"] = ({ target }, { socket }) => {
    servers.push(socket);
    return target === "/now" ? ok() : undefined;
  };
  await withProxy({ clock, settings: settings ?? {}, answer }, async (proxy, client) => {
    const outcomes = () => proxy.records.map(({ status, detail, flags }) => `${status} ${detail} ${flags}`.trim());
    // One request, so that the connection is certainly there, and with `more` in the same packet, that has been read.
    await use({ clock, client, servers, outcomes });
  });
}

const NOW = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";

/** Sends what is to be read by the proxy before this returns. */
async function send(client: RawClient, text: string): Promise<void> {
  client.send(NOW + text);
  assert.equal((await client.response()).status, 200);
}

async function isOpen(client: RawClient): Promise<boolean> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  return !client.ended;
}

describe("between requests a connection", () => {
  test("ends after an hour, without a word", () =>
    withTime({}, async ({ clock, client, outcomes }) => {
      await send(client, "");
      clock.advance(HOUR_MS - 1);
      assert.ok(await isOpen(client));
      await send(client, "");
      clock.advance(HOUR_MS - 1);
      assert.ok(await isOpen(client));
      clock.advance(1);
      assert.equal(await client.untilClosed(), "");
      assert.equal(outcomes().length, 2);
    }));

  test("ends when its client closes, and leaves no timer", () =>
    withTime({}, async ({ clock, client }) => {
      await send(client, "");
      const open = clock.pending;
      client.close();
      await eventually(() => clock.pending === open - 1);
    }));
});

describe("a request that is not complete", () => {
  test("is answered 408 when its head takes as long as a stream may be silent", () =>
    withTime({}, async ({ clock, client, outcomes }) => {
      await send(client, "GET / HT");
      clock.advance(STREAM_IDLE_MS - 1);
      client.send("T");
      assert.ok(await isOpen(client));
      clock.advance(1);
      assert.equal(await client.refusal(), 408);
      assert.equal(outcomes()[1], "408 stream_idle_timeout SI");
    }));

  test("is answered 408 when its head takes longer than it may", () =>
    withTime({ headTimeoutMs: 10_000 }, async ({ clock, client, outcomes }) => {
      await send(client, "GET / HT");
      clock.advance(9_999);
      assert.ok(await isOpen(client));
      clock.advance(1);
      assert.equal(await client.refusal(), 408);
      assert.equal(outcomes()[1], "408 request_header_timeout");
    }));

  test("is answered 408 when nothing more of it comes, and its server is told", () =>
    withTime({}, async ({ clock, client, outcomes }) => {
      await send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
      clock.advance(STREAM_IDLE_MS - 1);
      assert.ok(await isOpen(client));
      clock.advance(1);
      const response = await client.response();
      assert.deepEqual([response.status, fieldOf(response, "connection")], [408, "close"]);
      assert.equal(await client.untilClosed(), "");
      assert.equal(outcomes()[1], "408 stream_idle_timeout SI");
    }));

  test("is answered 408 when the whole of it takes too long, however busily it comes", () =>
    withTime({ requestTimeoutMs: 60_000 }, async ({ clock, client, outcomes }) => {
      await send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhe");
      for (let i = 0; i < 5; i++) {
        clock.advance(10_000);
        client.send("x");
        assert.ok(await isOpen(client));
      }
      clock.advance(9_999);
      assert.ok(await isOpen(client));
      clock.advance(1);
      assert.equal(await client.refusal(), 408);
      assert.equal(outcomes()[1], "408 request_overall_timeout");
    }));
});

describe("a complete request", () => {
  test("is answered 504 when neither side says anything for too long", () =>
    withTime({ requestTimeoutMs: 1_000 }, async ({ clock, client, servers, outcomes }) => {
      await send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await eventually(() => servers.length === 2);
      clock.advance(STREAM_IDLE_MS - 1);
      assert.ok(await isOpen(client));
      clock.advance(1);
      assert.equal((await client.response()).status, 504);
      assert.equal(outcomes()[1], "504 stream_idle_timeout SI");
      await eventually(() => servers[1]?.destroyed === true);
      // The answer was whole: the connection goes on.
      await send(client, "");
    }));

  test("is cut in the middle of its answer when that stands still, and not while it moves", () =>
    withTime({}, async ({ clock, client, servers, outcomes }) => {
      await send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await eventually(() => servers.length === 2);
      servers[1]?.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
      for (let i = 1; i <= 3; i++) {
        clock.advance(STREAM_IDLE_MS - 1);
        servers[1]?.write("x");
        await client.until(() => client.received.endsWith("x".repeat(i)));
      }
      clock.advance(STREAM_IDLE_MS - 1);
      assert.ok(await isOpen(client));
      clock.advance(1);
      await client.untilClosed();
      await eventually(() => servers[1]?.destroyed === true);
      assert.equal(outcomes()[1], "200 stream_idle_timeout SI");
    }));

  test("is cut when its client does not read the answer", () =>
    withTime({ bufferBytes: 65_536 }, async ({ clock, client, servers, outcomes }) => {
      await send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await eventually(() => servers.length === 2);
      client.socket.pause();
      servers[1]?.write("HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n");
      servers[1]?.write(Buffer.alloc(64_000_000));
      await eventually(() => {
        clock.advance(STREAM_IDLE_MS / 10);
        return outcomes().length === 2;
      });
      assert.equal(outcomes()[1], "200 stream_idle_timeout SI");
      await eventually(() => servers[1]?.destroyed === true);
    }));
});

describe("a connection that closes", () => {
  test("is cut when its client takes nothing of the last answer", () =>
    withTime({ bufferBytes: 100_000_000 }, async ({ clock, client, servers, outcomes }) => {
      await send(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      await eventually(() => servers.length === 2);
      client.socket.pause();
      const open = clock.pending;
      servers[1]?.write(ok("x".repeat(64_000_000)));
      await eventually(() => outcomes().length === 2);
      clock.advance(59_999);
      assert.equal(clock.pending, open);
      await eventually(() => {
        clock.advance(60_000);
        return clock.pending === open - 1;
      });
    }));

  test("waits a second for its client to close, so that the answer is not lost", () =>
    withTime({}, async ({ clock, client }) => {
      client.socket.allowHalfOpen = true;
      client.send("GET\r\n\r\n");
      assert.equal((await client.response()).status, 400);
      await client.untilClosed();
      const open = clock.pending;
      clock.advance(999);
      assert.equal(clock.pending, open);
      clock.advance(1);
      await eventually(() => clock.pending === open - 1);
    }));
});

test("a tunnel is cut when nothing passes for too long, in either direction", async () => {
  const clock = new FakeClock();
  const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  await withProxy({ clock, answer: () => undefined }, async ({ backend }, client) => {
    backend.onData = (text, { socket }) => socket.write(text.startsWith("GET") ? SWITCH : "pong");
    client.head("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket");
    await client.response();
    for (let i = 0; i < 3; i++) {
      clock.advance(STREAM_IDLE_MS - 1);
      client.received = "";
      client.send("ping");
      await client.until(() => client.received === "pong");
    }
    clock.advance(STREAM_IDLE_MS - 1);
    assert.ok(await isOpen(client));
    clock.advance(1);
    await client.untilClosed();
  });
});
