import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ConflictError,
  DeniedError,
  deferred,
  InternalError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
} from "../../shared/base/index.ts";
import { type Bus, connectBus, errorHeaders, protoReply } from "../../shared/bus/index.ts";
import { CheckRequest, CheckResponse, SignRequest, SyncReply, SyncRequest } from "../../shared/wire/index.ts";
import { eventually, freePort, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const proxy = { namespace: "default", serviceAccount: "reviews", proxy: "reviews-1" };
let nats: NatsFixture;
let mixer: Bus;
let workload: Bus;

before(async () => {
  nats = await startNats({ workloads: [reviews] });
  mixer = await nats.connect("mixer");
  workload = await nats.connectWorkload(reviews);
});
after(() => nats.stop());

const check = (timeoutMs = 1_000) =>
  workload.request(nats.subjects.policyCheck(proxy), CheckRequest, {}, CheckResponse, { timeoutMs });

test("a request is answered by a served handler", async () => {
  const serving = mixer.serve(nats.subjects.allPolicyChecks(), (message) => {
    assert.deepEqual(nats.subjects.parsePolicyCheck(message.subject), proxy);
    message.decode(CheckRequest);
    return protoReply(CheckResponse, {});
  });
  await mixer.flush();
  assert.ok(await check());
  serving.close();
});

test("a request that nobody serves fails at once", async () => {
  await mixer.flush();
  const startedAt = performance.now();
  await assert.rejects(check(5_000), UnavailableError);
  assert.ok(performance.now() - startedAt < 1_000);
});

test("a handler's error arrives as the same error, an unknown one as a plain internal error", async () => {
  let failure: unknown = new ConflictError("somebody was first, \u00fcber");
  const serving = mixer.serve(nats.subjects.allPolicyChecks(), async () => {
    throw failure;
  });
  await mixer.flush();
  await assert.rejects(
    check(),
    (error) => error instanceof ConflictError && error.message === "somebody was first, \u00fcber",
  );
  failure = new NotFoundError("line\r\nbreak");
  await assert.rejects(check(), NotFoundError);
  failure = new Error("secret");
  await assert.rejects(check(), (error) => error instanceof InternalError && !error.message.includes("secret"));
  serving.close();
  await mixer.flush();
  assert.equal(errorHeaders(new Error("secret"))["Mesh-Error"], "internal error");
});

test("a slow handler is a timeout, an aborted request ends with its reason", async () => {
  const serving = mixer.serve(nats.subjects.allPolicyChecks(), () => undefined);
  await mixer.flush();
  await assert.rejects(check(50), TimeoutError);
  const abort = new AbortController();
  const request = workload.request(nats.subjects.policyCheck(proxy), CheckRequest, {}, CheckResponse, {
    timeoutMs: 5_000,
    signal: abort.signal,
  });
  abort.abort(new Error("enough"));
  await assert.rejects(request, /enough/);
  serving.close();
  await mixer.flush();
});

test("too many requests in flight are refused, not queued", async () => {
  const release: (() => void)[] = [];
  const serving = mixer.serve(
    nats.subjects.allPolicyChecks(),
    () => new Promise((resolve) => release.push(() => resolve(protoReply(CheckResponse, {})))),
    { maxInFlight: 2 },
  );
  await mixer.flush();
  const held = [check(5_000), check(5_000)];
  await eventually(() => release.length === 2);
  await assert.rejects(check(), UnavailableError);
  for (const resolve of release) resolve();
  await Promise.all(held);
  serving.close();
  await mixer.flush();
});

test("a message of another type is not decoded", async () => {
  const serving = mixer.serve(nats.subjects.allPolicyChecks(), (message) => {
    message.decode(CheckRequest);
    return undefined;
  });
  await mixer.flush();
  const request = workload.request(nats.subjects.policyCheck(proxy), SignRequest, {}, CheckResponse, {
    timeoutMs: 1_000,
  });
  await assert.rejects(request, { code: "ERR_MESH_WIRE" });
  serving.close();
  await mixer.flush();
});

test("a forbidden request fails at once and is counted; a forbidden publish is counted and goes nowhere", async () => {
  const before = workload.stats.permissionErrors;
  const other = { ...proxy, serviceAccount: "ratings" };
  let received = 0;
  const listening = mixer.subscribe(nats.subjects.allPolicyChecks(), () => received++);
  await mixer.flush();
  await assert.rejects(
    workload.request(nats.subjects.policyCheck(other), CheckRequest, {}, CheckResponse, { timeoutMs: 5_000 }),
    DeniedError,
  );
  workload.publish(nats.subjects.policyCheck(other), CheckRequest, {});
  await workload.flush();
  await eventually(() => workload.stats.permissionErrors === before + 2);
  await mixer.flush();
  assert.equal(received, 0);
  listening.close();
});

test("a handler that throws leaves the connection working", async () => {
  const before = mixer.stats.callbackErrors;
  let calls = 0;
  const listening = mixer.subscribe(nats.subjects.allPolicyChecks(), () => {
    calls++;
    throw new Error("broken handler");
  });
  const rejecting = mixer.subscribe(nats.subjects.allPolicyChecks(), async () => {
    throw new Error("broken promise");
  });
  await mixer.flush();
  for (let i = 0; i < 3; i++) workload.publish(nats.subjects.policyCheck(proxy), CheckRequest, {});
  await eventually(() => calls === 3 && mixer.stats.callbackErrors === before + 6);
  await mixer.flush();
  listening.close();
  rejecting.close();
});

test("a request whose reply subject is no inbox is dropped unhandled", async () => {
  let handled = 0;
  const serving = mixer.serve(nats.subjects.allPolicyChecks(), () => {
    handled++;
    return protoReply(CheckResponse, {});
  });
  await mixer.flush();
  const refused = mixer.stats.repliesRefused;
  workload.publishBytes(nats.subjects.policyCheck(proxy), new Uint8Array(), {
    reply: nats.subjects.table("trust", "bundle"),
  });
  await eventually(() => mixer.stats.repliesRefused === refused + 1);
  assert.equal(handled, 0);
  serving.close();
  await mixer.flush();
});

test("an operator's requests and gathers cross accounts", async () => {
  const operator = await nats.connect("operator");
  const pilot = await nats.connect("pilot");
  pilot.serve(nats.subjects.config("get"), (message) => ({ json: { got: JSON.parse(message.text()) } }), {
    queue: nats.subjects.queue("pilot"),
  });
  const subject = nats.subjects.sync("service", "default.reviews");
  workload.serve(subject, () => protoReply(SyncReply, { role: "proxy", name: "a", revision: 3 }));
  pilot.serve(subject, () => protoReply(SyncReply, { role: "pilot", name: "b", owner: true }));
  mixer.serve(subject, () => undefined);
  await Promise.all([pilot.flush(), workload.flush(), mixer.flush()]);
  const body = { kind: "RouteRule" };
  assert.deepEqual(await operator.requestJson(nats.subjects.config("get"), body, { timeoutMs: 1_000 }), { got: body });
  const startedAt = performance.now();
  const answers = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 100, maxMs: 3_000 });
  assert.deepEqual(answers.map(({ name }) => name).sort(), ["a", "b"]);
  assert.ok(performance.now() - startedAt < 2_000);
});

