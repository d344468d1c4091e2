import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveAddress } from "../../cli/connection.ts";
import type { CliIo } from "../../cli/io.ts";
import { cliIo } from "../harness/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-cli-"));
after(() => rmSync(folder, { recursive: true }));

const io = (env: Record<string, string> = {}, cwd = folder): CliIo => cliIo({ env: { HOME: folder, ...env }, cwd });

const STORED = { natsUrl: "nats://stored:1", user: "operator", password: "secret", prefix: "other" };

test("without anything said it is the server on this machine", () => {
  assert.deepEqual(resolveAddress({}, io()), {
    natsUrl: "nats://127.0.0.1:4222",
    user: undefined,
    password: undefined,
    prefix: "mesh",
  });
});

test("a flag wins over the environment", () => {
  const env = { NATS_URL: "nats://env:1", NATS_USER: "env", NATS_PASSWORD: "p", MESH_PREFIX: "env" };
  assert.deepEqual(resolveAddress({ natsUrl: "nats://flag:1", meshPrefix: "flag" }, io(env)), {
    natsUrl: "nats://flag:1",
    user: "env",
    password: "p",
    prefix: "flag",
  });
});

test("a context file gives address and credentials, but never credentials to another server", () => {
  const file = join(folder, "context.json");
  writeFileSync(file, JSON.stringify(STORED));
  assert.deepEqual(resolveAddress({}, io({ LATEEN_CONTEXT_FILE: file })), STORED);
  assert.deepEqual(resolveAddress({ meshPrefix: "x" }, io({ LATEEN_CONTEXT_FILE: file })), { ...STORED, prefix: "x" });
  const elsewhere = resolveAddress({}, io({ LATEEN_CONTEXT_FILE: file, NATS_URL: "nats://elsewhere:1" }));
  assert.deepEqual(elsewhere, { natsUrl: "nats://elsewhere:1", user: undefined, password: undefined, prefix: "mesh" });
});

test("the demo of the working folder is found", () => {
  const cwd = join(folder, "clone");
  mkdirSync(join(cwd, ".demo"), { recursive: true });
  writeFileSync(join(cwd, ".demo/context.json"), JSON.stringify(STORED));
  assert.deepEqual(resolveAddress({}, io({}, cwd)), STORED);
});

test("contexts have names, and an unknown one is refused with those that exist", () => {
  const home = join(folder, "home");
  mkdirSync(join(home, ".config/lateen"), { recursive: true });
  writeFileSync(
    join(home, ".config/lateen/contexts.json"),
    JSON.stringify({ current: "a", contexts: { a: STORED, b: { natsUrl: "nats://b:1" } } }),
  );
  assert.deepEqual(resolveAddress({}, io({ HOME: home })), STORED);
  assert.equal(resolveAddress({ context: "b" }, io({ HOME: home })).natsUrl, "nats://b:1");
  assert.throws(
    () => resolveAddress({}, io({ HOME: home, LATEEN_CONTEXT: "c" })),
    /no context "c" in .*; did you mean a\? there are a, b/,
  );
  assert.throws(() => resolveAddress({ context: "c" }, io()), /there is no .*contexts\.json/);
});

test("a file that is no JSON object is named", () => {
  const file = join(folder, "broken.json");
  for (const text of ["{", "[1"]) {
    writeFileSync(file, text);
    assert.throws(() => resolveAddress({}, io({ LATEEN_CONTEXT_FILE: file })), /cannot read .*broken\.json/);
  }
});
