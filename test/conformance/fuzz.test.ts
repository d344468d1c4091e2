import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { standstill } from "../harness/index.ts";
import { ok } from "../harness/raw-backend.ts";
import type { RawClient } from "../harness/raw-client.ts";
import {
  fieldOf,
  fieldsOf,
  Incomplete,
  Malformed,
  type ReadRequest,
  type ReadResponse,
  readRequest,
  readResponse,
} from "../harness/strict-reader.ts";
import { CodecProxy } from "./codec-proxy.ts";
import { mutate } from "./mutation.ts";
import { Random } from "./random.ts";

/**
 * The proxy against a second reading of the same bytes. Whatever clients and servers send, cut wherever it may be:
 *  - the backend gets the requests that the strict reading finds, in their order, and no other;
 *  - the client gets the answer to each of its requests, or a refusal and then nothing, or an end that shows;
 *  - one client's bytes never turn up in what another gets.
 * The seed is fixed, so a failure comes again; LATEEN_FUZZ_SEED and LATEEN_FUZZ_CASES look further.
 */

const SEED = Number(process.env["LATEEN_FUZZ_SEED"] ?? 20_240_229);
const CASES = Number(process.env["LATEEN_FUZZ_CASES"] ?? 1_500);

const FRAMINGS = [
  "\r\n",
  "Content-Length: 0\r\n\r\n",
  "Content-Length: 5\r\n\r\nhello",
  "Content-Length: 12\r\n\r\nGET /\r\n\r\n0\r\n",
  "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  'transfer-encoding: Chunked\r\n\r\n3;a="b"\r\nhel\r\n02\r\nlo\r\n00\r\nX-Sum: 1\r\n\r\n',
] as const;

function validRequest(random: Random): string {
  const line = random.pick(["GET /a", "POST /b?c=d", "PUT http://other:81/e", "OPTIONS *", "HEAD /f", "X-Any /g;h"]);
  const fields = ["Host: a:80\r\n", "X-Some: thing, else\r\n", "Accept:\t*/*\r\n"]
    .slice(0, 1 + random.below(3))
    .join("");
  return `${line} HTTP/1.1\r\n${fields}${random.pick(FRAMINGS)}`;
}

function validStream(random: Random): string {
  return Array.from({ length: 1 + random.below(3) }, () => validRequest(random)).join("");
}

/** What the backend is to see of a request. */
function meaning(request: ReadRequest): string {
  const absolute = /^https?:\/\/([^/?]+)(.*)$/i.exec(request.target);
  const host = (absolute?.[1] ?? fieldOf(request, "host") ?? "").replace(/:$/, "");
  const path = absolute === null ? request.target : originForm(absolute[2] ?? "", request.method);
  return JSON.stringify([request.method, path, host, request.body]);
}

