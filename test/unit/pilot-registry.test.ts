import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry, type RegistryChange } from "../../services/pilot/registry.ts";
import { Registration, type RegistryAddress } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

const LEASE_MS = 15_000;
const LINGER_MS = 600_000;

function address(service: string, instance: string, serviceAccount = service): RegistryAddress {
  return { verb: "heartbeat", namespace: "default", serviceAccount, service, instance };
}

function registration(version = "v1", port = 9080, protocol = "http"): Registration {
  return Registration.decode(
    Registration.encode({
      workload: `reviews-${version}`,
      labels: { version, app: "reviews" },
      address: "127.0.0.1",
      ports: [{ number: port, protocol, addressPort: 15006 }],
      healthy: true,
    }),
  );
}

function start(options: { maxInstances?: number; maxInstancesPerIdentity?: number } = {}): {
  clock: FakeClock;
  registry: Registry;
  changes: RegistryChange[];
} {
  const clock = new FakeClock();
  const registry = new Registry({ clock, leaseMs: LEASE_MS, lingerMs: LINGER_MS, ...options });
  const changes: RegistryChange[] = [];
  registry.onChange((change) => changes.push(change));
  registry.setConnected(true);
  registry.start();
  return { clock, registry, changes };
}

test("a heartbeat is the whole registration, and an unchanged one changes nothing", () => {
  const { registry, changes } = start();
  assert.equal(registry.heard(address("reviews", "r1"), registration()), true);
  assert.equal(registry.heard(address("reviews", "r1"), registration()), true);
  assert.deepEqual(changes, [{ service: "default.reviews", shape: true, instances: ["r1"] }]);
  const service = registry.service("default.reviews");
  assert.deepEqual(service?.ports, [{ number: 9080, protocol: "http" }]);
  assert.deepEqual(service?.principals, ["spiffe://cluster.local/ns/default/sa/reviews"]);
  assert.equal(service?.endpoints[0]?.principal, "spiffe://cluster.local/ns/default/sa/reviews");
  assert.ok(registry.carries("default.reviews", { version: "v1" }));
  assert.ok(!registry.carries("default.reviews", { version: "v2" }));
});

test("locality and weight are passed on, and a change of either is one", () => {
  const { registry, changes } = start();
  registry.heard(address("reviews", "r1"), registration());
  registry.heard(address("reviews", "r1"), Registration.decode(Registration.encode({ ...registration(), weight: 1 })));
  assert.equal(changes.length, 1, "no weight is a weight of one");
  for (const place of [{ locality: "eu/west/1" }, { locality: "eu/west/1", weight: 7 }]) {
    registry.heard(address("reviews", "r1"), Registration.decode(Registration.encode({ ...registration(), ...place })));
  }
  assert.equal(changes.length, 3);
  const [endpoint] = registry.service("default.reviews")?.endpoints ?? [];
  assert.deepEqual([endpoint?.locality, endpoint?.weight], ["eu/west/1", 7]);
});

test("an instance that is silent for a whole lease is gone, its service stays known until it has lingered", () => {
  const { clock, registry, changes } = start();
  registry.heard(address("reviews", "r1"), registration());
  clock.advance(LEASE_MS - 1000);
  assert.equal(registry.instanceCount, 1);
  clock.advance(2000);
  assert.equal(registry.instanceCount, 0);
  assert.deepEqual(changes.at(-1), { service: "default.reviews", shape: false, instances: ["r1"] });
  assert.deepEqual(registry.service("default.reviews")?.ports, [{ number: 9080, protocol: "http" }]);
  clock.advance(LINGER_MS + 1000);
  assert.equal(registry.has("default.reviews"), false);
  assert.equal(changes.at(-1)?.shape, true);
});

test("nothing lapses while this replica is disconnected, nor before it has heard a whole lease again", () => {
  const { clock, registry } = start();
  registry.heard(address("reviews", "r1"), registration());
  clock.advance(5000);
  registry.setConnected(false);
  clock.advance(10 * LEASE_MS);
  assert.equal(registry.instanceCount, 1);
  registry.setConnected(true);
  clock.advance(LEASE_MS - 1000);
  assert.equal(registry.instanceCount, 1);
  clock.advance(2000);
  assert.equal(registry.instanceCount, 0);
});

test("nothing lapses right after this process itself was late", () => {
  const { clock, registry } = start();
  registry.heard(address("reviews", "r1"), registration());
  registry.stop();
  clock.advance(20_000);
  registry.tick();
  assert.equal(registry.instanceCount, 1, "the late tick itself must not expire");
  registry.start();
  clock.advance(LEASE_MS - 1000);
  assert.equal(registry.instanceCount, 1);
  clock.advance(2000);
  assert.equal(registry.instanceCount, 0);
});

test("expiry stops when more than a small part of the mesh would lapse at once", () => {
  const { clock, registry } = start();
  const beat = (from: number, to: number) => {
    for (let i = from; i < to; i++) registry.heard(address("reviews", `r${i}`), registration());
  };
  const live = (periods: number, from: number) => {
    for (let i = 0; i < periods; i++) {
      clock.advance(5000);
      beat(from, 20);
    }
  };
  beat(0, 20);
  live(6, 4);
  assert.equal(registry.instanceCount, 20, "4 of 20 are more than 15 %");
  assert.equal(registry.holding, true);
  beat(1, 4);
  live(1, 1);
  assert.equal(registry.holding, false);
  assert.equal(registry.instanceCount, 19, "one alone may lapse");
});

