import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import type { App } from "../../shared/base/index.ts";
import { type Bus, TableStore } from "../../shared/bus/index.ts";
import {
  EndpointSet,
  type Input,
  Registration,
  type RegistryAddress,
  type RegistryVerb,
  type WorkloadUser,
} from "../../shared/wire/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

/*
 * What a workload can do with nothing but its own credentials. Its one lever is the reply subject: the bus delivers an
 * answer of JetStream to whatever subject the asker names, past every permission, and an answer may contain text that
 * the asker has put into its own registration.
 */

const RATINGS: WorkloadUser = { namespace: "default", serviceAccount: "ratings", service: "ratings" };
const EVIL: WorkloadUser = { namespace: "default", serviceAccount: "evil", service: "evil" };
const EMPTY = new Uint8Array();

let nats: NatsFixture;
let operator: Bus;
let ratings: Bus;
let evil: Bus;
let storeBus: Bus;
let folder: string;
let pilot: App;

before(async () => {
  nats = await startNats({ workloads: [RATINGS, EVIL] });
  folder = await mkdtemp(join(tmpdir(), "lateen-hostile-"));
  pilot = buildPilot(
    parsePilotConfig(
      {
        NATS_URL: nats.url,
        NATS_USER: "pilot",
        NATS_PASSWORD: nats.password("pilot"),
        LATEEN_DATA_DIR: folder,
        REPLICA: "one",
      },
      [],
    ),
    { log: silentLog, watchdog: false },
  );
  await pilot.start();
  [operator, ratings, evil, storeBus] = await Promise.all([
    nats.connect("operator"),
    nats.connectWorkload(RATINGS),
    nats.connectWorkload(EVIL),
    nats.connectStore("pilot"),
  ]);
  register(ratings, RATINGS, "ratings-1");
  await eventually(async () => assert.deepEqual(await instancesOf("ratings"), ["ratings-1"]));
});

after(async () => {
  await pilot.stop();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

function register(
  bus: Bus,
  workload: WorkloadUser,
  instance: string,
  more: Input<typeof Registration> = {},
  verb: RegistryVerb = "register",
): void {
  const address: RegistryAddress = { ...workload, verb, instance };
  bus.publish(nats.subjects.registry(address), Registration, {
    address: "127.0.0.1",
    ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
    healthy: true,
    ...more,
  });
}

async function instancesOf(service: string): Promise<string[]> {
  const store = await TableStore.open(storeBus, "endpoints", { create: false });
  const found = await store.get(`default.${service}.0`);
  return found === undefined ? [] : EndpointSet.decode(found.value).endpoints.map(({ instance }) => instance);
}

/** Reads a key that the workload may read, and has the answer delivered elsewhere. */
function steer(key: string, reply: string): void {
  evil.publishBytes(nats.subjects.directGet("endpoints", key), EMPTY, { reply });
}

test("an answer steered at config.apply configures nothing, whatever its text", async () => {
  const rule = ["apiVersion: config.istio.io/v1alpha2", "kind: RouteRule", "metadata: {name: stolen}"];
  const spec = ["spec:", "  destination: {name: ratings}", "  precedence: 9"];
  register(evil, EVIL, "evil-1", { labels: { note: ["", "---", ...rule, ...spec, "---", ""].join("\n") } });
  await eventually(async () => assert.deepEqual(await instancesOf("evil"), ["evil-1"]));
  const changes: string[] = [];
  const stop = operator.subscribe("mesh.config.changed.>", (message) => changes.push(message.subject));
  await operator.flush();
  steer("default.evil.0", "mesh.config.apply");
  await consistently(() => changes.length === 0, 500);
  stop.close();
});

test("an answer steered at another's goodbye takes nobody out of the registry", async () => {
  let changes = 0;
  const stop = ratings.subscribe(nats.subjects.table("endpoints", "default.ratings.0"), () => changes++);
  await ratings.flush();
  steer("default.evil.0", nats.subjects.registry({ ...RATINGS, verb: "deregister", instance: "ratings-1" }));
  steer("default.nobody.0", nats.subjects.registry({ ...RATINGS, verb: "deregister", instance: "ratings-1" }));
  await consistently(() => changes === 0, 500);
  stop.close();
});
