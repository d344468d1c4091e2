import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { formatLine } from "../../services/proxy/access-log-format.ts";
import { AccessLogSwitch } from "../../services/proxy/access-log-switch.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { MESH_CONFIG, parseLogFormat, parseLogTree } from "../../shared/model/index.ts";
import { FakeClock } from "../harness/index.ts";

function record(path = "/a?b"): RequestRecord {
  const headers = new HeaderList();
  headers.add("User-Agent", "user-agent", 'curl "8"');
  const head = { method: "GET", authority: "reviews", scheme: "http", path, headers } as const;
  const made = new RequestRecord("outbound", head, UNKNOWN_PEER, { ...UNKNOWN_PEER, principal: "spiffe://x" }, true);
  const answered = new HeaderList();
  answered.add("Server", "server", "lateen");
  return Object.assign(made, {
    status: 503,
    flags: "UF",
    durationMs: 12.4,
    attempts: 2,
    downstream: { remote: "[::1]:51000", local: "127.0.0.1:15001" },
    responseHeaders: answered,
  });
}

describe("a format of one's own", () => {
  test("is text with operators, ended as a line", () => {
    const line = formatLine(
      "text",
      "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% 100%% %DURATION%ms",
    );
    assert.equal(line(record()), "GET /a?b 503 UF 100% 12ms\n");
  });

  test("says - for what there is not, cuts what is too long, and escapes quotes of clients", () => {
    const line = formatLine("text", '"%REQ(USER-AGENT)%" %REQ(X-NONE)% %REQ(:PATH):2% %RESP(Server)% %ROUTE_NAME%\n');
    assert.equal(line(record()), '"curl \\"8\\"" - /a lateen -\n');
  });

  test("tells addresses with and without their ports", () => {
    const line = formatLine("text", "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%");
    assert.equal(line(record()), "[::1]:51000 ::1\n");
  });

  test("is an object for JSON, whose single operators keep their type", () => {
    const line = formatLine(
      "json",
      '{"code":"%RESPONSE_CODE%","text":"c=%RESPONSE_CODE%","peer":{"san":"%UPSTREAM_PEER_URI_SAN%"}}',
    );
    assert.deepEqual(JSON.parse(line(record())), { code: 503, text: "c=503", peer: { san: "spiffe://x" } });
  });

  test("is refused with the reason", () => {
    const refused: [string, RegExp][] = [
      ["%RESPONSE_COD%", /did you mean %RESPONSE_CODE%/],
      ["%DYNAMIC_METADATA(a)%", /not supported; use/],
      ["50%", /% at character 3 that begins no operator/],
      ["%REQ()%", /%REQ\(header\)%/],
      ["%REQ(a?b?c)%", /%REQ\(header\)%/],
      ["%START_TIME(s)%", /takes no argument/],
      ["x".repeat(20_000), /at most 16384/],
    ];
    for (const [format, reason] of refused) assert.throws(() => parseLogFormat(format), reason, format);
    assert.throws(() => parseLogTree("%RESPONSE_CODE%"), /is no JSON/);
    assert.throws(() => parseLogTree("[]"), /no object/);
    assert.throws(() => parseLogTree('{"a":{"b":1}}'), /at a\.b: is neither/);
    assert.throws(() => parseLogTree('{"a":"%X%"}'), /at a: has %X%/);
    assert.throws(() => parseLogTree(`${'{"a":'.repeat(20)}"x"${"}".repeat(20)}`), /deeper than/);
  });
});

describe("a MeshConfig", () => {
  const errors = (spec: Record<string, string>) => {
    const result = MESH_CONFIG.parseSpec(spec, "spec", { namespace: "istio-system", name: "default" });
    return result.errors.map(({ path, reason }) => `${path}: ${reason}`);
  };

  test("with a format that no proxy could read is refused", () => {
    assert.deepEqual(errors({ accessLogFormat: "%RESPONSE_CODE%" }), []);
    assert.deepEqual(errors({ accessLogFormat: '{"a":"%DURATION%"}', accessLogEncoding: "JSON" }), []);
    assert.match(
      errors({ accessLogFormat: "%NOTHING%" }).join(),
      /^spec\.accessLogFormat: has %NOTHING%, which is not/,
    );
    assert.match(
      errors({ accessLogFormat: "%DURATION%", accessLogEncoding: "JSON" }).join(),
      /^spec\.accessLogFormat: is no JSON/,
    );
  });
});

describe("the access log's switch", () => {
  const folder = mkdtempSync(join(tmpdir(), "lateen-switch-"));
  after(() => rmSync(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  const read = (name: string): string => readFileSync(path(name), "utf8");

  test("loses no line when the log is exchanged, and writes none when it is off", () => {
    const clock = new FakeClock();
    const log = new AccessLogSwitch(clock);
    const format = "%REQ(:PATH)%";
    log.write(record("/off"));
    log.use({ file: path("first"), encoding: "text", format });
    log.write(record("/1"));
    log.use({ file: path("second"), encoding: "text", format });
    log.write(record("/2"));
    assert.equal(read("first"), "/1\n");
    log.use({ file: path("second"), encoding: "text", format: "%REQ(:PATH)%!" });
    log.write(record("/3"));
    log.use({ file: "", encoding: "text", format });
    log.write(record("/4"));
    assert.equal(read("second"), "/2\n/3!\n");
    assert.equal(clock.pending, 0);
  });

  test("keeps the log that there is when the new one cannot be", () => {
    const log = new AccessLogSwitch(new FakeClock());
    log.use({ file: path("kept"), encoding: "text", format: "%REQ(:PATH)%" });
    assert.throws(() => log.use({ file: path("no/such/folder"), encoding: "text", format: "" }), /ENOENT/);
    assert.throws(() => log.use({ file: path("other"), encoding: "text", format: "%NO%" }), /not supported/);
    log.write(record("/still"));
    log.close();
    assert.equal(read("kept"), "/still\n");
  });
});
