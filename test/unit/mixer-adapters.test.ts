import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { CheckOutcome, LogItem, MetricItem } from "../../services/mixer/adapters/adapter.ts";
import { fileWriter } from "../../services/mixer/adapters/line-writer.ts";
import { ListCheckerHandler } from "../../services/mixer/adapters/listchecker.ts";
import { StdioHandler } from "../../services/mixer/adapters/stdio.ts";
import type { TypedValue } from "../../services/mixer/values.ts";
import type { ListCheckerParams, StdioParams } from "../../shared/policy/index.ts";
import { eventually, FakeClock, silentLog } from "../harness/index.ts";
import { ROW } from "./mixer-config.ts";

const LIST: ListCheckerParams = {
  providerUrl: undefined,
  refreshIntervalMs: 60_000,
  ttlMs: 300_000,
  cachingIntervalMs: 5000,
  cachingUseCount: 7,
  overrides: ["v1", "v2"],
  entryType: "STRINGS",
  blacklist: false,
};

function lookUp(params: Partial<ListCheckerParams>, value: string | Uint8Array): [number, string] {
  const handler = new ListCheckerHandler("l", { ...LIST, ...params }, new FakeClock(), silentLog);
  const typed: TypedValue = typeof value === "string" ? { type: "STRING", value } : { type: "IP_ADDRESS", value };
  const { code, message } = handler.check({ template: "listentry", name: "i", value: typed }) as CheckOutcome;
  handler.close();
  return [code, message];
}

describe("listchecker", () => {
  const cases: readonly [string, Partial<ListCheckerParams>, string, number, string][] = [
    ["lets a listed value pass", {}, "v1", 0, ""],
    ["refuses a value that is not listed", {}, "v3", 5, "v3 is not whitelisted"],
    ["refuses a listed value of a blacklist", { blacklist: true }, "v1", 7, "v1 is blacklisted"],
    ["lets others pass a blacklist", { blacklist: true }, "v3", 0, ""],
    ["tells letter cases apart", {}, "V1", 5, "V1 is not whitelisted"],
    ["ignores letter case when told so", { entryType: "CASE_INSENSITIVE_STRINGS" }, "V1", 0, ""],
    ["finds an address in a range", { entryType: "IP_ADDRESSES", overrides: ["10.1.0.0/16"] }, "10.1.2.3", 0, ""],
    [
      "takes a bare address",
      { entryType: "IP_ADDRESSES", overrides: ["10.1.2.3"] },
      "10.1.2.4",
      5,
      "10.1.2.4 is not whitelisted",
    ],
    ["refuses what is no address", { entryType: "IP_ADDRESSES" }, "x", 3, "x is not a valid IP address"],
    ["searches with regular expressions", { entryType: "REGEX", overrides: ["^/api/v[0-9]+"] }, "/api/v12/x", 0, ""],
  ];
  for (const [name, params, value, code, message] of cases) {
    test(name, () => assert.deepEqual(lookUp(params, value), [code, message]));
  }

  test("takes an address as bytes", () => {
    assert.equal(lookUp({ entryType: "IP_ADDRESSES", overrides: ["10.1.0.0/16"] }, Uint8Array.of(10, 1, 2, 3))[0], 0);
  });

  test("fetches its list, keeps it when the provider fails, and has none once it is too old", async () => {
    let body: string | undefined = "v7\n\nv8\n";
    let served = 0;
    const server: Server = createServer((_request, response) => {
      served++;
      response.statusCode = body === undefined ? 500 : 200;
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const clock = new FakeClock();
    const providerUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const handler = new ListCheckerHandler("l", { ...LIST, providerUrl }, clock, silentLog);
    const check = async (value: string) =>
      (await handler.check({ template: "listentry", name: "i", value: { type: "STRING", value } })).code;
    const early = [check("v7"), check("v1"), check("v9")];
    assert.equal(served, 0);
    assert.deepEqual(await Promise.all(early), [0, 0, 5], "who comes before the first list waits for it");
    body = undefined;
    clock.advance(60_000);
    await eventually(() => served === 2);
    assert.equal(await check("v8"), 0);
    clock.advance(300_001);
    await assert.rejects(check("v8"), /has no list/);
    handler.close();
    server.close();
    server.closeAllConnections();
  });
});

describe("a rotated file", () => {
  test("is exchanged by size and by its own age, and only rotated files are removed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lateen-lines-"));
    const path = join(folder, "access.log");
    writeFileSync(`${path}.keep`, "mine");
    const clock = new FakeClock();
    const writer = fileWriter(path, { maxBytes: 10, maxAgeMs: 1e12, maxFiles: 2 }, clock);
    for (let i = 0; i < 5; i++) {
      assert.equal(writer.write(`line ${i} ......`), true);
      await eventually(() => assert.ok(existsSync(path)));
      clock.advance(1000);
    }
    writer.close();
    await eventually(() => assert.match(readFileSync(path, "utf8"), /^line 4/));
    const names = readdirSync(folder);
    assert.equal(names.length, 4, names.join());
    assert.equal(readFileSync(`${path}.keep`, "utf8"), "mine");
    const born = statSync(path).birthtimeMs;
    const later = new FakeClock();
    later.advance(born + 2000 - later.now());
    const aged = fileWriter(path, { maxBytes: 1e6, maxAgeMs: 1000, maxFiles: 9 }, later);
    aged.write("line 5");
    aged.close();
    await eventually(() => assert.equal(readFileSync(path, "utf8"), "line 5\n"));
    rmSync(folder, { recursive: true });
  });

  test("that somebody moved away is begun again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lateen-lines-"));
    const path = join(folder, "access.log");
    const writer = fileWriter(path, { maxBytes: 10, maxAgeMs: 1e12, maxFiles: 2 }, new FakeClock());
    writer.write("line 0 ......");
    await eventually(() => assert.ok(existsSync(path) && statSync(path).size > 0));
    rmSync(path);
    assert.equal(writer.write("line 1 ......"), true);
    writer.close();
    await eventually(() => assert.match(readFileSync(path, "utf8"), /line 1/));
    rmSync(folder, { recursive: true });
  });
});

