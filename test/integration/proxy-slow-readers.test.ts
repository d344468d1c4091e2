import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { MessageWriter } from "../../services/proxy/codec/http1-writer.ts";
import { eventually } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import { readResponse } from "../harness/strict-reader.ts";

const { proxy, backend } = proxyFixture();

/** Bytes of which no two places look alike, so that bytes from elsewhere are found out. */
function pattern(bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let i = 0; i + 4 <= bytes; i += 4) body.writeUInt32LE(Math.imul(i + 1, 0x9e3779b1) >>> 0, i);
  return body;
}

const digest = (body: Buffer): string => createHash("sha256").update(body).digest("hex");

/** Chunks of odd sizes. */
function chunked(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0, size = 1; at < body.length; at += size, size = (size * 7 + 13) % 90_000) {
    const chunk = body.subarray(at, at + size);
    pieces.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}

/** All that comes until the other side closes, and how often the client has stopped reading meanwhile. */
async function readSlowly(port: number, request: string): Promise<[received: Buffer, stops: number]> {
  const socket = connect(port, "127.0.0.1");
  const pieces: Buffer[] = [];
  let stops = 0;
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    if (pieces.length % 8 !== 0) return;
    stops++;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  socket.write(request);
  await once(socket, "close");
  return [Buffer.concat(pieces), stops];
}

describe("a long answer", () => {
  const body = pattern(12_000_000);
  const framings: Record<string, () => Buffer> = {
    "of a known length": () =>
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
    "in chunks": () =>
      Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunked(body)]),
  };

  for (const [name, answer] of Object.entries(framings)) {
    test(`${name} comes to a client that stops reading again and again as it was sent`, async () => {
      const server = await backend((_request, { socket }) => {
        socket.write(answer());
        return undefined;
      });
      const caller = await proxy({ instances: [server.port] });
      const [received, stops] = await readSlowly(
        caller.port,
        "GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n",
      );
      const { response } = readResponse(received.toString("latin1"), "GET", true);
      assert.equal(response.status, 200);
      assert.equal(response.body.length, body.length);
      assert.equal(digest(Buffer.from(response.body, "latin1")), digest(body));
      assert.ok(stops > 3, "it has kept the proxy waiting");
      await eventually(() => caller.cluster.hosts.every((host) => host.activeRequests === 0));
    });
  }
});

test("a small piece that has to wait keeps no buffer, a large one does", async (t) => {
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  t.after(() => {
    for (const end of [socket, ...accepted]) end.destroy();
    server.close();
  });
  const writer = new MessageWriter(socket, 1);
  const held = (bytes: number): boolean => {
    writer.data(Buffer.alloc(bytes), false);
    return writer.takeHold();
  };
  writer.head("HTTP/1.1 200 OK\r\n\r\n", "until-close");
  assert.equal(held(20_000), false, "has left at once");
  while (socket.writableLength === 0) held(100_000);
  assert.deepEqual([held(100), held(10_000), held(20_000)], [false, false, true]);
});
