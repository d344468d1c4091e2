import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../shared/base/index.ts";
import { type Bus, TableFollower, TableStore } from "../../shared/bus/index.ts";
import {
  EndpointSet,
  GatewayConfig,
  Head,
  Registration,
  type RegistryVerb,
  ServiceConfig,
  SyncReply,
  SyncRequest,
  type WorkloadUser,
} from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";
import { Pilots } from "../harness/pilots.ts";

const TIMEOUT = { timeoutMs: 5000 };
const REVIEWS: WorkloadUser = { namespace: "default", serviceAccount: "reviews", service: "reviews" };

let nats: NatsFixture;
let operator: Bus;
let workload: Bus;
let storeBus: Bus;
let pilots: Pilots;

function register(verb: RegistryVerb, instance: string, version: string): void {
  workload.publish(nats.subjects.registry({ ...REVIEWS, verb, instance }), Registration, {
    workload: `reviews-${version}`,
    labels: { app: "reviews", version },
    address: "127.0.0.1",
    ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
    healthy: true,
  });
}

/** Sends a heartbeat for each instance several times a lease, as proxies do; returns the way to stop. */
function keepAlive(instances: Readonly<Record<string, string>>): () => void {
  const beat = () => {
    for (const [instance, version] of Object.entries(instances)) register("heartbeat", instance, version);
  };
  beat();
  return systemClock.every(400, beat);
}

function rule(version: string): string {
  return `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: reviews-version}
spec:
  destination: {name: reviews}
  route: [{labels: {version: ${version}}}]
`;
}

interface Applied {
  readonly outcome: string;
  readonly revision: number;
}

async function apply(text: string): Promise<Applied> {
  const answer = await eventually(
    async () => {
      const reply = (await operator.requestJson("mesh.config.apply", text, { timeoutMs: 1000 })) as {
        results?: Applied[];
      };
      assert.ok(reply.results?.[0], JSON.stringify(reply));
      return reply.results[0];
    },
    { withinMs: 10_000 },
  );
  return answer;
}

async function read(table: "service" | "endpoints" | "gateway", key: string): Promise<Uint8Array | undefined> {
  const store = await TableStore.open(storeBus, table, { create: false });
  return (await store.get(key))?.value;
}

async function serviceConfig(): Promise<ServiceConfig> {
  const value = await read("service", "default.reviews");
  assert.ok(value, "no ServiceConfig");
  return ServiceConfig.decode(value);
}

async function instances(): Promise<string[]> {
  const value = await read("endpoints", "default.reviews.0");
  return value === undefined ? [] : EndpointSet.decode(value).endpoints.map((endpoint) => endpoint.instance);
}

async function sync(name: string): Promise<SyncReply[]> {
  return operator.gather(
    nats.subjects.sync("config", nats.subjects.configKey("RouteRule", "default", name)),
    SyncRequest,
    {},
    SyncReply,
  );
}

before(async () => {
  nats = await startNats({ workloads: [REVIEWS] });
  pilots = await Pilots.prepare(nats, { SERVICE_LINGER_MS: "1s", LEASE_MS: "2s" });
  operator = await nats.connect("operator");
  workload = await nats.connectWorkload(REVIEWS);
  storeBus = await nats.connectStore("pilot");
  await pilots.start("one");
  await pilots.start("two");
});

after(async () => {
  await pilots.remove();
  await nats.stop();
});

test("a registration becomes endpoints and a service that requires them", async () => {
  register("register", "r1", "v1");
  await eventually(async () => assert.deepEqual(await instances(), ["r1"]));
  await eventually(async () => {
    const config = await serviceConfig();
    assert.deepEqual(
      config.ports.map(({ number, protocol }) => [number, protocol]),
      [[9080, "http"]],
    );
    assert.deepEqual(config.serviceAccounts, ["spiffe://cluster.local/ns/default/sa/reviews"]);
    assert.deepEqual(
      config.requires.map(({ table, key }) => [table, key]),
      [["endpoints", "default.reviews.0"]],
    );
    assert.equal(config.routes.at(-1)?.rule, "default");
  });
});

test("a follower gets the value and later changes; an unchanged registration is not written again", async () => {
  const follower = new TableFollower({ bus: workload, table: "endpoints", clock: systemClock, log: silentLog });
  const follow = follower.follow("default.reviews.0");
  await follow.ready(2000);
  const before = follow.sequence;
  register("heartbeat", "r1", "v1");
  register("heartbeat", "r2", "v2");
  await eventually(() => {
    assert.ok(follow.value);
    assert.deepEqual(
      EndpointSet.decode(follow.value).endpoints.map((endpoint) => endpoint.instance),
      ["r1", "r2"],
    );
  });
  assert.equal(follow.sequence, before + 1);
  follower.close();
});