const STDIO: StdioParams = {
  logStream: "STDOUT",
  severityLevels: { Default: "INFO", bad: "ERROR" },
  metricLevel: "INFO",
  outputAsJson: true,
  outputLevel: "INFO",
  outputPath: undefined,
  maxMegabytesBeforeRotation: 100,
  maxDaysBeforeRotation: 30,
  maxRotatedFiles: 10,
};

describe("stdio", () => {
  const entry: LogItem = {
    template: "logentry",
    instance: "newlog.logentry.istio-system",
    timeMs: Date.parse("2017-09-21T04:33:31.249Z") + 0.25,
    severity: "bad",
    variables: new Map<string, TypedValue>([
      ["user", { type: "STRING", value: "unknown" }],
      ["latency", { type: "DURATION", value: 6.848 }],
      ["responseCode", { type: "INT64", value: 200 }],
      ["ip", { type: "IP_ADDRESS", value: Uint8Array.of(10, 0, 0, 1) }],
    ]),
    row: ROW,
  };
  const write = (params: Partial<StdioParams>, item: LogItem | MetricItem) => {
    const lines: string[] = [];
    const writer = { write: (line: string) => lines.push(line) > 0, close: () => {} };
    new StdioHandler("s", { ...STDIO, ...params }, writer, () => {}).report([item]);
    return lines;
  };

  test("writes a log entry as one JSON line with its variables in order of their names", () => {
    assert.deepEqual(write({}, entry), [
      '{"level":"error","time":"2017-09-21T04:33:31.249250Z","instance":"newlog.logentry.istio-system",' +
        '"ip":"10.0.0.1","latency":"6.848ms","responseCode":200,"user":"unknown"}',
    ]);
  });

  test("writes a metric with its value", () => {
    const sample = { value: { type: "INT64", value: 2 }, count: 1, sum: 2 } as const;
    const [line] = write({}, { ...entry, template: "metric", sample, dimensions: new Map() } as MetricItem);
    assert.match(line ?? "", /"level":"info".*"value":2}$/);
  });

  test("leaves out what is below its output level", () => {
    assert.deepEqual(write({ outputLevel: "ERROR" }, { ...entry, severity: "Default" }), []);
    assert.equal(write({ outputLevel: "ERROR" }, entry).length, 1);
  });
});
