import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import type { App } from "../../shared/base/index.ts";
import { type Bus, type BusSubscription, JetStream } from "../../shared/bus/index.ts";
import { type Component, Registration, type WorkloadUser } from "../../shared/wire/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

/*
 * Every answer on the bus goes where its asker says. So each service that crosses accounts is asked for an answer at the
 * subject of a key, of a head, of a registration, of JetStream's own requests: no table may change by it, and nobody in the
 * other account may hear it.
 */

const RATINGS: WorkloadUser = { namespace: "default", serviceAccount: "ratings", service: "ratings" };
const EVIL: WorkloadUser = { namespace: "default", serviceAccount: "evil", service: "evil" };
const EMPTY = new Uint8Array();
const COMPONENTS: readonly Component[] = ["pilot", "mixer", "ca"];

let nats: NatsFixture;
let root: Bus;
let folder: string;
let pilot: App;

before(async () => {
  nats = await startNats({ workloads: [RATINGS, EVIL] });
  folder = await mkdtemp(join(tmpdir(), "lateen-steering-"));
  const env = {
    NATS_URL: nats.url,
    NATS_USER: "pilot",
    NATS_PASSWORD: nats.password("pilot"),
    LATEEN_DATA_DIR: folder,
    REPLICA: "one",
  };
  pilot = buildPilot(parsePilotConfig(env, []), { log: silentLog, watchdog: false });
  await pilot.start();
  root = await nats.connect("root");
  const ratings = await nats.connectWorkload(RATINGS);
  ratings.publishBytes(
    nats.subjects.registry({ ...RATINGS, verb: "register", instance: "ratings-1" }),
    Registration.encode({ address: "127.0.0.1", healthy: true }),
    { headers: { "Mesh-Type": Registration.name } },
  );
  await eventually(async () => assert.equal((await states()).get("KV_mesh-endpoints")?.messages, 1));
});

after(async () => {
  await pilot.stop();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

/** How much each stream of the mesh holds, but for the one whose lease is renewed each second. */
async function states(): Promise<Map<string, { messages: number; last: number }>> {
  const { streams } = (await new JetStream(root).call("$JS.API.STREAM.LIST", {})) as {
    streams: { config: { name: string }; state: { messages: number; last_seq: number } }[];
  };
  return new Map(
    streams
      .filter(({ config }) => config.name !== "KV_mesh-leader")
      .map(({ config, state }) => [config.name, { messages: state.messages, last: state.last_seq }]),
  );
}

/** Where an answer would do harm. */
function targets(): string[] {
  const { subjects } = nats;
  const gone = subjects.registry({ ...RATINGS, verb: "deregister", instance: "ratings-1" });
  return [
    subjects.bucketSubject("endpoints", "default.ratings.0"),
    subjects.bucketSubject("service", "default.ratings"),
    subjects.bucketSubject("trust", "bundle"),
    subjects.bucketSubject("leader", "pilot"),
    subjects.table("endpoints", "default.ratings.0"),
    subjects.table("service", "default.ratings"),
    subjects.table("trust", "bundle"),
    subjects.head("endpoints"),
    gone,
    "mesh.proxy.debug.default.ratings.ratings-1",
    "mesh.proxy.tap.default.ratings.ratings-1",
    "mesh.ca.sign.default.ratings",
    "mesh.policy.check.default.ratings.ratings-1",
    "$JS.API.STREAM.DELETE.KV_mesh-endpoints",
    "$JS.API.STREAM.PURGE.KV_mesh-endpoints",
    "$JS.API.STREAM.MSG.DELETE.KV_mesh-endpoints",
  ];
}

/** Everything that may be asked across accounts, as its asker asks it. */
function questions(asker: "operator" | "evil"): string[] {
  const { subjects } = nats;
  const reads = (["service", "endpoints", "hosts", "workload", "trust"] as const).map((table) =>
    subjects.directGet(table, table === "endpoints" ? "default.ratings.0" : "default.ratings"),
  );
  if (asker === "evil") return reads;
  return [
    ...reads,
    subjects.componentStatus(),
    subjects.registryList(),
    subjects.config("pending"),
    subjects.config("list"),
    subjects.syncStatus(),
  ];
}

async function listen(heard: string[]): Promise<BusSubscription[]> {
  const { subjects } = nats;
  const mesh = await Promise.all(COMPONENTS.map((component) => nats.connect(component)));
  const ratings = await nats.connectWorkload(RATINGS);
  const tell = (subject: string) => heard.push(subject);
  const open = (bus: Bus, subject: string) => bus.subscribe(subject, (message) => tell(message.subject));
  const [pilotBus, mixerBus, caBus] = mesh as [Bus, Bus, Bus];
  const subscriptions = [
    open(pilotBus, subjects.allRegistry()),
    open(mixerBus, subjects.allPolicyChecks()),
    open(caBus, subjects.allCaSign()),
    open(ratings, "mesh.proxy.debug.default.ratings.*"),
    open(ratings, "mesh.proxy.tap.default.ratings.*"),
    open(ratings, subjects.table("endpoints", ">")),
    open(ratings, subjects.table("service", ">")),
    open(ratings, subjects.table("trust", ">")),
  ];
  await Promise.all([...mesh, ratings].map((bus) => bus.flush()));
  return subscriptions;
}

async function steerEverywhere(bus: Bus, asker: "operator" | "evil"): Promise<void> {
  for (const question of questions(asker)) {
    for (const reply of targets()) bus.publishBytes(question, EMPTY, { reply });
  }
  await bus.flush();
}

describe("an answer steered at another's subject", () => {
  test("by an operator crosses no account and changes no table", async () => {
    const heard: string[] = [];
    const subscriptions = await listen(heard);
    const before = await states();
    const operator = await nats.connect("operator");
    await steerEverywhere(operator, "operator");
    await consistently(() => heard.every((subject) => subject.startsWith("mesh.proxy.")), 500);
    assert.deepEqual(await states(), before);
    for (const subscription of subscriptions) subscription.close();
  });

  test("by a workload changes no table", async () => {
    const before = await states();
    const evil = await nats.connectWorkload(EVIL);
    await steerEverywhere(evil, "evil");
    await consistently(() => true, 500);
    assert.deepEqual(await states(), before);
  });

  test("what only people may ask, a workload may not", async () => {
    const evil = await nats.connectWorkload(EVIL);
    const heard: string[] = [];
    const subscriptions = await listen(heard);
    for (const subject of [
      "mesh.proxy.debug.default.ratings.ratings-1",
      "mesh.proxy.tap.default.ratings.ratings-1",
      "mesh.proxy.tap.default.evil.evil-1",
      nats.subjects.registryList(),
      nats.subjects.componentStatus(),
      nats.subjects.mixerCheck(),
      nats.subjects.config("list"),
    ]) {
      await assert.rejects(evil.requestRaw(subject, EMPTY, { timeoutMs: 300 }), subject);
    }
    assert.deepEqual(heard, []);
    for (const subscription of subscriptions) subscription.close();
  });
});
