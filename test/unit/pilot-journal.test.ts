import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Journal } from "../../services/pilot/journal.ts";
import { silentLog } from "../harness/index.ts";

async function withFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-journal-"));
  try {
    await run(join(folder, "pilot", "journal", "config.jsonl"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("what was appended is read back in order, from a file that nobody else may read", () =>
  withFolder(async (path) => {
    const journal = new Journal({ path, log: silentLog, content: () => [] });
    assert.deepEqual(await journal.open(), []);
    journal.append({ n: 1 });
    journal.append({ n: 2 });
    await journal.close();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const again = new Journal({ path, log: silentLog, content: () => [] });
    assert.deepEqual(await again.open(), [{ n: 1 }, { n: 2 }]);
    await again.close();
  }));

test("a torn last line costs itself only, and does not swallow the next", () =>
  withFolder(async (path) => {
    const journal = new Journal({ path, log: silentLog, content: () => [] });
    await journal.open();
    journal.append({ n: 1 });
    await journal.close();
    await appendFile(path, '{"n": 2, "te');
    const torn = new Journal({ path, log: silentLog, content: () => [] });
    assert.deepEqual(await torn.open(), [{ n: 1 }]);
    torn.append({ n: 3 });
    await torn.close();
    const after = new Journal({ path, log: silentLog, content: () => [] });
    assert.deepEqual(await after.open(), [{ n: 1 }, { n: 3 }]);
    await after.close();
  }));

test("a file that has grown far beyond its content is written anew", () =>
  withFolder(async (path) => {
    const journal = new Journal({ path, log: silentLog, compactAboveBytes: 1000, content: () => [{ all: true }] });
    await journal.open();
    journal.append({ filler: "x".repeat(2000) });
    await journal.flush();
    assert.equal(await readFile(path, "utf8"), '{"all":true}\n');
    journal.append({ n: 1 });
    await journal.close();
    assert.equal(await readFile(path, "utf8"), '{"all":true}\n{"n":1}\n');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  }));

test("after a write has failed the next one writes everything anew", () =>
  withFolder(async (path) => {
    const all: unknown[] = [];
    const journal = new Journal({ path, log: silentLog, compactAboveBytes: 1000, content: () => all });
    await journal.open();
    const append = async (entry: unknown) => {
      all.push(entry);
      journal.append(entry);
      await journal.flush();
    };
    await append({ n: 1 });
    // A file where a folder has to be: nothing can be written beside the journal.
    await rm(dirname(path), { recursive: true });
    await writeFile(dirname(path), "in the way");
    await append({ filler: "x".repeat(2000) });
    assert.equal(journal.failed, true);
    await append({ n: 2 });
    assert.equal(journal.failed, true);
    await rm(dirname(path));
    await append({ n: 3 });
    assert.equal(journal.failed, false);
    await append({ n: 4 });
    await journal.close();
    const after = new Journal({ path, log: silentLog, content: () => [] });
    assert.deepEqual(await after.open(), all);
    await after.close();
  }));
