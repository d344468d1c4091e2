import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Reporter, type ReporterOptions } from "../../services/proxy/report/reporter.ts";
import { InvalidArgumentError, systemClock } from "../../shared/base/index.ts";
import { type Bus, type BusMessage, type BusSubscription, protoReply } from "../../shared/bus/index.ts";
import { Plan, ReportAck, ReportBatch } from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const workload = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const identity = { namespace: "default", serviceAccount: "reviews", proxy: "reviews-1" };
const PEERS = { source: {}, destination: {} };
const PLAN = Plan.decode(Plan.encode({ inbound: { groupBy: ["response.code"] } }));

interface Hit {
  readonly code: number;
  readonly source: object;
  readonly destination: object;
}

interface Delivery {
  readonly replica: string;
  readonly direct: boolean;
  readonly batch: ReportBatch;
}

/** A Mixer replica that takes reports; `answer` decides what it says. */
class ScriptedMixer {
  answer: "ack" | "silence" | "refuse" = "ack";
  readonly #subscriptions: BusSubscription[];

  constructor(bus: Bus, name: string, deliveries: Delivery[]) {
    const handle = (direct: boolean) => (message: BusMessage) => {
      const batch = message.decode(ReportBatch);
      deliveries.push({ replica: name, direct, batch });
      if (this.answer === "silence") return undefined;
      if (this.answer === "refuse") throw new InvalidArgumentError("no such batch");
      return protoReply(ReportAck, { replica: name, sequence: batch.sequence });
    };
    const { subjects } = bus;
    this.#subscriptions = [
      bus.serve(subjects.allReports(), handle(false), { queue: subjects.queue("mixer") }),
      bus.serve(subjects.allReportsTo(name), handle(true)),
    ];
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }
}

function requests(deliveries: readonly Delivery[]): number {
  const batches = new Map(deliveries.map(({ batch }) => [batch.sequence, batch]));
  let count = 0;
  for (const batch of batches.values()) for (const row of batch.rows) count += row.count;
  return count;
}

