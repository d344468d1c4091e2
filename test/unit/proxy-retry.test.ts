import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { retryAfterMs } from "../../services/proxy/filter/retry-after.ts";
import { compileRetry, DEFAULT_RETRY, type RetryPolicy } from "../../services/proxy/filter/retry-policy.ts";
import { TokenBucket } from "../../services/proxy/filter/token-bucket.ts";
import { Overload } from "../../services/proxy/overload.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import type { ResetReason } from "../../services/proxy/stream/stream.ts";
import { type RouteInput, ServiceConfig } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

function policy(retry: NonNullable<RouteInput["retry"]>): RetryPolicy {
  const [route] = ServiceConfig.decode(ServiceConfig.encode({ routes: [{ retry }] })).routes;
  const compiled = compileRetry(route?.retry);
  assert.ok(compiled !== undefined);
  return compiled;
}

function fields(values: Readonly<Record<string, string>> = {}): HeaderList {
  const headers = new HeaderList();
  for (const [name, value] of Object.entries(values)) headers.add(name, name.toLowerCase(), value);
  return headers;
}

const RESETS: readonly ResetReason[] = [
  "connect-failure",
  "connect-timeout",
  "connection-closed",
  "protocol-error",
  "timeout",
  "overflow",
  "cancelled",
];

describe("a retry condition", () => {
  const statuses = (name: string): number[] => {
    const { onAnswer } = policy({ retryOn: [name], retriableStatusCodes: [404, 503] });
    const tried = [200, 404, 409, 429, 500, 501, 502, 503, 504];
    return tried.filter((status) => onAnswer({ status, headers: fields() }));
  };
  const resets = (name: string, sent = true): string[] => {
    const { onReset } = policy({ retryOn: [name] });
    return RESETS.filter((reason) => onReset(reason, sent));
  };
  const withoutAnswer = ["connect-failure", "connect-timeout", "connection-closed", "protocol-error", "timeout"];
  const noConnection = ["connect-failure", "connect-timeout"];

  test("is met by certain answers", () => {
    assert.deepEqual(statuses("5xx"), [500, 501, 502, 503, 504]);
    assert.deepEqual(statuses("gateway-error"), [502, 503, 504]);
    assert.deepEqual(statuses("retriable-4xx"), [409]);
    assert.deepEqual(statuses("retriable-status-codes"), [404, 503]);
    for (const name of ["reset", "connect-failure", "reset-before-request", "refused-stream"]) {
      assert.deepEqual(statuses(name), []);
    }
  });

  test("is met by certain ends without an answer, and never by an overflow or a client that went away", () => {
    assert.deepEqual(resets("5xx"), withoutAnswer);
    assert.deepEqual(resets("gateway-error"), withoutAnswer);
    assert.deepEqual(resets("reset"), withoutAnswer);
    assert.deepEqual(resets("connect-failure"), noConnection);
    assert.deepEqual(resets("reset-before-request"), []);
    assert.deepEqual(resets("reset-before-request", false), withoutAnswer);
    for (const name of ["retriable-4xx", "retriable-status-codes", "refused-stream", "unavailable"]) {
      assert.deepEqual(resets(name), []);
    }
  });

  test("is met by the gRPC status that an answer's head carries", () => {
    const codes = { cancelled: 1, "deadline-exceeded": 4, "resource-exhausted": 8, internal: 13, unavailable: 14 };
    for (const [name, code] of Object.entries(codes)) {
      const { onAnswer } = policy({ retryOn: [name] });
      for (const each of [0, ...Object.values(codes)]) {
        assert.equal(onAnswer({ status: 200, headers: fields({ "grpc-status": String(each) }) }), each === code);
      }
    }
  });

  test("is met by fields of an answer that the route names", () => {
    const { onAnswer } = policy({
      retryOn: ["retriable-headers"],
      retriableHeaders: [
        { name: "X-Retry", exact: "yes" },
        { name: "x-any", present: true },
        { name: "uri", prefix: "/" },
      ],
    });
    const meets = (values: Readonly<Record<string, string>>): boolean =>
      onAnswer({ status: 200, headers: fields(values) });
    assert.equal(meets({ "x-retry": "yes" }), true);
    assert.equal(meets({ "x-retry": "no" }), false);
    assert.equal(meets({ "X-Any": "" }), true);
    assert.equal(meets({ uri: "/x" }), true, "a field of that name, not a part of the request");
    assert.equal(meets({}), false);
  });

  test("is one of 5xx, connect-failure and refused-stream where the route names none", () => {
    for (const { onAnswer, onReset, backoffBaseMs, backoffMaxMs } of [policy({ attempts: 1 }), DEFAULT_RETRY]) {
      assert.equal(onAnswer({ status: 503, headers: fields() }), true);
      assert.equal(onAnswer({ status: 409, headers: fields() }), false);
      assert.deepEqual(
        RESETS.filter((reason) => onReset(reason, true)),
        withoutAnswer,
      );
      assert.deepEqual([backoffBaseMs, backoffMaxMs], [25, 250]);
    }
    const { backoffBaseMs, backoffMaxMs } = policy({ backoffBaseMs: 7 });
    assert.deepEqual([backoffBaseMs, backoffMaxMs], [7, 70]);
  });

  test("that does not exist is refused", () => {
    assert.throws(() => policy({ retryOn: ["5xx", "gateway-eror"] }), /"gateway-eror" is not a condition/);
    assert.throws(() => policy({ retryOn: ["constructor"] }), /is not a condition/);
    assert.equal(compileRetry(null), undefined);
  });
});

