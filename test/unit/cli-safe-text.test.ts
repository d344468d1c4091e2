import assert from "node:assert/strict";
import { test } from "node:test";
import { renderTapRow } from "../../cli/live/tap-lines.ts";
import { palette, renderTable } from "../../cli/render.ts";
import { CLEAR_SCREEN, printable, safeOutput, withoutLogin } from "../../cli/safe-text.ts";
import type { TapPeer, TapRow } from "../../shared/wire/index.ts";

const HOSTILE = "evil\u001b]0;owned\u0007\u001b[2Jname\r\u009b31m";

test("an output commands the terminal to nothing but its own colours", () => {
  const { good, dim } = palette(true);
  assert.equal(safeOutput(`${good("ok")} ${dim("x")}\ttab\nline`), `${good("ok")} ${dim("x")}\ttab\nline`);
  assert.equal(safeOutput(HOSTILE), "evil\\u001b]0;owned\\u0007\\u001b[2Jname\\u000d\\u009b31m");
  assert.equal(safeOutput("\u001b[8mhidden"), "\\u001b[8mhidden");
});

test("the screen is cleared by a command alone, at the beginning of what it writes", () => {
  assert.equal(safeOutput(`${CLEAR_SCREEN}table`), `${CLEAR_SCREEN}table`);
  assert.equal(safeOutput(`table${CLEAR_SCREEN}`), "table\\u001b[H\\u001b[2J");
});

test("JSON stays JSON of the same content", () => {
  const value = { name: HOSTILE };
  assert.deepEqual(JSON.parse(safeOutput(JSON.stringify(value))), value);
});

test("a cell cannot begin a line of its own", () => {
  const table = renderTable(["NAME", "STATE"], [["evil\nother  SYNCED", "STALE"]]);
  assert.equal(table.split("\n").length, 2);
});

test("names and methods of a request are one word each", () => {
  const peer: TapPeer = {
    namespace: "default",
    service: "evil",
    workload: "evil",
    instance: HOSTILE,
    version: "",
    principal: "",
    address: "",
  };
  const row: TapRow = {
    timeMs: 0,
    durationMs: 1,
    reporter: "source",
    source: peer,
    destination: { ...peer, instance: "b\n00:00:00.000 forged" },
    method: "GET",
    authority: "a",
    path: "/\u001b[2J",
    status: 200,
    flags: "",
    detail: "",
    requestId: "",
    route: "",
    attempts: 1,
    bytesReceived: 0,
    bytesSent: 0,
    mutualTls: true,
  };
  const line = renderTapRow(row, true, palette(false));
  assert.equal(line, line.split(" ").map(printable).join(" "));
  assert.ok(line.includes("-> b%0A00:00:00.000%20forged.default GET"), line);
});

test("a login within an address is not shown", () => {
  assert.equal(withoutLogin("nats://me:s3cret@a:1,tls://you:p@ss@b:2"), "nats://a:1,tls://b:2");
  assert.equal(withoutLogin("nats://a:1"), "nats://a:1");
});
