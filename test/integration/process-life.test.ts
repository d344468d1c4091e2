import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "lateen-process-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Runs a process whose app is the given expression, sends SIGTERM once it says "starting", and returns its exit code. */
async function exitCodeOf(app: string): Promise<number | null> {
  const file = join(folder, "main.mjs");
  const obs = new URL("../../shared/obs/index.js", import.meta.url);
  await writeFile(
    file,
    `import { runProcess } from "${obs}";
await runProcess({ env: {}, argv: [], parse: () => ({}), build: () => (${app}) });`,
  );
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  return await new Promise((resolve) => child.once("exit", resolve));
}

test("a process that is told to end while it starts drains, whatever becomes of the start", async () => {
  const app = `(() => {
    let fail;
    const aborted = new Promise((_, reject) => { fail = reject; });
    return {
      start: () => { console.log("starting"); setInterval(() => {}, 1000); return aborted; },
      stop: async () => { fail(new Error("aborted")); await new Promise((resolve) => setTimeout(resolve, 50)); },
    };
  })()`;
  assert.equal(await exitCodeOf(app), 0);
});