describe("the reporter", () => {
  let nats: NatsFixture;
  let workloadBus: Bus;
  const cleanups: (() => unknown)[] = [];
  let deliveries: Delivery[] = [];

  before(async () => {
    nats = await startNats({ workloads: [workload] });
    workloadBus = await nats.connectWorkload(workload);
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
    deliveries = [];
  });

  after(() => nats.stop());

  const mixer = async (name: string): Promise<ScriptedMixer> => {
    const bus = await nats.connect("mixer");
    const replica = new ScriptedMixer(bus, name, deliveries);
    cleanups.push(() => {
      replica.close();
      return bus.flush().catch(() => undefined);
    });
    await bus.flush();
    return replica;
  };

  const reporter = (
    overrides: Partial<ReporterOptions<Hit>> = {},
  ): { hit: (code: number) => void; reporter: Reporter<Hit> } => {
    const result = new Reporter<Hit>({
      bus: workloadBus,
      identity,
      compileReader: () => (record) => record.code,
      clock: systemClock,
      log: silentLog,
      ackTimeoutMs: 150,
      ...overrides,
    });
    const plan = result.plan(PLAN);
    cleanups.push(() => result.stop(200));
    return { reporter: result, hit: (code) => result.record(plan, "inbound", { code, ...PEERS }) };
  };

  test("a flush sends what waits when it begins: what comes meanwhile merges for the next one", async () => {
    const bus = await nats.connect("mixer");
    const { reporter: own, hit } = reporter();
    let batches = 0;
    const busy = bus.serve(bus.subjects.allReports(), (message) => {
      batches++;
      hit(500 + batches);
      return protoReply(ReportAck, { replica: "", sequence: message.decode(ReportBatch).sequence });
    });
    cleanups.push(() => busy.close());
    await bus.flush();
    hit(200);
    await own.flush();
    assert.equal(batches, 1);
    assert.equal(own.waiting, 1);
    busy.close();
    await mixer("a");
    await own.flush();
    assert.deepEqual(requests(deliveries), 1);
  });

  test("rows of single requests leave when there are enough for a message, before the second is over", async () => {
    await mixer("a");
    const { reporter: own } = reporter({ flushMs: 3_600_000 });
    own.start();
    const plan = own.plan(Plan.decode(Plan.encode({ inbound: { eachRequest: true, each: ["response.code"] } })));
    const record = () => own.record(plan, "inbound", { code: 200, ...PEERS });
    for (let i = 0; i < 249; i++) record();
    await workloadBus.flush();
    assert.equal(deliveries.length, 0);
    record();
    await eventually(() => requests(deliveries) === 250);
    await eventually(() => own.waiting === 0);
    for (let i = 0; i < 2_000; i++) record();
    await eventually(() => requests(deliveries) === 2_250);
    assert.equal(own.dropped, 0);
  });

  test("stays with the replica that acknowledged", async () => {
    await mixer("a");
    await mixer("b");
    const { reporter: own, hit } = reporter();
    for (let i = 0; i < 10; i++) {
      hit(200);
      await own.flush();
    }
    assert.equal(deliveries.length, 10);
    assert.equal(new Set(deliveries.map((delivery) => delivery.replica)).size, 1);
    assert.deepEqual(
      deliveries.map((delivery) => delivery.direct),
      [false, ...new Array<boolean>(9).fill(true)],
    );
    assert.deepEqual(
      deliveries.map((delivery) => delivery.batch.sequence),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.equal(new Set(deliveries.map((delivery) => delivery.batch.bootId)).size, 1);
    assert.equal(requests(deliveries), 10);
  });

  test("repeats an unacknowledged batch as it was, to the same replica, while new requests merge", async () => {
    const a = await mixer("a");
    const { reporter: own, hit } = reporter({ ackTimeoutMs: 300 });
    hit(200);
    await own.flush();
    a.answer = "silence";
    hit(500);
    const flushed = own.flush();
    await eventually(() => deliveries.length === 2);
    hit(200);
    hit(200);
    a.answer = "ack";
    await flushed;
    await own.flush();
    assert.deepEqual(
      deliveries.map(({ direct, batch }) => [direct, batch.sequence]),
      [
        [false, 1],
        [true, 2],
        [true, 2],
        [true, 3],
      ],
    );
    assert.deepEqual(deliveries[1]?.batch, deliveries[2]?.batch);
    assert.equal(deliveries[3]?.batch.rows[0]?.count, 2);
    assert.equal(own.waiting, 0);
  });

  test("leaves a silent replica for another one with the same sequence", async () => {
    const a = await mixer("a");
    const { reporter: own, hit } = reporter();
    hit(200);
    await own.flush();
    const b = await mixer("b");
    a.answer = "silence";
    hit(200);
    await own.flush();
    await eventually(async () => {
      await own.flush();
      return own.waiting === 0;
    });
    const second = deliveries.filter(({ batch }) => batch.sequence === 2);
    assert.deepEqual(
      second.slice(0, 2).map(({ replica, direct }) => [replica, direct]),
      [
        ["a", true],
        ["a", true],
      ],
    );
    assert.deepEqual([second.at(-1)?.replica, second.at(-1)?.direct], ["b", false]);
    assert.equal(own.replica, "b");
    assert.equal(b.answer, "ack");
    assert.equal(own.dropped, 0);
  });

  test("finds another replica at once when its own is gone", async () => {
    const a = await mixer("a");
    const { reporter: own, hit } = reporter({ ackTimeoutMs: 5_000 });
    hit(200);
    await own.flush();
    await mixer("b");
    a.close();
    await eventually(
      async () => {
        hit(200);
        await own.flush();
        return own.replica === "b";
      },
      { withinMs: 4_000 },
    );
    assert.equal(own.waiting, 0);
  });

  test("loses nothing while nobody listens, and merges what comes", async () => {
    const { reporter: own, hit } = reporter();
    for (let i = 0; i < 50; i++) {
      hit(200);
      await own.flush();
    }
    assert.equal(own.waiting, 2, "one batch that waits, and one merged row");
    await mixer("a");
    await own.flush();
    assert.equal(requests(deliveries), 50);
    assert.deepEqual([...new Set(deliveries.map(({ batch }) => batch.sequence))], [1, 2]);
    assert.equal(own.dropped, 0);
  });

  test("counts what Mixer refuses, and tells it with the next batch", async () => {
    const a = await mixer("a");
    a.answer = "refuse";
    const { reporter: own, hit } = reporter();
    hit(200);
    hit(200);
    await own.flush();
    assert.equal(own.waiting, 0);
    assert.equal(own.dropped, 2);
    a.answer = "ack";
    hit(200);
    await own.flush();
    assert.equal(deliveries.at(-1)?.batch.dropped, 2);
  });

  test("cuts what does not fit one message into several batches", async () => {
    await mixer("a");
    const { reporter: own, hit } = reporter();
    for (let code = 0; code < 2_500; code++) hit(code);
    await own.flush();
    assert.deepEqual(
      deliveries.map(({ batch }) => batch.rows.length),
      [1_000, 1_000, 500],
    );
    assert.equal(requests(deliveries), 2_500);
  });

  test("sends by itself about once a period", async () => {
    await mixer("a");
    const { reporter: own, hit } = reporter({ flushMs: 50 });
    own.start();
    hit(200);
    await eventually(() => deliveries.length === 1);
    hit(200);
    await eventually(() => deliveries.length === 2);
  });

  test("sends the rest when it stops, and counts what it cannot send within the deadline", async () => {
    const { reporter: late, hit: lateHit } = reporter();
    lateHit(200);
    lateHit(201);
    const started = performance.now();
    await late.stop(200);
    assert.ok(performance.now() - started < 1_000);
    assert.equal(late.dropped, 2);
    await mixer("a");
    const { reporter: own, hit } = reporter();
    hit(200);
    await own.stop();
    assert.equal(requests(deliveries), 1);
    assert.equal(own.dropped, 0);
  });

  test("goes on with the same batch after the bus was away", async () => {
    const a = await mixer("a");
    const { reporter: own, hit } = reporter({ ackTimeoutMs: 1_000 });
    hit(200);
    await own.flush();
    await nats.kill();
    await eventually(() => !workloadBus.connected);
    for (let i = 0; i < 5; i++) {
      hit(200);
      await own.flush();
    }
    assert.equal(own.replica, "a", "an absent bus is not an absent replica");
    await nats.restart();
    assert.equal(a.answer, "ack");
    await eventually(
      async () => {
        await own.flush();
        return own.waiting === 0;
      },
      { withinMs: 10_000, everyMs: 100 },
    );
    assert.equal(requests(deliveries), 6);
    assert.equal(own.dropped, 0);
  });
});
