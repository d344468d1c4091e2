import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../shared/base/index.ts";
import { type Bus, TableStore } from "../../shared/bus/index.ts";
import {
  EndpointSet,
  GatewayConfig,
  HostsConfig,
  Registration,
  ServiceConfig,
  SyncReply,
  SyncRequest,
  type Table,
  tableKey,
  WorkloadConfig,
  type WorkloadUser,
} from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";
import { Pilots } from "../harness/pilots.ts";

const WEB: WorkloadUser = { namespace: "default", serviceAccount: "web", service: "web" };
const DOOR: WorkloadUser = { namespace: "edge", serviceAccount: "door", service: "door", gateway: true };
const API = tableKey("default", "api.example.com");
const GATEWAY = tableKey("edge", "door");

let nats: NatsFixture;
let operator: Bus;
let storeBus: Bus;
let stopBeating = () => {};
const workloads: Bus[] = [];
let pilots: Pilots;

function beat(): void {
  const [web, door] = workloads;
  const say = (bus: Bus | undefined, { namespace, serviceAccount, service }: WorkloadUser, more: object): void => {
    const address = { verb: "heartbeat", namespace, serviceAccount, service: service ?? "", instance: "1" } as const;
    bus?.publish(nats.subjects.registry(address), Registration, { address: "127.0.0.1", healthy: true, ...more });
  };
  say(web, WEB, { labels: { app: "web" }, ports: [{ number: 9080, protocol: "http", addressPort: 15_006 }] });
  const edge = { labels: { istio: "ingressgateway" }, gateway: true, plaintext: true };
  say(door, DOOR, { ...edge, ports: [{ number: 80, protocol: "http", addressPort: 8080 }] });
}

async function apply(text: string): Promise<{ outcome: string; revision: number }> {
  return await eventually(
    async () => {
      const reply = (await operator.requestJson("mesh.config.apply", text, { timeoutMs: 1000 })) as {
        results?: { outcome: string; revision: number }[];
      };
      const result = reply.results?.at(-1);
      assert.ok(result !== undefined && result.outcome !== "rejected", JSON.stringify(reply));
      return result;
    },
    { withinMs: 10_000 },
  );
}

async function remove(kind: string, name: string, namespace = "default"): Promise<void> {
  const reply = (await operator.requestJson(
    "mesh.config.delete",
    { kind, namespace, name },
    { timeoutMs: 2000 },
  )) as object;
  assert.ok("items" in reply, JSON.stringify(reply));
}

async function stored(table: Table, key: string) {
  const store = await TableStore.open(storeBus, table, { create: false });
  return await store.get(key);
}

async function bytesAt(table: Table, key: string): Promise<Uint8Array> {
  const value = (await stored(table, key))?.value;
  assert.ok(value, `nothing at ${table} ${key}`);
  return value;
}

/** Where the newest revision of a resource is, as its owner says. */
async function touched(kind: string, namespace: string, name: string): Promise<string[]> {
  const key = nats.subjects.configKey(kind, namespace, name);
  const replies = await operator.gather(nats.subjects.sync("config", key), SyncRequest, {}, SyncReply);
  const owner = replies.find((reply) => reply.owner);
  assert.ok(owner, "nobody owns it");
  return owner.touched.map(({ table, key: at, revision }) => `${table} ${at} ${revision}`);
}

const ENTRY = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.example.com]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.0.0.1, ports: {http: 8080}}]
`;

const GATEWAY_AND_ROUTES = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: ["*"]
  gateways: [shop]
  http:
  - match: [{uri: {prefix: /cart}}]
    route: [{destination: {host: web, port: {number: 9080}}}]
`;

