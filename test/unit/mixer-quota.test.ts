import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { QuotaAsk } from "../../services/mixer/adapters/adapter.ts";
import { Deduplicator } from "../../services/mixer/adapters/deduplicator.ts";
import { MemQuotaHandler } from "../../services/mixer/adapters/memquota.ts";
import { RedisQuotaHandler } from "../../services/mixer/adapters/redisquota.ts";
import { RollingWindow } from "../../services/mixer/adapters/rolling-window.ts";
import type { TypedValue } from "../../services/mixer/values.ts";
import { UnavailableError } from "../../shared/base/index.ts";
import type { RedisQuotaParams } from "../../shared/policy/index.ts";
import { FakeClock } from "../harness/index.ts";

const INSTANCE = "requestcount.quota.istio-system";

function ask(amount: number, dimensions: Record<string, string> = {}, more: Partial<QuotaAsk> = {}): QuotaAsk {
  const typed = Object.entries(dimensions).map(([name, value]): [string, TypedValue] => [
    name,
    { type: "STRING", value },
  ]);
  return { instance: INSTANCE, dimensions: new Map(typed), amount, bestEffort: false, ...more };
}

describe("a rolling window", () => {
  test("gives back what was taken once it has left the window, tick by tick", () => {
    const window = new RollingWindow(10, 1000);
    assert.equal(window.take(0, 6, false), 6);
    assert.equal(window.take(500, 4, false), 4);
    assert.equal(window.take(900, 1, false), 0);
    assert.equal(window.take(999, 1, false), 0);
    assert.equal(window.available(1000), 6);
    assert.equal(window.available(1499), 6);
    assert.equal(window.available(1500), 10);
  });

  test("of any length takes bounded memory, and still gives back what has left it", () => {
    const dayMs = 86_400_000;
    for (const lengthMs of [dayMs, 1_000_000 * 3_600_000]) {
      const window = new RollingWindow(2, lengthMs);
      assert.equal(window.take(0, 1, false), 1);
      assert.equal(window.take(lengthMs * 0.5, 1, false), 1);
      assert.equal(window.take(lengthMs * 0.99, 1, false), 0);
      assert.equal(window.take(lengthMs * 1.01, 1, false), 1);
      assert.equal(window.take(lengthMs * 1.02, 1, false), 0);
    }
  });

  test("never grants more than its limit within any window", () => {
    const window = new RollingWindow(20, 2000);
    const grants: [number, number][] = [];
    for (let ms = 0; ms < 10_000; ms += 7) grants.push([ms, window.take(ms, 1, false)]);
    for (let start = 0; start < 8000; start += 100) {
      const sum = grants
        .filter(([ms]) => ms >= start && ms < start + 2000)
        .reduce((total, [, granted]) => total + granted, 0);
      assert.ok(sum <= 20, `${sum} from ${start}`);
    }
  });

  test("takes what is left when asked for as much as there is", () => {
    const window = new RollingWindow(5, 1000);
    assert.equal(window.take(0, 3, true), 3);
    assert.equal(window.take(0, 3, true), 2);
    assert.equal(window.take(0, 3, true), 0);
  });

  test("releases the youngest first and never more than was taken", () => {
    const window = new RollingWindow(5, 1000);
    window.take(0, 2, false);
    window.take(500, 2, false);
    assert.equal(window.release(600, 3), 3);
    assert.equal(window.available(600), 4);
    assert.equal(window.release(600, 9), 1);
    assert.equal(window.available(600), 5);
  });

  test("is full again after a long silence", () => {
    const window = new RollingWindow(5, 1000);
    window.take(0, 5, false);
    assert.equal(window.available(1_000_000), 5);
  });
});

