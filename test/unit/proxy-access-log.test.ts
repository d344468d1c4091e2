import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { AccessLog } from "../../services/proxy/access-log.ts";
import { formatLine } from "../../services/proxy/access-log-format.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { FakeClock } from "../harness/index.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-log-"));
after(() => rmSync(folder, { recursive: true }));

function record(path: string): RequestRecord {
  const head = { method: "GET", authority: "reviews", scheme: "http", path, headers: new HeaderList() } as const;
  return new RequestRecord("outbound", head, UNKNOWN_PEER, UNKNOWN_PEER, false);
}

describe("the access log", () => {
  test("is no pipe that nobody reads: to open it would hold the proxy up for ever", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    assert.throws(() => new AccessLog(pipe, formatLine("json"), new FakeClock()), /ENXIO/);
  });

  test("is written once a second, or when 64 KiB wait, and the rest at its end", () => {
    const clock = new FakeClock();
    const file = join(folder, "buffered.log");
    const lines = (): number => readFileSync(file, "utf8").split("\n").length - 1;
    const log = new AccessLog(file, formatLine("json"), clock);
    log.write(record("/1"));
    clock.advance(999);
    assert.equal(lines(), 0);
    clock.advance(1);
    assert.equal(lines(), 1);
    log.write(record(`/${"x".repeat(63 * 1024)}`));
    assert.equal(lines(), 1);
    log.write(record(`/${"x".repeat(1024)}`));
    assert.equal(lines(), 3);
    log.write(record("/last"));
    log.close();
    assert.equal(lines(), 4);
    assert.equal(clock.pending, 0);
  });

  test("that cannot be written costs its lines and nothing else, and says so once", async () => {
    const clock = new FakeClock();
    const log = new AccessLog("/dev/full", formatLine("text"), clock);
    const warnings: string[] = [];
    const onWarning = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", onWarning);
    for (let i = 0; i < 3; i++) {
      log.write(record(`/${i}`));
      clock.advance(1_000);
    }
    log.close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", onWarning);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /access log are lost: ENOSPC/);
  });
});
