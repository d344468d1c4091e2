import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { componentHelp } from "../../cli/commands/component.ts";
import { MIXER_SETTINGS } from "../../services/mixer/config.ts";
import { runLateen } from "../harness/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-cli-"));
after(() => rmSync(folder, { recursive: true }));

const lateen = (...args: string[]) => runLateen(args, { env: { HOME: folder }, cwd: folder });

test("version and help end with 0", async () => {
  assert.match((await lateen("version")).out, /^lateen \d+\.\d+\.\d+ \(node v/);
  const help = await lateen("--help");
  assert.equal(help.code, 0);
  for (const command of [
    "apply",
    "create",
    "get",
    "delete",
    "proxy-status",
    "telemetry",
    "bus-config",
    "pilot",
    "mixer",
    "ca",
    "proxy",
  ]) {
    assert.match(help.out, new RegExp(`^  ${command}[ |]`, "m"));
  }
});

test("a component's help names every setting with its flag, variable and default", async () => {
  const help = await componentHelp("mixer");
  assert.match(help, /^Usage: lateen mixer \[settings\]/);
  for (const { flag, env } of Object.values(MIXER_SETTINGS))
    assert.ok(help.includes(`  ${flag} <`) && help.includes(env));
  assert.match(help, /--redis-timeout-ms <duration> {2}\(REDIS_TIMEOUT_MS; default: 40 ms\)/);
});

for (const [args, message] of [
  [["nonsense"], /unknown command/],
  [["apply"], /filename not specified/],
  [["apply", "-f", "/nowhere.yaml"], /cannot read \/nowhere\.yaml/],
  [["apply", "-f", "-", "--timeout", "soon"], /such as 500ms, 15s/],
  [["get"], /specify the type of resource to get\. Types are virtualservice, /],
  [["get", "route-rule"], /"route-rule" not recognized\. Please use non-hyphenated resource name "routerule"/],
  [["get", "spaceship"], /configuration type spaceship not found/],
  [["get", "routerule", "-o", "xml"], /unknown output format xml\. Types are short\|wide\|yaml\|json\|name/],
  [["delete"], /provide configuration type and name or -f option/],
  [["delete", "routerule"], /provide configuration type and name or -f option/],
  [["create", "-f", "-"], /nothing to create/],
  [["telemetry", "--count", "none"], /number of at least 1/],
  [["bus-config"], /--out/],
] as const) {
  test(`a wrong command line ends with 2 and says why: ${args.join(" ")}`, async () => {
    const { code, err } = await lateen(...args);
    assert.match(err, message);
    assert.equal(code, 2);
  });
}

test("a namespace that differs from the document's is refused before anything is sent", async () => {
  const file = join(folder, "rule.yaml");
  writeFileSync(file, "kind: RouteRule\nmetadata: {name: a, namespace: one}\nspec: {}\n");
  const { code, err } = await lateen("apply", "-f", file, "-n", "two");
  assert.equal(code, 2);
  assert.match(err, /the namespace from the provided object "one" does not match the namespace "two"/);
});

test("a server that is not there is a failure that names it", async () => {
  const { code, err } = await lateen("get", "routerule", "--nats-url", "nats://127.0.0.1:1");
  assert.equal(code, 1);
  assert.match(err, /cannot connect to nats:\/\/127\.0\.0\.1:1/);
});

test("bus-config gives each user a folder and keeps passwords that are there", async () => {
  const out = join(folder, "bus");
  mkdirSync(out);
  const args = ["bus-config", "--out", out, "--workload", "default/a/b", "--workload", "istio-system/g/g:gateway"];
  assert.equal((await lateen(...args)).code, 0);
  assert.deepEqual(readdirSync(out).sort(), [
    "ca",
    "mixer",
    "nats",
    "operator",
    "pilot",
    "w.default.a.b",
    "w.istio-system.g.g",
  ]);
  const before = readFileSync(join(out, "pilot/credentials.env"), "utf8");
  assert.match(
    before,
    /^NATS_URL=nats:\/\/127\.0\.0\.1:4222\nNATS_USER=pilot\nNATS_PASSWORD=[0-9a-f]{48}\nMESH_PREFIX=mesh\n$/,
  );
  assert.equal(statSync(join(out, "pilot/credentials.env")).mode & 0o777, 0o600);
  const config = readFileSync(join(out, "nats/nats.conf"), "utf8");
  assert.ok(config.includes(/NATS_PASSWORD=(\w+)/.exec(before)?.[1] ?? "missing"));
  assert.equal((await lateen(...args, "--workload", "default/c/d")).code, 0);
  assert.equal(readFileSync(join(out, "pilot/credentials.env"), "utf8"), before);
  assert.ok(readdirSync(out).includes("w.default.c.d"));
});

test("Ctrl-C while something is waited for is told as that, not as an error of its own", async () => {
  const interrupted = new AbortController();
  interrupted.abort();
  const { code, err } = await runLateen(["get", "vs", "--nats-url", "nats://127.0.0.1:1"], {
    signal: interrupted.signal,
  });
  assert.equal(code, 1);
  assert.match(err, /^Interrupted; what was accepted stays accepted\.$/m);
  assert.doesNotMatch(err, /Error:/);
});