test("a goodbye removes at once, and an old table does not bring the instance back", () => {
  const { clock, registry } = start();
  registry.heard(address("reviews", "r1"), registration());
  const before = registry.service("default.reviews")?.endpoints[0];
  registry.departed(address("reviews", "r1"));
  assert.equal(registry.instanceCount, 0);
  assert.ok(before);
  registry.seedEndpoint("default", "reviews", before);
  assert.equal(registry.instanceCount, 0);
  clock.advance(LEASE_MS + 1000);
  registry.seedEndpoint("default", "reviews", before);
  assert.equal(registry.instanceCount, 1);
});

test("what a table held starts with a fresh lease and does not touch leases that are known", () => {
  const { clock, registry } = start();
  clock.advance(60_000);
  registry.seedService(
    "default",
    "ratings",
    [{ number: 9080, protocol: "http" }],
    ["spiffe://cluster.local/ns/default/sa/ratings"],
  );
  registry.seedEndpoint("default", "ratings", {
    instance: "x",
    principal: "spiffe://cluster.local/ns/default/sa/ratings",
    ports: [],
  });
  clock.advance(LEASE_MS - 1000);
  assert.equal(registry.instanceCount, 1);
  clock.advance(2000);
  assert.equal(registry.instanceCount, 0);
  assert.ok(registry.has("default.ratings"));
});

test("the ports of a service are the union over its instances, and the majority names the protocol", () => {
  const { registry } = start();
  registry.heard(address("reviews", "a"), registration("v1", 9080));
  registry.heard(address("reviews", "b"), registration("v1", 9081, "tcp"));
  registry.heard(address("reviews", "c"), registration("v1", 9080, "grpc"));
  registry.heard(address("reviews", "d"), registration("v1", 9080, "grpc"));
  assert.deepEqual(registry.service("default.reviews")?.ports, [
    { number: 9080, protocol: "grpc" },
    { number: 9081, protocol: "tcp" },
  ]);
});

test("registrations that nobody could connect to, or too many, are refused", () => {
  const { registry } = start({ maxInstances: 1 });
  const bad = registration("v1", 0);
  assert.equal(registry.heard(address("reviews", "r1"), bad), false);
  assert.equal(registry.heard(address("reviews", "r1"), registration()), true);
  assert.equal(registry.heard(address("reviews", "r2"), registration()), false);
});

test("one identity can neither take all places nor send more than fits beside others into a shard", () => {
  const { clock, registry } = start({ maxInstances: 10, maxInstancesPerIdentity: 2 });
  for (const instance of ["e1", "e2", "e3"]) registry.heard(address("evil", instance), registration());
  assert.equal(registry.instanceCount, 2);
  assert.equal(registry.heard(address("reviews", "r1"), registration()), true);
  assert.equal(registry.heard(address("ratings", "r1"), registration("v".repeat(10_000))), false);
  assert.equal(registry.heard(address("ratings", "r1"), registration("v1", 9080, "\u001b[2J")), false);
  registry.departed(address("evil", "e1"));
  assert.equal(registry.heard(address("evil", "e3"), registration()), true);
  for (let i = 0; i < 100; i++) registry.departed(address("evil", `never-seen-${i}`));
  clock.advance(LEASE_MS + 1000);
  assert.equal(registry.has("default.reviews"), true);
});

function gatewayRegistration(gateway: boolean): Registration {
  return Registration.decode(Registration.encode({ ...registration(), gateway }));
}

test("a service of gateways is one as soon as an instance says so, and ceases to be one likewise", () => {
  const { registry, changes } = start();
  registry.heard(address("ingress", "g1"), gatewayRegistration(false));
  assert.equal(registry.service("default.ingress")?.gateway, false);
  registry.heard(address("ingress", "g1"), gatewayRegistration(true));
  assert.equal(registry.service("default.ingress")?.gateway, true);
  assert.deepEqual(changes.at(-1), { service: "default.ingress", shape: true, instances: [] });
  registry.heard(address("ingress", "g1"), gatewayRegistration(true));
  assert.equal(changes.length, 2, "an unchanged heartbeat changes nothing");
  registry.heard(address("ingress", "g1"), gatewayRegistration(false));
  assert.equal(registry.service("default.ingress")?.gateway, false);
});

test("what an earlier leader knew as gateways stays so until its instances are heard", () => {
  const { registry } = start();
  registry.seedService("default", "ingress", [{ number: 80, protocol: "http" }], []);
  const principal = registry.principal("default", "ingress");
  registry.seedEndpoint("default", "ingress", { instance: "g1", principal, address: "127.0.0.1", healthy: true });
  registry.seedGateway("default", "ingress");
  assert.equal(registry.service("default.ingress")?.gateway, true);
  registry.heard(address("ingress", "g1"), gatewayRegistration(true));
  assert.equal(registry.service("default.ingress")?.gateway, true);
  registry.departed(address("ingress", "g1"));
  assert.equal(registry.service("default.ingress")?.gateway, true, "without instances it stays what it was");
  registry.heard(address("ingress", "g1"), gatewayRegistration(false));
  registry.seedGateway("default", "ingress");
  assert.equal(registry.service("default.ingress")?.gateway, false, "what instances say counts more");
});

test("services are found by namespace", () => {
  const { clock, registry } = start();
  registry.heard(address("reviews", "r1"), registration());
  registry.heard({ ...address("tiller", "t1"), namespace: "ops" }, registration());
  assert.deepEqual([...registry.namespaces()].sort(), ["default", "ops"]);
  assert.deepEqual(
    [...registry.servicesOf("ops")].map(({ key }) => key),
    ["ops.tiller"],
  );
  registry.departed({ ...address("tiller", "t1"), namespace: "ops" });
  clock.advance(LINGER_MS + LEASE_MS);
  assert.deepEqual([...registry.namespaces()], [], "a namespace without services is none");
});
