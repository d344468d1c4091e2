import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clearDemoDir } from "../../samples/bookinfo/demo/state.ts";

test("a demo wipes the folder of an earlier one, and never a folder that holds anything else", () => {
  const folder = mkdtempSync(join(tmpdir(), "lateen-demo-"));
  try {
    clearDemoDir(join(folder, "absent"));
    mkdirSync(join(folder, "data"));
    mkdirSync(join(folder, "log"));
    for (const name of ["state.json", "context.json", "nats.conf", "state.json.new"])
      writeFileSync(join(folder, name), "");
    clearDemoDir(folder);
    assert.deepEqual(readdirSync(folder), []);
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "thesis.md"), "");
    assert.throws(() => clearDemoDir(folder), /not a demo's folder: it has thesis\.md/);
    assert.deepEqual(readdirSync(folder), ["data", "thesis.md"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
