import assert from "node:assert/strict";
import { test } from "node:test";
import { withProgress } from "../../cli/progress.ts";
import { deferred } from "../../shared/base/index.ts";
import { cliIo } from "../harness/cli.ts";
import { FakeClock } from "../harness/index.ts";

async function shownAfter(ms: number, isTerminal: boolean): Promise<readonly string[]> {
  const clock = new FakeClock();
  const io = cliIo({ isTerminal });
  const work = deferred<number>();
  const done = withProgress(
    io,
    "Waiting",
    (progress) => {
      progress.say("a is behind");
      return work.promise;
    },
    clock,
  );
  for (let passedMs = 0; passedMs < ms; passedMs += 200) clock.advance(200);
  work.resolve(7);
  assert.equal(await done, 7);
  return io.errLines;
}

test("what takes less than a second says nothing", async () => {
  assert.deepEqual(await shownAfter(800, true), []);
  assert.deepEqual(await shownAfter(800, false), []);
});

test("elsewhere than on a terminal, what takes longer is one plain line", async () => {
  assert.deepEqual(await shownAfter(5_000, false), ["Waiting ..."]);
});

test("on a terminal it is one line that is rewritten, and removed at the end", async () => {
  const lines = await shownAfter(2_200, true);
  assert.equal(lines[0], "\r\u001b[KWaiting: a is behind (1 s)");
  assert.match(lines.at(-2) ?? "", /\(2 s\)$/);
  assert.equal(lines.at(-1), "\r\u001b[K");
  assert.ok(lines.every((line) => !line.includes("\n")));
});
