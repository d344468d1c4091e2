import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { resolveAddress } from "../../cli/connection.ts";
import { type CliOutcome, cliIo, runLateen } from "../harness/cli.ts";

const home = mkdtempSync(join(tmpdir(), "lateen-context-"));
const folder = join(home, ".config/lateen");
const file = join(folder, "contexts.json");
after(() => rmSync(home, { recursive: true }));
beforeEach(() => rmSync(folder, { recursive: true, force: true }));

const lateen = (line: string, stdin = ""): Promise<CliOutcome> =>
  runLateen(line.split(" "), { env: { HOME: home }, cwd: home, stdin });

test("the first context becomes the current one, others when asked to, and all commands go there", async () => {
  const first = await lateen("context set a --nats-url nats://a:1 --nats-user me --password-stdin", "secret\n");
  assert.deepEqual(first, { code: 0, out: "Created context a, the current one", err: "" });
  await lateen("context set b --nats-url nats://b:1 --mesh-prefix two");
  const address = () => resolveAddress({}, cliIo({ env: { HOME: home }, cwd: home }));
  assert.deepEqual(address(), { natsUrl: "nats://a:1", user: "me", password: "secret", prefix: "mesh" });
  assert.equal((await lateen("context use b")).out, "Switched to context b");
  assert.deepEqual(address(), { natsUrl: "nats://b:1", user: undefined, password: undefined, prefix: "two" });
  assert.match(
    (await lateen("context list")).out,
    /^CURRENT +NAME +SERVER .*\n +a +nats:\/\/a:1 +me +mesh\n\* +b +nats:\/\/b:1/,
  );
});

test("the file is its owner's, and nothing else is left beside it", async () => {
  await lateen("context set a --nats-url nats://a:1 --nats-password secret");
  assert.deepEqual([statSync(file).mode & 0o777, statSync(folder).mode & 0o777], [0o600, 0o700]);
  assert.deepEqual(readdirSync(folder), ["contexts.json"]);
});

test("a change keeps what it does not name, and passwords are never shown", async () => {
  await lateen("context set a --nats-url nats://a:1 --nats-password secret");
  assert.equal((await lateen("context set a --nats-user you")).out, "Changed context a, the current one");
  const shown = await lateen("context show -o json");
  assert.deepEqual(JSON.parse(shown.out), { name: "a", natsUrl: "nats://a:1", user: "you", password: "(set)" });
  for (const line of ["context show", "context list", "context list -o json"])
    assert.ok(!(await lateen(line)).out.includes("secret"), line);
});

test("a login within an address is not shown either", async () => {
  await lateen("context set a --nats-url nats://me:hidden@a:1");
  for (const line of ["context show", "context show -o json", "context list", "context list -o json"]) {
    const { out } = await lateen(line);
    assert.ok(!out.includes("hidden") && out.includes("nats://a:1"), line);
  }
});

test("a credentials file is read each time; what stands beside it wins", async () => {
  const credentials = join(home, "credentials.env");
  writeFileSync(credentials, "NATS_URL=nats://c:1\nNATS_USER=operator\nNATS_PASSWORD=old\n");
  await lateen("context set c --credentials credentials.env --nats-user other");
  writeFileSync(credentials, "NATS_URL=nats://c:1\nNATS_USER=operator\nNATS_PASSWORD=new\n");
  assert.deepEqual(resolveAddress({ context: "c" }, cliIo({ env: { HOME: home } })), {
    natsUrl: "nats://c:1",
    user: "other",
    password: "new",
    prefix: "mesh",
  });
});

test("a context that a flag names is taken whole, whatever the environment says", async () => {
  await lateen("context set a --nats-url nats://a:1");
  const env = { HOME: home, NATS_URL: "nats://env:1", NATS_USER: "env", NATS_PASSWORD: "secret" };
  const address = resolveAddress({ context: "a" }, cliIo({ env }));
  assert.deepEqual(address, { natsUrl: "nats://a:1", user: undefined, password: undefined, prefix: "mesh" });
  assert.throws(
    () => resolveAddress({ context: "a", natsUrl: "nats://x:1" }, cliIo({ env })),
    /either --nats-url or --context/,
  );
});

test("deleting the current context leaves none current", async () => {
  await lateen("context set a --nats-url nats://a:1");
  const deleted = await lateen("context delete a");
  assert.deepEqual([deleted.code, deleted.out], [0, "Deleted context a"]);
  assert.match(deleted.err, /No context is current/);
  assert.match((await lateen("context list")).out, /^No contexts/);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { contexts: {} });
});

for (const [line, message] of [
  ["context use nowhere", /there is no .*contexts\.json; make one with lateen context set/],
  ["context set a --nats-user me", /give --nats-url or --credentials/],
  ["context set ../a --nats-url nats://a:1", /no name for a context/],
  ["context set a --nats-url u --nats-password p --password-stdin", /either --nats-password or --password-stdin/],
  ["context show", /no context is current/],
  ["context delete x", /no .*contexts\.json/],
] as const) {
  test(`refused: ${line}`, async () => {
    const { code, err } = await lateen(line);
    assert.match(err, message);
    assert.equal(code, 2);
  });
}

test("a broken file is named and not overwritten", async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, "{ broken");
  const { code, err } = await lateen("context set a --nats-url nats://a:1");
  assert.deepEqual([code, /cannot read .*contexts\.json/.test(err)], [2, true]);
  assert.equal(readFileSync(file, "utf8"), "{ broken");
});

test("what changes contexts says so in JSON too, without a password", async () => {
  const json = async (line: string): Promise<unknown> => JSON.parse((await lateen(line)).out);
  assert.deepEqual(await json("context set a --nats-url nats://u:secret@a:1 --nats-password secret -o json"), {
    name: "a",
    current: true,
    natsUrl: "nats://a:1",
    password: "(set)",
  });
  assert.deepEqual(await json("context set b --nats-url nats://b:1 -o json"), {
    name: "b",
    current: false,
    natsUrl: "nats://b:1",
  });
  assert.deepEqual(await json("context use b -o json"), { name: "b", current: true, natsUrl: "nats://b:1" });
  assert.deepEqual(await json("context delete b -o json"), { deleted: ["b"], current: null });
});
