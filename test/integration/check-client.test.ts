import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { CheckClient, type CheckResult } from "../../services/proxy/policy/check-client.ts";
import { InternalError, systemClock } from "../../shared/base/index.ts";
import { type Bus, protoReply } from "../../shared/bus/index.ts";
import type { AttributeValue } from "../../shared/model/index.ts";
import { CheckRequest, CheckResponse, type Input, Plan } from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";

const workload = { namespace: "default", serviceAccount: "ratings", service: "ratings" };
const identity = { namespace: "default", serviceAccount: "ratings", proxy: "ratings-1" };

type Answer = Input<typeof CheckResponse> | undefined | Promise<Input<typeof CheckResponse> | undefined>;

function plan(input: Input<typeof Plan>): Plan {
  return Plan.decode(Plan.encode(input));
}

const CHECKED = plan({ revision: 3, check: { attributes: ["source.user", "request.path"], failOpen: false } });
const BY_USER = { referenced: [{ attribute: "source.user" }], validMs: 10_000, validUses: 100 };

describe("the check client", () => {
  let nats: NatsFixture;
  let bus: Bus;
  let mixer: Bus;
  const cleanups: (() => void)[] = [];
  let seen: CheckRequest[] = [];

  before(async () => {
    nats = await startNats({ workloads: [workload] });
    bus = await nats.connectWorkload(workload);
    mixer = await nats.connect("mixer");
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) cleanup();
    // Until the server knows, it still gives requests to what was closed.
    await mixer.flush().catch(() => undefined);
    seen = [];
  });

  after(() => nats.stop());

  const serve = async (answer: (request: CheckRequest, nth: number) => Answer): Promise<void> => {
    const subscription = mixer.serve(
      mixer.subjects.allPolicyChecks(),
      async (message) => {
        const request = message.decode(CheckRequest);
        seen.push(request);
        const response = await answer(request, seen.length);
        return response === undefined ? undefined : protoReply(CheckResponse, response);
      },
      { queue: mixer.subjects.queue("mixer") },
    );
    cleanups.push(() => subscription.close());
    await mixer.flush();
  };

  const client = (options: { deadlineMs?: number; hedgeMs?: number } = {}): CheckClient =>
    new CheckClient({ bus, identity, clock: systemClock, deadlineMs: 1_000, hedgeMs: 500, ...options });

  const reader = (attributes: Record<string, AttributeValue>) => (reference: string) => attributes[reference];

  test("a plan without checks asks nothing and answers at once", () => {
    const answer = client().check(plan({ revision: 1 }), 1, reader({}));
    assert.deepEqual(answer, { code: 0, message: "", source: "none" });
  });

  test("asks with the plan's attributes, keeps the answer, and then answers without a promise", async () => {
    await serve(() => ({ code: 7, message: "denied", ...BY_USER }));
    const own = client();
    const read = reader({ "source.user": "a", "request.path": "/1", "request.host": "not in the plan" });
    assert.deepEqual(await own.check(CHECKED, 3, read), { code: 7, message: "denied", source: "mixer" });
    assert.deepEqual(Object.keys(seen[0]?.attributes ?? {}).sort(), ["request.path", "source.user"]);
    assert.equal(seen[0]?.planRevision, 3);
    assert.deepEqual(own.check(CHECKED, 3, reader({ "source.user": "a", "request.path": "/2" })), {
      code: 7,
      message: "denied",
      source: "cache",
    });
    await own.check(CHECKED, 3, reader({ "source.user": "b" }));
    assert.equal(seen.length, 2);
    await own.check(CHECKED, 4, read);
    assert.equal(seen.length, 3, "another revision of the plan starts anew");
  });

  test("repeats a question once, with the same deduplication id, and takes the first answer", async () => {
    await serve((_request, nth) => (nth === 1 ? undefined : { code: 0 }));
    const result = await client({ deadlineMs: 2_000, hedgeMs: 20 }).check(CHECKED, 3, reader({}));
    assert.deepEqual(result, { code: 0, message: "", source: "mixer" });
    assert.equal(seen.length, 2);
    assert.equal(seen[0]?.deduplicationId, seen[1]?.deduplicationId);
    assert.notEqual(seen[0]?.deduplicationId, "");
  });

  test("a Mixer that does not answer in time makes the plan decide", async () => {
    await serve(() => undefined);
    const own = client({ deadlineMs: 100, hedgeMs: 20 });
    const started = performance.now();
    const closed = await own.check(CHECKED, 3, reader({}));
    assert.ok(performance.now() - started < 1_000);
    assert.deepEqual([closed.code, closed.source], [14, "fail-closed"]);
    assert.equal(seen.length, 2, "asked twice, never more");
    const open = plan({ revision: 3, check: { failOpen: true } });
    assert.deepEqual(await own.check(open, 3, reader({})), { code: 0, message: "", source: "fail-open" });
  });

  test("no Mixer, or one with an internal error, is no answer", async () => {
    const own = client();
    const started = performance.now();
    assert.equal((await own.check(CHECKED, 3, reader({}))).source, "fail-closed");
    assert.ok(performance.now() - started < 500, "nobody listens is known at once");
    await serve((_request, nth) => {
      if (nth <= 2) throw new InternalError("broken");
      return { code: 13, message: "adapter failed" };
    });
    assert.equal((await own.check(CHECKED, 3, reader({}))).source, "fail-closed");
    assert.equal((await own.check(CHECKED, 3, reader({}))).source, "fail-closed");
    assert.equal(own.lastFailure, "adapter failed");
  });

  test("a request to be charged is always asked, unless it is refused anyway", async () => {
    const quotas = plan({
      revision: 5,
      check: { attributes: ["source.user"], failOpen: false },
      quotas: [
        {
          matches: [{ clauses: [{ attribute: "source.user", prefix: "q" }] }],
          charges: [{ quota: "rate", charge: 2 }],
        },
      ],
    });
    let granted = 2;
    await serve((request): Answer => {
      if (request.attributes["source.user"]?.string === "q-denied") return { code: 7, message: "no", ...BY_USER };
      if (request.quotas.length === 0) return { code: 0, ...BY_USER };
      const left = granted-- > 0;
      return {
        code: 0,
        message: left ? "" : "Quota is exhausted for: rate",
        ...BY_USER,
        quotas: [{ quota: "rate", granted: left ? 2 : 0 }],
      };
    });
    const own = client();
    const check = async (user: string): Promise<CheckResult> => own.check(quotas, 5, reader({ "source.user": user }));
    assert.equal((await check("free")).source, "mixer");
    assert.equal((await check("free")).source, "cache");
    assert.deepEqual(
      [(await check("q1")).code, (await check("q1")).code, (await check("q1")).code, (await check("q1")).code],
      [0, 0, 8, 8],
    );
    assert.equal(seen.length, 5);
    assert.deepEqual(
      seen[1]?.quotas.map(({ quota, amount, bestEffort }) => ({ quota, amount, bestEffort })),
      [{ quota: "rate", amount: 2, bestEffort: false }],
    );
    assert.equal((await check("q-denied")).source, "mixer");
    assert.equal((await check("q-denied")).source, "cache");
  });

  test("a disconnected bus is known at once", async () => {
    await nats.kill();
    await eventually(() => !bus.connected);
    const started = performance.now();
    assert.equal((await client().check(CHECKED, 3, reader({}))).source, "fail-closed");
    assert.ok(performance.now() - started < 200);
    await nats.restart();
    await eventually(() => bus.connected, { withinMs: 10_000 });
  });
});