function originForm(rest: string, method: string): string {
  if (rest === "" && method === "OPTIONS") return "*";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

interface Reading {
  readonly requests: readonly ReadRequest[];
  /** Whether what follows them can only be refused. */
  readonly refused: boolean;
}

function readAll(text: string): Reading {
  const requests: ReadRequest[] = [];
  let rest = text;
  try {
    while (rest !== "") {
      const { request, length } = readRequest(rest);
      rest = rest.slice(length);
      requests.push(request);
      const options = fieldsOf(request, "connection").flatMap((value) => value.toLowerCase().split(/[ \t]*,[ \t]*/));
      if (options.includes("close")) return { requests, refused: true };
    }
  } catch (error) {
    if (error instanceof Malformed) return { requests, refused: true };
    if (!(error instanceof Incomplete)) throw error;
  }
  return { requests, refused: false };
}

/** The next answer that is not an interim one; undefined when the connection ended before it was whole. */
async function finalResponse(client: RawClient, method: string): Promise<ReadResponse | undefined> {
  try {
    for (;;) {
      const response = await client.response(method);
      if (response.status >= 200) return response;
    }
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    throw error;
  }
}

describe("requests", () => {
  let proxy: CodecProxy;
  before(async () => {
    proxy = await CodecProxy.start({ answer: (request) => ok(meaning(request)) });
  });
  after(() => proxy.close());

  /** Sends the pieces, each in a read of its own as far as that can be had, and checks all that comes of it. */
  async function check(pieces: readonly string[]): Promise<void> {
    const { backend } = proxy;
    const { requests, refused } = readAll(pieces.join(""));
    const seenBefore = backend.requests.length;
    const client = await proxy.client();
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await nextTurn();
      if (!client.ended) client.send(piece);
    }
    let isRefused = false;
    for (const request of requests) {
      const response = await finalResponse(client, request.method);
      assert.ok(response !== undefined, "an answer is missing");
      // The proxy may be stricter than the reading, if it then reads no further.
      isRefused = fieldOf(response, "connection") === "close" && response.status >= 400;
      if (isRefused) break;
      assert.equal(response.status, 200);
      if (request.method !== "HEAD") assert.equal(response.body, meaning(request));
    }
    if (!refused && !isRefused) client.socket.end();
    const rest = await client.untilClosed();
    if (rest !== "") assert.ok(readResponse(rest, "HEAD", true).response.status >= 400, rest);
    await nextTurn();
    const seen = backend.requests.slice(seenBefore).map(meaning);
    const due = requests.map(meaning);
    assert.deepEqual(seen, isRefused ? due.slice(0, seen.length) : due);
    assert.deepEqual(backend.faults, []);
    client.close();
  }

  async function explain(pieces: readonly string[], note: string): Promise<void> {
    try {
      await check(pieces);
    } catch (error) {
      throw new Error(`${note}: ${JSON.stringify(pieces)}: ${error}`, { cause: error });
    }
  }

  test("are the same wherever they are cut", async () => {
    const random = new Random(SEED);
    for (const framing of FRAMINGS) {
      const text = `POST http://b/c HTTP/1.1\r\nHost: a\r\n${framing}GET /d HTTP/1.1\r\nHost: e\r\n\r\n`;
      for (let at = 1; at < text.length; at++) await explain([text.slice(0, at), text.slice(at)], `cut at ${at}`);
      await explain([...text], "byte by byte");
      await explain([...validStream(random)], "byte by byte");
    }
  });

  test(`are those of a strict reading, whatever is done to them (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    for (let i = 0; i < CASES; i++) {
      const text = mutate(validStream(random), random);
      const cut = random.below(text.length + 1);
      await explain(random.next() < 0.5 ? [text] : [text.slice(0, cut), text.slice(cut)], `case ${i}`);
    }
    assert.ok(proxy.backend.requests.length > CASES / 4, "most cases got nowhere");
  });

  test("in long runs are bounded whatever they are", async () => {
    const random = new Random(SEED);
    for (let i = 0; i < 10; i++) {
      const client = await proxy.client();
      const text = mutate(validRequest(random), random).repeat(1 + random.below(2_000));
      const seenBefore = proxy.backend.requests.length;
      client.send(text);
      await standstill(() => client.received.length, 50);
      const due = readAll(text).requests.length;
      assert.ok(proxy.backend.requests.length - seenBefore <= due, text.slice(0, 300));
      client.close();
    }
    assert.deepEqual(proxy.backend.faults, []);
  });
});

const ANSWERS = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
  "HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n",
] as const;

/** What the strict reading makes of what a server says, to its end. */
function finalOf(text: string): ReadResponse | undefined {
  let rest = text;
  try {
    for (;;) {
      const { response, length } = readResponse(rest, "GET", true);
      if (response.status === 101) return undefined;
      if (response.status >= 200) return response;
      rest = rest.slice(length);
    }
  } catch (error) {
    if (error instanceof Malformed || error instanceof Incomplete) return undefined;
    throw error;
  }
}

describe("answers", () => {
  test(`are those of a strict reading, whatever is done to them (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    let text = "";
    let cut = 0;
    const proxy = await CodecProxy.start({
      answer: ({ target }, { socket }) => {
        if (target === "/next") return ok("next");
        socket.write(text.slice(0, cut), "latin1");
        setImmediate(() => socket.end(text.slice(cut), "latin1"));
        return undefined;
      },
    });
    let whole = 0;
    try {
      for (let i = 0; i < CASES / 3; i++) {
        text = mutate(random.pick(ANSWERS), random);
        cut = random.below(text.length + 1);
        if (await answered(proxy, finalOf(text), `case ${i}: ${JSON.stringify([text, cut])}`)) whole++;
      }
    } finally {
      await proxy.close();
    }
    assert.ok(whole > CASES / 30, "most cases got nowhere");
  });

  async function answered(proxy: CodecProxy, due: ReadResponse | undefined, note: string): Promise<boolean> {
    let client = await proxy.client();
    client.head("GET / HTTP/1.1", "Host: a");
    const response = await finalResponse(client, "GET");
    const isOwn = response === undefined || (response.status >= 502 && response.body.includes("upstream"));
    if (!isOwn) assert.deepEqual([response.status, response.body], [due?.status, due?.body], note);
    // The same connection where it goes on, and every other, is as if nothing had been.
    if (client.ended) {
      client.close();
      client = await proxy.client();
    }
    client.head("GET /next HTTP/1.1", "Host: a");
    assert.equal((await finalResponse(client, "GET"))?.body, "next", note);
    client.close();
    return !isOwn;
  }
});