const SCOPES = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {egress: [{hosts: ["./*", "istio-system/*"]}]}
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
`;

before(async () => {
  nats = await startNats({ workloads: [WEB, DOOR] });
  pilots = await Pilots.prepare(nats, { LEASE_MS: "2s" });
  operator = await nats.connect("operator");
  storeBus = await nats.connectStore("pilot");
  workloads.push(await nats.connectWorkload(WEB), await nats.connectWorkload(DOOR));
  await pilots.start("one");
  await pilots.start("two");
  beat();
  stopBeating = systemClock.every(400, beat);
});

after(async () => {
  stopBeating();
  await pilots.remove();
  await nats.stop();
});

test("a ServiceEntry becomes endpoints, a service that requires them, and a host of every namespace with callers", async () => {
  const { revision } = await apply(ENTRY);
  await eventually(async () => {
    for (const namespace of ["default", "edge"]) {
      const { hosts } = HostsConfig.decode(await bytesAt("hosts", namespace));
      assert.deepEqual(
        hosts.map((host) => [host.pattern, host.namespace, host.service]),
        [["api.example.com", "default", "api.example.com"]],
      );
    }
  });
  const service = ServiceConfig.decode(await bytesAt("service", API));
  assert.deepEqual([service.host, service.revision, service.endpointShards], ["api.example.com", revision, 1]);
  assert.deepEqual(
    service.requires.map(({ table, key }) => `${table} ${key}`),
    [`endpoints ${API}.0`],
  );
  const [endpoint] = EndpointSet.decode(await bytesAt("endpoints", `${API}.0`)).endpoints;
  assert.deepEqual([endpoint?.address, endpoint?.ports[0]?.addressPort, endpoint?.plaintext], ["10.0.0.1", 8080, true]);
  await eventually(async () =>
    assert.deepEqual((await touched("ServiceEntry", "default", "api")).sort(), [
      `hosts default ${revision}`,
      `hosts edge ${revision}`,
      `service ${API} ${revision}`,
    ]),
  );
});

test("a change of its instances alone is written to its endpoints, not to the hosts", async () => {
  const before = (await stored("hosts", "default"))?.sequence;
  await apply(ENTRY.replace("10.0.0.1", "10.0.0.2"));
  await eventually(async () => {
    const { endpoints } = EndpointSet.decode(await bytesAt("endpoints", `${API}.0`));
    assert.deepEqual(
      endpoints.map(({ address }) => address),
      ["10.0.0.2"],
    );
  });
  await eventually(async () =>
    assert.deepEqual(
      (await touched("ServiceEntry", "default", "api")).map((key) => key.split(" ")[0]),
      ["service"],
      "nobody has to wait for the hosts",
    ),
  );
  assert.equal((await stored("hosts", "default"))?.sequence, before);
});

test("a Gateway and a VirtualService bound to it become servers and whole routes of the gateway that is chosen", async () => {
  const { revision } = await apply(GATEWAY_AND_ROUTES);
  await eventually(async () => {
    const config = GatewayConfig.decode(await bytesAt("gateway", GATEWAY));
    assert.deepEqual(
      config.servers.map(({ rule, port, hosts }) => [rule, port, hosts]),
      [["gateway/default/shop", 80, ["shop.example.com"]]],
    );
    assert.deepEqual(
      config.routes.map(({ rule, hosts, serverPort, route }) => [
        rule,
        hosts,
        serverPort,
        route?.destinations[0]?.port,
      ]),
      [["virtualservice/default/shop", ["shop.example.com"], 80, 9080]],
    );
    assert.equal(config.revision, revision);
    assert.deepEqual(config.requires.map(({ table, key }) => `${table} ${key}`).sort(), [
      "endpoints default.web.0",
      "service default.web",
    ]);
  });
  await eventually(async () =>
    assert.deepEqual(await touched("VirtualService", "default", "shop"), [`gateway ${GATEWAY} ${revision}`]),
  );
});

test("Sidecars and the MeshConfig are told to the workloads of their namespaces", async () => {
  const { revision } = await apply(SCOPES);
  await eventually(async () => {
    const own = WorkloadConfig.decode(await bytesAt("workload", "default"));
    assert.deepEqual(
      own.sidecars[0]?.egressHosts.map(({ namespace, host }) => `${namespace}/${host}`),
      ["default/*", "istio-system/*"],
    );
    const root = WorkloadConfig.decode(await bytesAt("workload", "istio-system"));
    assert.deepEqual([root.mesh?.outboundTrafficPolicy, root.revision], ["REGISTRY_ONLY", revision]);
  });
});

test("when the leader stops the other takes over without writing anything again", async () => {
  const keys: readonly (readonly [Table, string])[] = [
    ["service", API],
    ["endpoints", `${API}.0`],
    ["hosts", "default"],
    ["hosts", "edge"],
    ["gateway", GATEWAY],
    ["workload", "default"],
    ["workload", "istio-system"],
  ];
  const before = await Promise.all(keys.map(([table, key]) => stored(table, key)));
  await pilots.stop("one");
  const { revision } = await apply(ENTRY.replace("name: api", "name: more").replace("api.example", "more.example"));
  await eventually(async () => {
    const { hosts, revision: at } = HostsConfig.decode(await bytesAt("hosts", "default"));
    assert.deepEqual([hosts.length, at], [2, revision]);
  });
  for (const [i, [table, key]] of keys.entries()) {
    const sequence = (await stored(table, key))?.sequence;
    // The new host is one write for each namespace that sees it; both keys are in one table.
    if (table === "hosts") assert.ok((sequence ?? 0) <= (before[i]?.sequence ?? 0) + 2, `${table} ${key}`);
    else assert.equal(sequence, before[i]?.sequence, `${table} ${key}`);
  }
});

test("what is deleted leaves nothing behind", async () => {
  await remove("ServiceEntry", "more");
  await eventually(async () =>
    assert.equal(await stored("service", tableKey("default", "more.example.com")), undefined),
  );
  await remove("Sidecar", "narrow");
  await eventually(async () => assert.equal(await stored("workload", "default"), undefined));
  await remove("ServiceEntry", "api");
  await eventually(async () => {
    assert.equal(await stored("hosts", "default"), undefined);
    assert.equal(await stored("service", API), undefined);
    assert.equal(await stored("endpoints", `${API}.0`), undefined);
  });
});
