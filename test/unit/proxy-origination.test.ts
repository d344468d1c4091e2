import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { TlsOrigination } from "../../services/proxy/tls/origination.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-roots-"));
after(() => rmSync(folder, { recursive: true }));

function options(caFile: string): unknown {
  return new TlsOrigination().options({ sni: "", subjectAltNames: [], caFile, skipVerify: false }, "outside.test");
}

describe("a file of roots that configuration names", () => {
  test("is a regular file: a pipe or a device would hold up every request", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const file of [pipe, "/dev/zero", folder]) {
      assert.throws(() => options(file), /the CA certificates cannot be used: .* is no regular file$/, file);
    }
  });

  test("is not larger than any such file is", () => {
    const file = join(folder, "large");
    writeFileSync(file, "");
    truncateSync(file, 1024 * 1024 * 1024);
    assert.throws(() => options(file), /is longer than 4194304 bytes$/);
  });

  test("holds certificates, and nobody is told what else it holds", () => {
    const file = join(folder, "shadow");
    writeFileSync(file, "root:hunter2\n");
    assert.throws(
      () => options(file),
      (error: Error) => error.message.endsWith("holds no certificate") && !error.message.includes("hunter2"),
    );
  });
});
