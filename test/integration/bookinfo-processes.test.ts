import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../samples/bookinfo/src/main.js", import.meta.url));
const running: ChildProcess[] = [];
const servers: Server[] = [];

after(async () => {
  for (const child of running) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const server of servers) server.close().closeAllConnections();
});

async function start(
  name: string,
  env: Record<string, string> = {},
): Promise<{ child: ChildProcess; port: number; host: string }> {
  const child = spawn(process.execPath, [MAIN, name], {
    env: { PORT: "0", LATEEN_EXIT_WITH_PARENT: "1", ...env },
    stdio: ["pipe", "pipe", "ignore"],
  });
  running.push(child);
  const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line")) as [string];
  const ready = JSON.parse(line) as { ready: boolean; ports: { http: number } };
  assert.equal(ready.ready, true);
  return { child, port: ready.ports.http, host: `127.0.0.1:${ready.ports.http}` };
}

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function page(host: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`http://${host}/productpage`, { headers });
  assert.equal(response.status, 200);
  return response.text();
}

test("the four services make one page, with the stars of their version of reviews", async () => {
  const ratings = await start("ratings");
  const details = await start("details");
  for (const [version, env, star] of [
    ["v1", {}, undefined],
    ["v2", { ENABLE_RATINGS: "true" }, "black"],
    ["v3", { ENABLE_RATINGS: "true", STAR_COLOR: "red" }, "red"],
  ] as const) {
    const reviews = await start("reviews", { SERVICE_VERSION: version, RATINGS: ratings.host, ...env });
    const productpage = await start("productpage", {
      DETAILS: details.host,
      REVIEWS: reviews.host,
      RATINGS: ratings.host,
    });
    const html = await page(productpage.host);
    assert.match(html, /1234567890/);
    assert.match(html, /slapstick humour is refreshing/);
    assert.equal(/<font color="(\w+)">/.exec(html)?.[1], star);
    const products = await (await fetch(`http://${productpage.host}/api/v1/products/0/ratings`)).json();
    assert.deepEqual(products, { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
  }
});

test("with HTTP_PROXY every call goes to the proxy in absolute form, on kept connections", async () => {
  const seen: { url: string | undefined; host: string | undefined; cookie: string | undefined }[] = [];
  const sockets = new Set<unknown>();
  const proxy = await serve((req, res) => {
    seen.push({ url: req.url, host: req.headers.host, cookie: req.headers.cookie });
    sockets.add(req.socket);
    res.end(req.url?.includes("/reviews/") ? '{"id":"0","reviews":[]}' : '{"id":0,"author":"A. Writer"}');
  });
  const productpage = await start("productpage", { HTTP_PROXY: `http://${proxy}` });
  assert.match(await page(productpage.host, { cookie: "user=jason" }), /A\. Writer/);
  await page(productpage.host);
  assert.deepEqual(seen, [
    { url: "http://details:9080/details/0", host: "details:9080", cookie: "user=jason" },
    { url: "http://reviews:9080/reviews/0", host: "reviews:9080", cookie: "user=jason" },
    { url: "http://details:9080/details/0", host: "details:9080", cookie: undefined },
    { url: "http://reviews:9080/reviews/0", host: "reviews:9080", cookie: undefined },
  ]);
  assert.equal(sockets.size, 1);
});

test("a kept connection that the other side closed costs no request", async () => {
  let answered = 0;
  const details = await serve((req, res) => {
    // Answers once a connection and cuts it as the next request arrives.
    if (req.socket.bytesWritten > 0) req.socket.destroy();
    else res.end(`{"id":0,"author":"answer ${++answered}"}`);
  });
  const productpage = await start("productpage", { DETAILS: details });
  for (let i = 1; i <= 5; i++) {
    const response = await fetch(`http://${productpage.host}/api/v1/products/0`);
    assert.deepEqual(await response.json(), { id: 0, author: `answer ${i}` });
  }
});

test("reviews that never come make a page of six seconds that says so", async () => {
  let asked = 0;
  const reviews = await serve(() => asked++);
  const details = await start("details");
  const productpage = await start("productpage", { DETAILS: details.host, REVIEWS: reviews });
  const startedMs = performance.now();
  const html = await page(productpage.host);
  const tookMs = performance.now() - startedMs;
  assert.match(html, /Error fetching product reviews!/);
  assert.match(html, /Sorry, product reviews are currently unavailable for this book\./);
  assert.equal(asked, 2);
  assert.ok(tookMs > 5_900 && tookMs < 8_000, `${tookMs} ms`);
});

test("unknown paths, other methods and oversized bodies are refused", async () => {
  const { host } = await start("ratings");
  assert.equal((await fetch(`http://${host}/nothing`)).status, 404);
  assert.equal((await fetch(`http://${host}/ratings/0`, { method: "POST", body: "{}" })).status, 405);
  assert.equal((await fetch(`http://${host}/ratings/%E0%A4%A`)).status, 400);
  const productpage = await start("productpage");
  const response = await fetch(`http://${productpage.host}/login`, { method: "POST", body: "x".repeat(70_000) });
  assert.equal(response.status, 413);
});

test("SIGTERM lets a running request finish", async () => {
  const details = await serve((_req, res) => setTimeout(() => res.end('{"id":0}'), 300));
  const { child, port } = await start("productpage", { DETAILS: details });
  const answer = new Promise<number | undefined>((resolve, reject) => {
    request({ port, path: "/api/v1/products/0" }, (response) => resolve(response.resume().statusCode))
      .on("socket", (socket) => socket.once("connect", () => setTimeout(() => child.kill("SIGTERM"), 100)))
      .on("error", reject)
      .end();
  });
  assert.equal(await answer, 200);
  const [code] = child.exitCode === null ? ((await once(child, "exit")) as [number]) : [child.exitCode];
  assert.equal(code, 0);
});

test("a service ends when its parent is gone", async () => {
  const { child } = await start("details");
  child.stdin?.end();
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
});

test("bad settings and an unknown service end the process with code 64", async () => {
  for (const [name, env] of [
    ["nothing", {}],
    ["ratings", { PORT: "none" }],
  ] as const) {
    const child = spawn(process.execPath, [MAIN, name], { env, stdio: "ignore" });
    assert.deepEqual(await once(child, "exit"), [64, null]);
  }
});