test("a rule for an absent version waits and comes into force when it registers; sync tells where", async () => {
  const stop = keepAlive({ r1: "v1", r2: "v2" });
  const first = await apply(rule("v1"));
  assert.equal(first.outcome, "created");
  await eventually(async () => {
    const owner = (await sync("reviews-version")).find((reply) => reply.owner);
    assert.equal(owner?.revision, first.revision);
    assert.deepEqual(
      owner?.touched.map(({ table, key, revision }) => [table, key, revision]),
      [["service", "default.reviews", first.revision]],
    );
  });
  const waiting = await apply(rule("v3"));
  assert.equal(waiting.outcome, "pending");
  const owner = (await sync("reviews-version")).find((reply) => reply.owner);
  assert.match(owner?.reason ?? "", /^pending: /);
  assert.equal((await serviceConfig()).routes[0]?.revision, first.revision);
  register("register", "r3", "v3");
  await eventually(async () => {
    const config = await serviceConfig();
    assert.equal(config.routes[0]?.revision, waiting.revision);
    assert.deepEqual({ ...config.routes[0]?.destinations[0]?.destination?.labels }, { version: "v3" });
    const endpoints = await TableStore.open(storeBus, "endpoints", { create: false });
    const position = await endpoints.get("default.reviews.0");
    const required = config.requires.find((requirement) => requirement.key === "default.reviews.0");
    assert.ok(required && position && required.sequence <= position.sequence && required.epoch === endpoints.epoch);
  });
  stop();
});

test("every replica answers for what it has stored, one of them as owner", async () => {
  const replies = await sync("reviews-version");
  assert.deepEqual(replies.map((reply) => reply.name).sort(), ["one", "two"]);
  assert.equal(replies.filter((reply) => reply.owner).length, 1);
});

test("when the leader stops the other takes over without rewriting anything", async () => {
  const stop = keepAlive({ r1: "v1", r2: "v2", r3: "v3" });
  await eventually(async () => assert.deepEqual(await instances(), ["r1", "r2", "r3"]));
  const store = await TableStore.open(storeBus, "service", { create: false });
  const before = await store.get("default.reviews");
  await pilots.stop("one");
  const accepted = await apply(rule("v2"));
  assert.equal(accepted.outcome, "configured");
  await eventually(async () => assert.equal((await serviceConfig()).routes[0]?.revision, accepted.revision));
  const after = await store.get("default.reviews");
  assert.equal(after?.sequence, (before?.sequence ?? 0) + 1, "only the rule's own change was written");
  assert.deepEqual(await instances(), ["r1", "r2", "r3"]);
  stop();
});

test("buckets that are deleted under a leader come back with all they held", async () => {
  const stop = keepAlive({ r1: "v1", r2: "v2", r3: "v3" });
  await nats.restart({ wipe: true });
  await eventually(() => assert.ok(operator.connected && workload.connected && storeBus.connected), {
    withinMs: 10_000,
  });
  await eventually(
    async () => {
      const config = await serviceConfig();
      const endpoints = await TableStore.open(storeBus, "endpoints", { create: false });
      assert.deepEqual(await instances(), ["r1", "r2", "r3"]);
      assert.equal(config.requires.find((requirement) => requirement.table === "endpoints")?.epoch, endpoints.epoch);
      const got = (await operator.requestJson(
        "mesh.config.get",
        { kind: "RouteRule", name: "reviews-version" },
        TIMEOUT,
      )) as { items?: unknown[] };
      assert.equal(got.items?.length, 1);
    },
    { withinMs: 15_000 },
  );
  assert.equal((await apply(rule("v1"))).outcome, "configured");
  stop();
});

test("an ingress rule becomes a route of the gateway that requires its destination", async () => {
  const stop = keepAlive({ r1: "v1", r2: "v2", r3: "v3" });
  const { revision } = await apply(`
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: reviews}
spec:
  destination: {name: reviews}
  destinationPort: 9080
  match: {request: {headers: {uri: {prefix: /reviews}}}}
`);
  await eventually(async () => {
    const value = await read("gateway", "istio-system.istio-ingress");
    assert.ok(value);
    const config = GatewayConfig.decode(value);
    assert.deepEqual(
      config.routes.map((route) => [route.rule, route.port]),
      [["ingressrule/default/reviews", 9080]],
    );
    assert.equal(config.revision, revision);
    assert.deepEqual(
      config.requires.map(({ table, key }) => [table, key]),
      [["service", "default.reviews"]],
    );
  });
  stop();
});

test("hosts to which nobody gave a meaning are known to have none", async () => {
  const bus = await nats.connectWorkload(REVIEWS);
  const hosts = new TableFollower({ bus, table: "hosts", clock: systemClock, log: silentLog });
  const ours = hosts.follow("default");
  await ours.ready(15_000);
  assert.equal(ours.state, "absent");
  let complete = false;
  bus.subscribe(nats.subjects.head("hosts"), (message) => {
    complete ||= message.decode(Head).complete;
  });
  await eventually(() => complete, { withinMs: 15_000 });
  hosts.close();
});

test("an instance that says goodbye is removed at once, a silent service is forgotten after it has lingered", async () => {
  register("deregister", "r3", "v3");
  register("deregister", "r2", "v2");
  register("deregister", "r1", "v1");
  await eventually(async () => assert.deepEqual(await instances(), []));
  await eventually(
    async () => {
      assert.equal(await read("service", "default.reviews"), undefined);
      assert.equal(await read("endpoints", "default.reviews.0"), undefined);
    },
    { withinMs: 10_000 },
  );
});
