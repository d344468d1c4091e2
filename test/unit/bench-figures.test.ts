import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AnswerReader } from "../../bench/harness/answer-reader.ts";
import { judge, type Verdict } from "../../bench/harness/goal.ts";
import { median, quantile, roundByRound, withSpread } from "../../bench/harness/statistics.ts";
import { submissionsOf } from "../../bench/proxy/mesh-rules.ts";
import { WORK } from "../../bench/proxy/work.ts";

const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-other: 7\r\n\r\nhello");

describe("the bench's reader of answers", () => {
  test("finds the end of an answer wherever it is split", () => {
    for (let cut = 1; cut < ANSWER.length; cut++) {
      const reader = new AnswerReader();
      for (const _ of [1, 2]) {
        assert.equal(reader.take(ANSWER.subarray(0, cut)), "more", `cut at ${cut}`);
        assert.equal(reader.take(ANSWER.subarray(cut)), "done", `cut at ${cut}`);
      }
    }
  });

  test("knows an answer without a body", () => {
    assert.equal(new AnswerReader().take(Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")), "done");
  });

  test("takes nothing for good but a 200 with a length, and no byte too many", () => {
    for (const bad of [
      "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc",
    ])
      assert.equal(new AnswerReader().take(Buffer.from(bad)), "bad", bad);
  });
});

describe("the bench's figures", () => {
  test("are medians with their spread", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(withSpread([3, 1, 2], 1), "2.0 (1.0..3.0)");
    assert.equal(withSpread([], 1), "-");
  });

  test("have quantiles of sorted values", () => {
    const values = Array.from({ length: 100 }, (_, index) => index);
    assert.deepEqual(
      [0.5, 0.99, 1].map((q) => quantile(values, q)),
      [50, 99, 99],
    );
    assert.equal(quantile([], 0.5), 0);
  });

  test("are compared within a round, never across", () => {
    assert.deepEqual(
      roundByRound([10, 40, 7], [5, 10], (value, other) => value / other),
      [2, 4],
    );
  });

  test("are judged by goal and stretch, whichever side is better", () => {
    const verdict = (value: number, bound: Verdict["bound"]) =>
      judge({ scenario: "plain", figure: "CPU", value, digits: 2, ...(bound !== undefined && { bound }) });
    const less = { better: "less", goal: 1.5, stretch: 1.2 } as const;
    assert.equal(verdict(1.2, less), "stretch goal met");
    assert.equal(verdict(1.5, less), "goal met");
    assert.equal(verdict(1.51, less), "goal missed");
    const more = { better: "more", goal: 0.7 } as const;
    assert.equal(verdict(0.7, more), "goal met");
    assert.equal(verdict(0.69, more), "goal missed");
    assert.equal(verdict(9, undefined), "-");
  });
});

test("the rules of a thousand routes go to Pilot in parts that it takes", () => {
  const parts = submissionsOf(WORK.routes).map((part) => part.split("\n---\n"));
  assert.ok(parts.every(({ length }) => length <= 1000));
  const names = parts.flat().map((rule) => (JSON.parse(rule) as { metadata: { name: string } }).metadata.name);
  assert.equal(new Set(names).size, WORK.routes.routes + 1);
});