describe("Retry-After", () => {
  test("is a number of seconds or a date", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const after = (value?: string): number =>
      retryAfterMs(fields(value === undefined ? {} : { "Retry-After": value }), now);
    assert.equal(after("3"), 3_000);
    assert.equal(after("Thu, 01 Jan 2026 00:00:30 GMT"), 30_000);
    assert.equal(after("Wed, 31 Dec 2025 00:00:00 GMT"), 0);
    for (const nothing of [undefined, "", "soon", "-1"]) assert.equal(after(nothing), 0);
  });
});

describe("a token bucket", () => {
  test("starts full and is filled in steps, never beyond what it holds", () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket({ maxTokens: 3, tokensPerFill: 2, fillIntervalMs: 1_000 }, clock);
    const taken = (): number => {
      let count = 0;
      while (bucket.take()) count++;
      return count;
    };
    assert.equal(taken(), 3);
    clock.advance(999);
    assert.equal(taken(), 0);
    assert.equal(bucket.untilFillMs, 1);
    clock.advance(1);
    assert.equal(taken(), 2);
    clock.advance(10_500);
    assert.equal(taken(), 3);
    assert.equal(bucket.untilFillMs, 500);
  });
});

describe("overload", () => {
  test("begins past a limit of heap or connections and ends well below both", () => {
    const clock = new FakeClock();
    let [heap, connections] = [50, 10];
    const overload = new Overload({
      maxHeapPercent: 90,
      maxConnections: 100,
      clock,
      connections: () => connections,
      heapPercent: () => heap,
    });
    const after = (newHeap: number, newConnections: number): boolean => {
      [heap, connections] = [newHeap, newConnections];
      clock.advance(250);
      return overload.active;
    };
    assert.equal(after(90, 100), false);
    assert.equal(after(91, 10), true);
    assert.equal(after(88, 10), true, "not at once below the limit");
    assert.equal(after(85, 10), false);
    assert.equal(after(50, 101), true);
    assert.equal(after(50, 96), true);
    assert.equal(after(50, 95), false);
    overload.close();
    assert.equal(clock.pending, 0);
  });

  test("measures this process's own heap", () => {
    const clock = new FakeClock();
    const idle = { maxConnections: 1, clock, connections: () => 0 };
    const [roomy, cramped] = [99, 0.01].map((maxHeapPercent) => new Overload({ ...idle, maxHeapPercent }));
    clock.advance(250);
    assert.equal(roomy?.active, false);
    assert.equal(cramped?.active, true);
  });
});