describe("memquota", () => {
  const params = {
    quotas: [
      {
        name: INSTANCE,
        maxAmount: 5,
        validDurationMs: 1000,
        overrides: [
          { dimensions: { destination: "ratings", source: "reviews" }, maxAmount: 1, validDurationMs: 5000 },
          { dimensions: { destination: "ratings" }, maxAmount: 2 },
        ],
      },
    ],
    minDeduplicationDurationMs: 1000,
  };

  test("counts each combination of dimensions by itself", () => {
    const handler = new MemQuotaHandler("h", params, new FakeClock());
    assert.equal(handler.quota(ask(5, { destination: "details" })).granted, 5);
    assert.equal(handler.quota(ask(1, { destination: "details" })).granted, 0);
    assert.equal(handler.quota(ask(5, { destination: "reviews" })).granted, 5);
  });

  test("uses the first override whose dimensions all match", () => {
    const clock = new FakeClock();
    const handler = new MemQuotaHandler("h", params, clock);
    assert.deepEqual(handler.quota(ask(1, { destination: "ratings", source: "reviews" })), {
      granted: 1,
      validMs: 5000,
    });
    assert.deepEqual(handler.quota(ask(1, { destination: "ratings", source: "reviews" })), { granted: 0, validMs: 0 });
    assert.equal(handler.quota(ask(2, { destination: "ratings", source: "other" })).granted, 2);
    clock.advance(5000);
    assert.equal(handler.quota(ask(1, { destination: "ratings", source: "reviews" })).granted, 1);
  });

  test("without a duration counts for ever, and a negative amount gives back", () => {
    const limit = { name: INSTANCE, maxAmount: 3, validDurationMs: 0, overrides: [] };
    const clock = new FakeClock();
    const handler = new MemQuotaHandler("h", { quotas: [limit], minDeduplicationDurationMs: 1000 }, clock);
    assert.equal(handler.quota(ask(3)).granted, 3);
    clock.advance(1_000_000);
    assert.equal(handler.quota(ask(1)).granted, 0);
    assert.equal(handler.quota(ask(-2)).granted, -2);
    assert.equal(handler.quota(ask(3, {}, { bestEffort: true })).granted, 2);
  });

  test("answers a repeated id as before and charges it once", () => {
    const clock = new FakeClock();
    const handler = new MemQuotaHandler("h", params, clock);
    const again = ask(4, {}, { deduplication: { caller: "p", id: "1" } });
    assert.deepEqual(handler.quota(again), { granted: 4, validMs: 1000 });
    clock.advance(300);
    assert.deepEqual(handler.quota(again), { granted: 4, validMs: 700 });
    assert.equal(handler.quota(ask(1)).granted, 1);
    assert.equal(
      handler.quota(ask(1, {}, { deduplication: { caller: "q", id: "1" } })).granted,
      0,
      "another caller's id is another",
    );
  });
});

test("a deduplicator remembers for at least its time and forgets within twice that", () => {
  const seen = new Deduplicator(1000);
  const one = ask(1, {}, { deduplication: { caller: "p", id: "1" } });
  let decisions = 0;
  const at = (ms: number) => seen.once(ms, one, () => ({ granted: ++decisions, validMs: 0 })).granted;
  assert.equal(at(0), 1);
  assert.equal(at(999), 1);
  assert.equal(at(1500), 1);
  assert.equal(at(3000), 2);
});

describe("redisquota without Redis", () => {
  const params = (onError: RedisQuotaParams["onError"]): RedisQuotaParams => ({
    quotas: [
      {
        name: INSTANCE,
        maxAmount: 10,
        validDurationMs: 60_000,
        bucketDurationMs: 0,
        rateLimitAlgorithm: "FIXED_WINDOW",
        overrides: [],
      },
    ],
    redisServerUrl: undefined,
    onError,
  });
  const create = (onError: RedisQuotaParams["onError"]) => {
    const fallbacks: string[] = [];
    const fail = () => Promise.reject(new UnavailableError("gone"));
    const handler = new RedisQuotaHandler("h", params(onError), {
      store: { takeFixedWindow: fail, takeRollingWindow: fail },
      clock: new FakeClock(),
      replicas: 2,
      onFallback: (name, mode) => fallbacks.push(`${name} ${mode}`),
      release: () => {},
    });
    return { handler, fallbacks };
  };

  test("grants when declared open, and counts that", async () => {
    const { handler, fallbacks } = create("open");
    assert.equal((await handler.quota(ask(3))).granted, 3);
    assert.deepEqual(fallbacks, ["h open"]);
  });

  test("refuses when declared closed", async () => {
    assert.deepEqual(await create("closed").handler.quota(ask(1)), { granted: 0, validMs: 0 });
  });

  test("grants this replica's share when declared local", async () => {
    const { handler } = create("local");
    let granted = 0;
    for (let i = 0; i < 10; i++) granted += (await handler.quota(ask(1))).granted;
    assert.equal(granted, 5);
  });
});
