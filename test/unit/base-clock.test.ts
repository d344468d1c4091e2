import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../shared/base/index.ts";
import { consistently } from "../harness/index.ts";

const DAY_MS = 86_400_000;

test("a delay or period beyond what a timer takes does not fire at once", async () => {
  let fired = 0;
  const cancels = [systemClock.after(30 * DAY_MS, () => fired++), systemClock.every(30 * DAY_MS, () => fired++)];
  await consistently(() => fired === 0, 50);
  for (const cancel of cancels) cancel();
  assert.equal(fired, 0);
});
