import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../shared/base/index.ts";
import { type Bus, TableStore } from "../../shared/bus/index.ts";
import { Registration, ServiceConfig, SyncReply, SyncRequest, type WorkloadUser } from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";
import { Pilots } from "../harness/pilots.ts";

/** VirtualServices and DestinationRules through a real Pilot and bus: written, waited for, and kept by the next leader. */
const workloads = ["reviews", "ratings"].map(
  (name): WorkloadUser => ({ namespace: "default", serviceAccount: name, service: name }),
);

let nats: NatsFixture;
let operator: Bus;
let storeBus: Bus;
let pilots: Pilots;
const stops: (() => void)[] = [];

interface Applied {
  readonly kind: string;
  readonly outcome: string;
  readonly revision: number;
  readonly warnings: readonly { readonly reason: string }[];
}

async function apply(text: string): Promise<Applied[]> {
  return await eventually(
    async () => {
      const reply = (await operator.requestJson("mesh.config.apply", text, { timeoutMs: 2000 })) as {
        results?: Applied[];
      };
      assert.ok(reply.results, JSON.stringify(reply));
      return reply.results;
    },
    { withinMs: 10_000 },
  );
}

async function stored(service: string): Promise<{ bytes: Uint8Array; config: ServiceConfig }> {
  const store = await TableStore.open(storeBus, "service", { create: false });
  const bytes = (await store.get(`default.${service}`))?.value;
  assert.ok(bytes, `no ${service} yet`);
  return { bytes, config: ServiceConfig.decode(bytes) };
}

async function synced(kind: string, name: string): Promise<SyncReply> {
  const subject = nats.subjects.sync("config", `${kind}.default.${name}`);
  const replies = await operator.gather(subject, SyncRequest, {}, SyncReply);
  const owner = replies.find((reply) => reply.owner);
  assert.ok(owner, "the leader answers");
  return owner;
}

function destinationRule(host: string, ...versions: string[]): string {
  const subsets = versions.map((version) => `{name: ${version}, labels: {version: ${version}}}`);
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${host}}
spec: {host: ${host}, subsets: [${subsets.join(", ")}]}
---
`;
}

function virtualService(subset: string, hosts = "reviews"): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [${hosts}], http: [{route: [{destination: {host: reviews, subset: ${subset}}}]}]}
---
`;
}

before(async () => {
  nats = await startNats({ workloads });
  pilots = await Pilots.prepare(nats);
  operator = await nats.connect("operator");
  storeBus = await nats.connect("pilot-store");
  await pilots.start("a");
  for (const user of workloads) {
    const bus = await nats.connectWorkload(user);
    const beat = () =>
      bus.publish(nats.subjects.registry({ ...user, verb: "heartbeat", instance: `${user.service}-1` }), Registration, {
        workload: user.service,
        labels: { version: "v1" },
        address: "127.0.0.1",
        ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
        healthy: true,
      });
    beat();
    stops.push(systemClock.every(1000, beat));
  }
});

after(async () => {
  for (const stop of stops) stop();
  await pilots.remove();
  await nats.stop();
});

test("a VirtualService for several services is written into each, and the leader says into which", async () => {
  await eventually(async () => void (await Promise.all([stored("reviews"), stored("ratings")])), { withinMs: 10_000 });
  const results = await apply(destinationRule("reviews", "v1") + virtualService("v1", "reviews, ratings"));
  assert.deepEqual(
    results.map(({ kind, outcome }) => [kind, outcome]),
    [
      ["DestinationRule", "created"],
      ["VirtualService", "created"],
    ],
  );
  const revision = results[1]?.revision ?? 0;
  await eventually(async () => {
    for (const service of ["reviews", "ratings"]) {
      const { config } = await stored(service);
      assert.deepEqual(
        config.routes.map(({ rule, revision: at }) => [rule, at]),
        [["virtualservice/default/shop", revision]],
      );
    }
  });
  const { touched, reason } = await eventually(async () => {
    const reply = await synced("virtualservice", "shop");
    assert.equal(reply.revision, revision);
    return reply;
  });
  assert.equal(reason, "");
  assert.deepEqual(touched.map(({ table, key }) => `${table} ${key}`).toSorted(), [
    "service default.ratings",
    "service default.reviews",
  ]);
  assert.ok(touched.every((item) => item.revision === revision));
  // What sends to ratings holds its endpoints of reviews first.
  const { config } = await stored("ratings");
  assert.ok(config.requires.some(({ table, key }) => table === "service" && key === "default.reviews"));
});

test("within one submission what it names may stand after it", async () => {
  const route = virtualService("late", "early.example").replace("name: shop", "name: early");
  const subset = destinationRule("reviews", "late").replace(": late}", ": v1}").replace("name: reviews", "name: late");
  const results = await apply(route + subset);
  assert.deepEqual(
    results.map(({ kind, outcome, warnings }) => [kind, outcome, ...warnings.map(({ reason }) => reason)]),
    [
      ["VirtualService", "created"],
      ["DestinationRule", "created"],
    ],
  );
});

test("one that names what is not there waits, also for the next leader, and the routes stay", async () => {
  const { bytes } = await stored("reviews");
  const [waiting] = await apply(virtualService("v2", "reviews, ratings"));
  assert.equal(waiting?.outcome, "pending");
  assert.match(waiting?.warnings[0]?.reason ?? "", /no DestinationRule of .* has a subset v2/);
  await pilots.start("b");
  await pilots.stop("a");
  await eventually(async () => assert.match((await synced("virtualservice", "shop")).reason, /^pending: .*subset v2/), {
    withinMs: 10_000,
  });
  assert.deepEqual((await stored("reviews")).bytes, bytes);
});

test("a subset that is in use may be dropped: whoever does it is told, and the route keeps its labels", async () => {
  const [result] = await apply(destinationRule("reviews", "v3"));
  assert.equal(result?.outcome, "configured");
  assert.match(result?.warnings[0]?.reason ?? "", /subset v1 is left out, but virtualservice\/default\/shop/);
  await eventually(async () => assert.equal((await synced("destinationrule", "reviews")).revision, result?.revision));
  const { config } = await stored("reviews");
  assert.deepEqual(config.routes[0]?.destinations[0]?.destination?.labels, { version: "v1" });
});
