import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type DemoState, readState } from "../../samples/bookinfo/demo/state.ts";
import { eventually } from "../harness/index.ts";

const LAUNCHER = fileURLToPath(new URL("../../samples/bookinfo/demo/main.js", import.meta.url));

interface Launched {
  readonly child: ChildProcess;
  readonly demoDir: string;
  output(): string;
}

function launch(...args: string[]): Launched {
  const demoDir = mkdtempSync(join(tmpdir(), "lateen-demo-"));
  const child = spawn(process.execPath, ["--enable-source-maps", LAUNCHER, "--dir", demoDir, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  return { child, demoDir, output: () => text };
}

/** The demo's processes that still run: a pid alone could by now be somebody else's. */
function survivors({ components }: DemoState): string[] {
  return components.filter(({ pid }) => isDemoProcess(pid)).map(({ name, pid }) => `${name} (${pid})`);
}

function isDemoProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return /\/services\/|\/samples\/|nats-server|redis-server/.test(command);
  } catch {
    return process.platform !== "linux";
  }
}

function stateOf(demoDir: string): DemoState {
  const state = readState(demoDir);
  assert.ok(state !== undefined, "no state.json was written");
  return state;
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

test("the tour holds, takes at most three minutes, and leaves no process", { timeout: 280_000 }, async () => {
  const launched = launch("--check");
  const started = performance.now();
  try {
    const exitCode = await ended(launched.child);
    assert.equal(exitCode, 0, launched.output());
    const seconds = (performance.now() - started) / 1000;
    assert.ok(seconds <= 180, `it took ${seconds.toFixed(0)} s`);
    const lines = launched.output().split("\n");
    assert.equal(lines.filter((line) => line.startsWith("ok ")).length, 14, launched.output());
    assert.deepEqual(survivors(stateOf(launched.demoDir)), []);
  } finally {
    launched.child.kill("SIGTERM");
    await ended(launched.child);
    rmSync(launched.demoDir, { recursive: true, force: true });
  }
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a launcher that gets ${signal} leaves no process`, { timeout: 180_000 }, async () => {
    const launched = launch();
    try {
      await eventually(
        () => {
          assert.equal(launched.child.exitCode, null, launched.output());
          assert.match(launched.output(), /Ctrl-C ends everything/);
        },
        { withinMs: 120_000 },
      );
      const state = stateOf(launched.demoDir);
      assert.ok(state.components.length >= 20, `only ${state.components.length} components`);
      launched.child.kill(signal);
      await ended(launched.child);
      await eventually(() => assert.deepEqual(survivors(state), []), { withinMs: 45_000 });
    } finally {
      launched.child.kill("SIGKILL");
      rmSync(launched.demoDir, { recursive: true, force: true });
    }
  });
}
