import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock, TimeoutError, UnavailableError } from "../../shared/base/index.ts";
import {
  type Bus,
  bucketConfig,
  DurableQueue,
  JetStream,
  Leader,
  TableOwner,
  TableStore,
} from "../../shared/bus/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats, startRelay } from "../harness/index.ts";

let nats: NatsFixture;
let root: Bus;

before(async () => {
  nats = await startNats();
  root = await nats.connect("root");
});
after(() => nats.stop());

interface Candidate {
  readonly leader: Leader;
  elected: number;
  deposed: number;
}

function candidate(bus: Bus, name: string): Candidate {
  const made: Candidate = {
    elected: 0,
    deposed: 0,
    leader: new Leader({
      bus,
      role: "pilot",
      name,
      clock: systemClock,
      log: silentLog,
      onElected: () => {
        made.elected++;
      },
      onDeposed: () => {
        made.deposed++;
      },
    }),
  };
  made.leader.start();
  return made;
}

test("one of two leads, and the other follows as soon as it resigns", async () => {
  const [a, b] = [candidate(await nats.connectStore("pilot"), "a"), candidate(await nats.connectStore("pilot"), "b")];
  await eventually(() => a.leader.leading || b.leader.leading);
  await consistently(() => a.leader.leading !== b.leader.leading, 1_500);
  const [first, second] = a.leader.leading ? [a, b] : [b, a];
  await eventually(() => second.leader.leaderName === first.leader.leaderName);
  await first.leader.resign();
  assert.equal(first.deposed, 1);
  await eventually(() => second.leader.leading, { withinMs: 1_500 });
  await second.leader.resign();
  assert.equal(a.elected + b.elected, 2);
});

test("a leader that is cut off steps down before another is elected", async (context) => {
  const relay = await startRelay(nats.port);
  context.after(() => relay.stop());
  const cutOff = await nats.connect("pilot-store", { url: `nats://127.0.0.1:${relay.port}` });
  const old = candidate(cutOff, "old");
  await eventually(() => old.leader.leading);
  const next = candidate(await nats.connectStore("pilot"), "next");
  relay.pause();
  let both = false;
  await eventually(
    () => {
      both ||= old.leader.leading && next.leader.leading;
      return next.leader.leading;
    },
    { withinMs: 8_000, everyMs: 5 },
  );
  assert.equal(both, false);
  assert.equal(old.deposed, 1);
  relay.resume();
  await consistently(() => !old.leader.leading && next.leader.leading, 500);
  await Promise.all([old.leader.resign(), next.leader.resign()]);
  await cutOff.close();
});

test("a leader keeps or regains the lead when the server restarts, even without its files", async () => {
  const only = candidate(await nats.connectStore("pilot"), "only");
  await eventually(() => only.leader.leading);
  await nats.restart({ wipe: true });
  await eventually(() => root.connected);
  await eventually(
    async () => {
      const info = await new JetStream(root).streamInfo(nats.subjects.bucketStream("leader"));
      return info.messages === 1 && only.leader.leading;
    },
    { withinMs: 8_000 },
  );
  await only.leader.resign();
});

test("a leader that steps down for a refused write stands again after a lease", async () => {
  const only = candidate(await nats.connectStore("pilot"), "only");
  await eventually(() => only.leader.leading);
  only.leader.stepDown();
  assert.equal(only.leader.leading, false);
  assert.equal(only.deposed, 1);
  await eventually(() => only.leader.leading, { withinMs: 8_000 });
  await only.leader.resign();
});

test("submitted documents wait for a consumer, are tried again, and are done once", async () => {
  const bus = await nats.connectStore("pilot");
  const operator = await nats.connect("operator");
  const submit = nats.subjects.config("submit");
  const options = {
    bus,
    stream: nats.subjects.submitStream(),
    subject: submit,
    durable: "pilot",
    clock: systemClock,
    log: silentLog,
  };
  await assert.rejects(
    operator.requestJson(submit, "early", { timeoutMs: 300 }),
    (error) => error instanceof TimeoutError || error instanceof UnavailableError,
  );
  await new DurableQueue(options).ensure();
  for (const text of ["one", "two"]) {
    const ack = await operator.requestJson(submit, text, { timeoutMs: 2_000 });
    assert.equal((ack as { stream: string }).stream, nats.subjects.submitStream());
  }
  const seen: string[] = [];
  const queue = new DurableQueue(options);
  const consumption = queue.consume(async (message) => {
    seen.push(`${message.text()}:${message.delivery}`);
    if (seen.length === 1) throw new Error("try again");
  });
  await eventually(() => seen.length === 3);
  assert.deepEqual(seen, ["one:1", "one:1", "two:1"], "the later one does not overtake");
  await operator.requestJson(submit, "three", { timeoutMs: 2_000 });
  await eventually(() => seen.includes("three:1"), { withinMs: 1_000 });
  const streamInfo = () => new JetStream(root).streamInfo(options.stream);
  await eventually(async () => (await streamInfo()).messages === 0);
  await consumption.stop();
  await operator.requestJson(submit, "four", { timeoutMs: 2_000 });
  await consistently(() => seen.length === 4, 200);
  assert.equal((await streamInfo()).messages, 1);
  const again = queue.consume(async (message) => {
    seen.push(message.text());
  });
  await eventually(() => seen.includes("four"));
  await again.stop();
});

