import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually, standstill } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import { fieldOf } from "../harness/strict-reader.ts";
import { withProxy } from "./codec-proxy.ts";

/** RFC 9112, section 9: connections that stay, close, carry many requests at once, and fill up. */

const get = (target: string, ...fields: string[]): string =>
  [`GET ${target} HTTP/1.1`, "Host: a", ...fields, "", ""].join("\r\n");

describe("RFC 9112 9.3: a connection", () => {
  test("stays for the next request, and closes when its client says so", () =>
    withProxy({}, async (_, client) => {
      client.send(get("/1"));
      assert.equal(fieldOf(await client.response(), "connection"), undefined);
      client.send(get("/2", "Connection: x, Close"));
      const last = await client.response();
      assert.deepEqual([last.body, fieldOf(last, "connection")], ["/2", "close"]);
      assert.equal(await client.untilClosed(), "");
    }));

  test("to the server serves one client after the other", () =>
    withProxy({}, async (proxy, client) => {
      const { backend } = proxy;
      for (const each of [client, await proxy.client()]) {
        for (const target of ["/1", "/2"]) {
          each.send(get(target));
          assert.equal((await each.response()).body, target);
        }
      }
      assert.equal(backend.connections.length, 1);
    }));

  test("that its client leaves takes the request under way with it", () =>
    withProxy({ answer: () => undefined }, async (proxy, client) => {
      const { backend } = proxy;
      client.send(get("/never"));
      await eventually(() => backend.requests.length === 1);
      client.socket.end();
      await eventually(() => backend.connections[0]?.socket.destroyed === true);
      assert.deepEqual([proxy.last?.status, proxy.last?.flags], [0, "DC"]);
      assert.equal(proxy.cluster.hosts[0]?.activeRequests, 0);
    }));

  test("passes on nothing that comes behind its last request", () =>
    withProxy({}, async ({ backend }, client) => {
      client.send(get("/1", "Connection: close") + get("/2"));
      assert.equal((await client.response()).body, "/1");
      assert.equal(await client.untilClosed(), "");
      assert.equal(backend.requests.length, 1);
    }));

  test("whose server closes after its answer is replaced, unseen by the client", () =>
    withProxy({ answer: ({ target }) => ok(target, "Connection: close") }, async ({ backend }, client) => {
      for (const target of ["/1", "/2"]) {
        client.send(get(target));
        const response = await client.response();
        assert.deepEqual([response.body, fieldOf(response, "connection")], [target, undefined]);
      }
      assert.equal(backend.connections.length, 2);
    }));

  test("ends after an answer that came before the whole request", () =>
    withProxy(
      {
        answer: () => undefined,
      },
      async ({ backend }, client) => {
        backend.onData = (_, { socket }) => socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
        const response = await client.response();
        assert.deepEqual([response.status, fieldOf(response, "connection")], [413, "close"]);
        client.send(get("/smuggled"));
        assert.equal(await client.untilClosed(), "");
        assert.ok(backend.connections.every(({ raw }) => !raw.includes("smuggled")));
      },
    ));

  test("whose answer came early still takes in what its client goes on sending", () =>
    withProxy({ answer: () => undefined }, async ({ backend }, client) => {
      backend.onData = (_, { socket }) => socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
      for (let i = 0; i < 50; i++) client.socket.write(Buffer.alloc(65_536));
      assert.equal((await client.response()).status, 413);
    }));

  test("announces its end while it drains, after the request under way", () => {
    let answer: (() => void) | undefined;
    return withProxy(
      {
        answer: ({ target }, { socket }) => {
          answer = () => socket.write(ok(target));
          return undefined;
        },
      },
      async (proxy, client) => {
        client.send(get("/1"));
        while (answer === undefined) await new Promise((resolve) => setImmediate(resolve));
        proxy.drainConnections();
        answer();
        assert.equal(fieldOf(await client.response(), "connection"), "close");
        assert.equal(await client.untilClosed(), "");
      },
    );
  });
});

describe("RFC 9112 9.3.2: pipelined requests", () => {
  test("are answered in their order", () =>
    withProxy(
      {
        answer: ({ target }, { socket }) => {
          setTimeout(() => socket.write(ok(target)), Math.random() * 3);
          return undefined;
        },
      },
      async (_, client) => {
        const targets = Array.from({ length: 50 }, (_, i) => `/${i}`);
        client.send(targets.map((target) => get(target)).join(""));
        for (const target of targets) assert.equal((await client.response()).body, target);
      },
    ));

  test("by the thousand neither overflow the stack nor get lost", () =>
    withProxy({}, async ({ backend }, client) => {
      client.send(get("/x").repeat(5_000));
      await client.until(() => client.received.split("HTTP/1.1 200").length - 1 === 5_000);
      assert.equal(backend.requests.length, 5_000);
    }));

  test("behind a refused one are never read", () =>
    withProxy({}, async ({ backend }, client) => {
      client.send(`${get("/1")}GET /2 HTTP/1.1\r\n\r\n${get("/3")}`);
      assert.equal((await client.response()).body, "/1");
      assert.equal(await client.refusal(), 400);
      assert.deepEqual(
        backend.requests.map(({ target }) => target),
        ["/1"],
      );
    }));

  test("of a client that reads no answers are not passed on for ever", () =>
    withProxy(
      { answer: () => ok("x".repeat(100_000)), settings: { bufferBytes: 65_536 } },
      async ({ backend }, client) => {
        client.socket.pause();
        client.send(get("/x").repeat(20_000));
        await standstill(() => backend.requests.length);
        assert.ok(backend.requests.length < 1_000, `${backend.requests.length} were answered`);
        const answered = backend.requests.length;
        client.socket.resume();
        await eventually(() => backend.requests.length > answered);
      },
    ));
});

describe("back-pressure", () => {
  const SIZE = 64 * 1024 * 1024;

  test("from a client that does not read stops the server", () =>
    withProxy({ answer: () => undefined, settings: { bufferBytes: 65_536 } }, async ({ backend }, client) => {
      const chunk = Buffer.alloc(65_536, "x");
      let written = 0;
      backend.onData = (_, { socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
        const more = (): void => {
          while (written < SIZE) {
            written += chunk.length;
            if (!socket.write(chunk)) {
              socket.once("drain", more);
              return;
            }
          }
        };
        more();
      };
      client.socket.pause();
      client.send(get("/"));
      await standstill(() => (written > 0 ? written : Number.NaN));
      assert.ok(written < SIZE / 2, `${written} bytes were taken`);
      let received = 0;
      client.socket.removeAllListeners("data");
      client.socket.on("data", (piece: Buffer) => (received += piece.length)).resume();
      while (received < SIZE) await new Promise((resolve) => setImmediate(resolve));
    }));

  test("from a server that does not read stops the client", () =>
    withProxy({ settings: { bufferBytes: 65_536 } }, async ({ backend }, client) => {
      let received = 0;
      backend.onData = (text, { socket }) => {
        if (received === 0) socket.pause();
        received += text.length;
        if (received >= SIZE) socket.write(ok("done"));
      };
      const chunk = Buffer.alloc(65_536, "x");
      let written = 0;
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
      const more = (): void => {
        while (written < SIZE) {
          written += chunk.length;
          if (!client.socket.write(chunk)) {
            client.socket.once("drain", more);
            return;
          }
        }
      };
      more();
      await standstill(() => (received > 0 ? written : Number.NaN));
      assert.ok(written < SIZE / 2, `${written} bytes were taken`);
      backend.connections[0]?.socket.resume();
      assert.equal((await client.response()).body, "done");
    }));
});
