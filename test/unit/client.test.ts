import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BoundedQueue } from "../../client/bounded-queue.ts";
import { ConfigError, settingsFromEnv, settingsFromFile } from "../../client/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-client-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test("settings come from the environment, a credentials file or a context", () => {
  const settings = { servers: "nats://a:1", user: "operator", password: "p=q", prefix: "m" };
  const env = { NATS_URL: "nats://a:1", NATS_USER: "operator", NATS_PASSWORD: "p=q", MESH_PREFIX: "m" };
  assert.deepEqual(settingsFromEnv({ ...env, HOME: "/" }), settings);
  assert.deepEqual(settingsFromEnv({ NATS_URL: "" }), {});
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  assert.deepEqual(settingsFromFile(file("credentials.env", `# mine\n\n${lines.join("")}`)), settings);
  const { servers: natsUrl, ...rest } = settings;
  assert.deepEqual(settingsFromFile(file("context.json", JSON.stringify({ natsUrl, ...rest }))), settings);
});

test("a settings file that is none is named", () => {
  for (const name of ["none.env", file("a.json", "{"), file("b.env", "what is this")])
    assert.throws(() => settingsFromFile(name), ConfigError);
});

test("a queue gives what was pushed, in order, and waits for more", async () => {
  const queue = new BoundedQueue<number>(10);
  queue.push(1);
  queue.push(2);
  assert.deepEqual(
    [await queue.next(), await queue.next()].map(({ value }) => value),
    [1, 2],
  );
  const third = queue.next();
  queue.push(3);
  assert.deepEqual(await third, { done: false, value: 3 });
});

test("a full queue drops the oldest and counts", async () => {
  const queue = new BoundedQueue<number>(3);
  for (let i = 0; i < 10; i++) queue.push(i);
  queue.close();
  const read: number[] = [];
  for await (const value of queue) read.push(value);
  assert.deepEqual([read, queue.dropped], [[7, 8, 9], 7]);
});

test("closing lets what is there be read, leaving the loop does not, and both tell the owner once", async () => {
  let closed = 0;
  const queue = new BoundedQueue<number>(3, () => closed++);
  for (let i = 0; i < 3; i++) queue.push(i);
  for await (const value of queue) if (value === 1) break;
  queue.close();
  queue.push(4);
  assert.deepEqual([await queue.next(), closed, queue.length], [{ done: true, value: undefined }, 1, 0]);
});

test("a failure reaches the reader after what came before it, or at once when it waits", async () => {
  const queue = new BoundedQueue<number>(3);
  queue.push(1);
  queue.fail(new Error("broken"));
  assert.equal((await queue.next()).value, 1);
  await assert.rejects(queue.next(), /broken/);
  assert.equal((await queue.next()).done, true);
  const waiting = new BoundedQueue<number>(3);
  const next = waiting.next();
  waiting.fail(new Error("broken"));
  await assert.rejects(next, /broken/);
});
