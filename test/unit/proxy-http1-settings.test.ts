import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_HTTP1 } from "../../services/proxy/codec/http1-settings.ts";
import { LazyTimer } from "../../services/proxy/codec/lazy-timer.ts";
import { http1Settings, parseProxyConfig } from "../../services/proxy/config.ts";
import { FakeClock } from "../harness/index.ts";

const REQUIRED = { MESH_SERVICE: "reviews", MESH_INSTANCE: "reviews-1" };

describe("a listener's settings", () => {
  test("are Envoy's unless they are set", () => {
    assert.deepEqual(http1Settings(parseProxyConfig(REQUIRED, [])), DEFAULT_HTTP1);
    assert.equal(DEFAULT_HTTP1.maxHeadBytes, 61_440);
    assert.equal(DEFAULT_HTTP1.streamIdleTimeoutMs, 300_000);
  });

  test("come from the environment, and a time of 0 is none", () => {
    const env = {
      ...REQUIRED,
      HTTP_1_0: "accept",
      MAX_HEADERS_BYTES: "32768",
      MAX_HEADERS_COUNT: "200",
      CONNECTION_BUFFER_BYTES: "65536",
      REQUEST_HEADERS_TIMEOUT_MS: "10s",
      REQUEST_TIMEOUT_MS: "5m",
      STREAM_IDLE_TIMEOUT_MS: "0",
      CONNECTION_IDLE_TIMEOUT_MS: "90s",
    };
    assert.deepEqual(http1Settings(parseProxyConfig(env, [])), {
      acceptHttp10: true,
      maxHeadBytes: 32_768,
      maxHeaders: 200,
      bufferBytes: 65_536,
      headTimeoutMs: 10_000,
      requestTimeoutMs: 300_000,
      streamIdleTimeoutMs: Number.POSITIVE_INFINITY,
      idleTimeoutMs: 90_000,
    });
  });
});

describe("a lazy timer", () => {
  test("goes on for the rest when its time was put off, and fires once it has come", () => {
    const clock = new FakeClock();
    let dueMs = 100;
    let fired = 0;
    const timer = new LazyTimer(
      clock,
      () => dueMs,
      () => {
        fired++;
        dueMs = Number.POSITIVE_INFINITY;
      },
    );
    timer.check();
    dueMs = 250;
    clock.advance(249);
    assert.equal(fired, 0);
    clock.advance(1);
    assert.equal(fired, 1);
    assert.equal(clock.pending, 0);
  });

  test("comes sooner when told, never when there is no time, and not after its stop", () => {
    const clock = new FakeClock();
    let dueMs = Number.POSITIVE_INFINITY;
    let fired = 0;
    const timer = new LazyTimer(
      clock,
      () => dueMs,
      () => {
        fired++;
        dueMs += 1_000;
      },
    );
    timer.check();
    assert.equal(clock.pending, 0);
    for (const next of [500, 100, 300]) {
      dueMs = next;
      timer.check();
      assert.equal(clock.pending, 1);
    }
    clock.advance(300);
    assert.equal(fired, 1);
    timer.stop();
    clock.advance(10_000);
    assert.deepEqual([fired, clock.pending], [1, 0]);
  });
});
