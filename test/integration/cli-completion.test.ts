import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runLateen } from "../harness/cli.ts";
import { type NatsFixture, startNats } from "../harness/index.ts";
import { type PilotFixture, startPilot } from "../harness/pilot.ts";

/** The completion scripts in real shells, against a real Pilot. */
const run = promisify(execFile);
const LATEEN = fileURLToPath(new URL("../../../scripts/lateen.js", import.meta.url));

let nats: NatsFixture;
let pilot: PilotFixture;
let folder: string;
let env: Record<string, string>;

before(async () => {
  nats = await startNats();
  pilot = await startPilot(nats);
  folder = await mkdtemp(join(tmpdir(), "lateen-completion-"));
  const program = join(folder, "lateen");
  await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${LATEEN} "$@"\n`);
  await chmod(program, 0o755);
  env = {
    PATH: `${folder}${delimiter}${process.env["PATH"]}`,
    HOME: folder,
    NATS_URL: nats.url,
    NATS_USER: "operator",
    NATS_PASSWORD: nats.password("operator"),
  };
  const rules = ["reviews-default", "reviews-test"].map(
    (name) =>
      `---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: ${name}, namespace: default}\nspec: {destination: {name: reviews}, precedence: 1}\n`,
  );
  assert.equal((await runLateen(["apply", "-f", "-"], { env, stdin: rules.join("") })).code, 0);
});

after(async () => {
  await pilot.remove();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What bash offers after these words, taken apart as bash does it. */
async function inBash(...words: string[]): Promise<string[]> {
  const script = `source <(lateen completion bash)
COMP_WORDS=(${["lateen", ...words].map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length}
_lateen
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["--norc", "--noprofile", "-c", script], { env, cwd: folder });
  return stdout.split("\n").filter((line) => line !== "");
}

test("bash completes commands, flags and their values", async () => {
  assert.deepEqual(await inBash("rollb"), ["rollback"]);
  assert.deepEqual(await inBash("get", "--watch-"), ["--watch-only"]);
  assert.deepEqual(await inBash("get", "-o", "y"), ["yaml"]);
  assert.deepEqual(await inBash("get", "--output", "=", "y"), ["yaml"], "bash takes --output=y apart");
});

test("bash completes the names of what is in the mesh", async () => {
  assert.deepEqual(await inBash("get", "routerule", "reviews-t"), ["reviews-test"]);
  assert.deepEqual(await inBash("delete", "routerule", ""), ["reviews-default", "reviews-test"]);
  assert.deepEqual(await inBash("get", "routerule", "-n", "other", ""), []);
});

test("bash completes files where a file is meant", async () => {
  await writeFile(join(folder, "some rule.yaml"), "");
  assert.deepEqual(await inBash("apply", "-f", "some"), ["some rule.yaml"]);
});

/** Undefined where the shell is not installed. */
async function inShell(shell: string, ...args: string[]): Promise<string | undefined> {
  try {
    return (await run(shell, args, { env, cwd: folder })).stdout;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
}

for (const shell of ["zsh", "fish"] as const) {
  test(`the script of ${shell} is readable by it, where it is installed`, async () => {
    const { code, out } = await runLateen(["completion", shell]);
    assert.equal(code, 0);
    assert.match(out, /lateen/);
    const file = join(folder, `completion.${shell}`);
    await writeFile(file, out);
    await inShell(shell, "-n", file);
  });
}

test("fish completes commands, values and names with their explanations, where it is installed", async () => {
  const { out } = await runLateen(["completion", "fish"]);
  const file = join(folder, "lateen.fish");
  await writeFile(file, out);
  const offered = (line: string) => inShell("fish", "-c", `source ${file}; complete -C "${line}"`);
  const names = await offered("lateen get routerule reviews-t");
  if (names === undefined) return;
  assert.equal(names, "reviews-test\n");
  assert.match((await offered("lateen rollb")) ?? "", /^rollback\tmake an earlier revision/);
  assert.equal(await offered("lateen get --output=y"), "--output=yaml\n");
});
