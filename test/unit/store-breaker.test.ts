import assert from "node:assert/strict";
import { test } from "node:test";
import { CircuitBreaker } from "../../shared/store/index.ts";
import { FakeClock } from "../harness/index.ts";

test("a breaker opens after failures in a row, lets one probe through after a pause, and closes on success", () => {
  const clock = new FakeClock();
  const breaker = new CircuitBreaker(clock, { failures: 2, openMs: 100 });
  breaker.failed();
  breaker.succeeded();
  breaker.failed();
  assert.equal(breaker.admit(), true);
  breaker.failed();
  assert.equal(breaker.admit(), false);
  clock.advance(100);
  assert.equal(breaker.admit(), true, "the probe");
  assert.equal(breaker.admit(), false, "only one");
  breaker.failed();
  assert.equal(breaker.admit(), false, "open again");
  clock.advance(100);
  assert.equal(breaker.admit(), true);
  breaker.succeeded();
  assert.equal(breaker.admit(), true);
  assert.equal(breaker.open, false);
});