test("without the right password there is no connection, and waiting for one ends", async () => {
  const options = {
    servers: nats.url,
    name: "x",
    inboxPrefix: "_INBOX.x",
    subjects: nats.subjects,
    log: silentLog,
    connectTimeoutMs: 400,
  };
  await assert.rejects(connectBus(options), UnavailableError);
  await assert.rejects(connectBus({ ...options, user: "pilot", password: "wrong" }), UnavailableError);
  await assert.rejects(connectBus({ ...options, servers: `nats://127.0.0.1:${await freePort()}` }), UnavailableError);
});

test("closing waits for the requests being served", async () => {
  const short = await nats.connect("ca");
  const [begun, release] = [deferred<void>(), deferred<void>()];
  short.serve(nats.subjects.allCaSign(), async () => {
    begun.resolve();
    await release.promise;
    return { json: { done: true } };
  });
  await short.flush();
  const answer = workload.requestJson(nats.subjects.caSign(reviews), {}, { timeoutMs: 5_000 });
  await begun.promise;
  let closed = false;
  const closing = short.close().then(() => {
    closed = true;
  });
  // It takes no more requests, so it has heard of its end.
  const another = () => workload.requestJson(nats.subjects.caSign(reviews), {}, { timeoutMs: 200 });
  await eventually(() => assert.rejects(another(), UnavailableError));
  assert.equal(closed, false);
  release.resolve();
  await closing;
  assert.deepEqual(await answer, { done: true });
});