test("a message that outlives its consumers is given up with a word, and those behind it go on", async () => {
  const bus = await nats.connectStore("pilot");
  const operator = await nats.connect("operator");
  const submit = nats.subjects.config("submit");
  const stream = nats.subjects.submitStream();
  const queue = new DurableQueue({
    bus,
    stream,
    subject: submit,
    durable: "pilot",
    clock: systemClock,
    log: silentLog,
  });
  await queue.ensure();
  for (const text of ["poison", "after"]) await operator.requestJson(submit, text, { timeoutMs: 2_000 });
  const seen: string[] = [];
  const givenUp: string[] = [];
  while (givenUp.length === 0 && seen.length < 20) {
    const before = seen.length;
    const consumption = queue.consume(
      async (message) => {
        seen.push(message.text());
        if (message.text() === "poison") throw new Error("as if the process had ended");
      },
      (message) => givenUp.push(message.text()),
    );
    await eventually(() => seen.length > before || givenUp.length > 0);
    if (givenUp.length > 0) await eventually(() => seen.includes("after"));
    await consumption.stop();
  }
  assert.deepEqual(givenUp, ["poison"]);
  assert.equal(seen.filter((text) => text === "after").length, 1);
});

test("a message in the hands of a consumer that was killed is soon delivered to the next", async () => {
  const operator = await nats.connect("operator");
  const subject = nats.subjects.config("submit");
  const options = {
    stream: nats.subjects.submitStream(),
    subject,
    durable: "pilot",
    clock: systemClock,
    log: silentLog,
  };
  const killed = await nats.connectStore("pilot");
  const taken: string[] = [];
  new DurableQueue({ ...options, bus: killed }).consume((message) => {
    taken.push(message.text());
    return new Promise(() => {});
  });
  await eventually(() => killed.connected);
  await eventually(async () => {
    await operator.requestJson(subject, "in hand", { timeoutMs: 1_000 });
  });
  await eventually(() => taken.length === 1);
  await killed.close();
  const seen: string[] = [];
  const next = new DurableQueue({ ...options, bus: await nats.connectStore("pilot") }).consume(async (message) => {
    seen.push(message.text());
  });
  await eventually(() => seen.includes("in hand"), { withinMs: 8_000 });
  await next.stop();
});

test("a leader bucket and a queue of an earlier version's settings are brought up to date", async (context) => {
  const fresh = await startNats();
  context.after(() => fresh.stop());
  const { subjects } = fresh;
  const js = new JetStream(await fresh.connect("root"));
  await js.ensureStream({ ...bucketConfig(subjects, "leader"), max_age: 0, duplicate_window: 60_000_000_000 });
  const subject = subjects.config("submit");
  await js.ensureStream({ name: subjects.submitStream(), subjects: [subject], retention: "workqueue" });
  const bus = await fresh.connectStore("pilot");
  const only = candidate(bus, "updater");
  await eventually(() => only.leader.leading);
  const queue = { bus, stream: subjects.submitStream(), subject, durable: "pilot", clock: systemClock, log: silentLog };
  await new DurableQueue(queue).ensure();
  await only.leader.resign();
});

test("a stale leader's refused write makes it step down, and the new leader's value stays", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const own = (bus: Bus, onConflict: () => void) =>
    new TableOwner({ bus, table: "service", clock: systemClock, log: silentLog, onConflict });
  const bus = await nats.connectStore("pilot");
  const stale = candidate(bus, "stale");
  await eventually(() => stale.leader.leading, { withinMs: 5_000 });
  const staleOwner = own(bus, () => stale.leader.stepDown());
  await staleOwner.start();
  await staleOwner.set("default.a", bytes("one"));
  const freshOwner = own(await nats.connectStore("pilot"), () => assert.fail("conflict"));
  await freshOwner.start();
  await freshOwner.set("default.a", bytes("two"));
  await assert.rejects(staleOwner.set("default.a", bytes("three")), { code: "ERR_MESH_CONFLICT" });
  assert.equal(stale.deposed, 1);
  const store = await TableStore.open(bus, "service", { create: false });
  assert.deepEqual((await store.get("default.a"))?.value, bytes("two"));
  freshOwner.stop();
  await stale.leader.resign();
});
