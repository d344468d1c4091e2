import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../harness/index.ts";

test("the fake clock fires what falls due, in order, at its time", () => {
  const clock = new FakeClock(1_000);
  const fired: string[] = [];
  clock.after(30, () => fired.push(`b${clock.monotonic()}`));
  clock.after(10, () => {
    fired.push(`a${clock.monotonic()}`);
    clock.after(5, () => fired.push(`c${clock.monotonic()}`));
  });
  const stop = clock.every(20, () => fired.push(`e${clock.monotonic()}`));
  clock.after(15, () => assert.fail("cancelled"))();
  clock.advance(40);
  stop();
  clock.advance(100);
  assert.deepEqual(fired, ["a10", "c15", "e20", "b30", "e40"]);
  assert.equal(clock.now(), 1_140);
  assert.equal(clock.pending, 0);
});
