import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sleep, systemClock } from "../../shared/base/index.ts";
import { type Bus, TableStore } from "../../shared/bus/index.ts";
import {
  EndpointSet,
  GatewayConfig,
  Registration,
  SyncReply,
  SyncRequest,
  type Table,
  type WorkloadUser,
} from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, startNats } from "../harness/index.ts";
import { Pilots } from "../harness/pilots.ts";

/** A change of leader with all that is compiled in place: nobody who follows the tables may notice it. */
const TABLES: readonly Table[] = ["service", "endpoints", "hosts", "gateway", "workload"];
const workloads: readonly WorkloadUser[] = [
  { namespace: "default", serviceAccount: "reviews", service: "reviews" },
  { namespace: "default", serviceAccount: "ratings", service: "ratings" },
  { namespace: "edge", serviceAccount: "ingress", service: "ingress" },
];

const CONFIGURATION = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  exportTo: [., edge]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: edge}
spec: {selector: {app: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec:
  hosts: [shop.com]
  gateways: [edge/front]
  http: [{match: [{uri: {prefix: /api}}], route: [{destination: {host: legacy.example.com}}]}, {route: [{destination: {host: reviews, subset: v1}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy}
spec:
  hosts: [legacy.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  workloadSelector: {labels: {app: legacy}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1}
spec: {address: 10.0.0.1, labels: {app: legacy}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-2}
spec: {address: 10.0.0.2, labels: {app: legacy}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: more-legacy}
spec:
  hosts: [legacy.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.3}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: made-up}
spec: {hosts: [made-up.example.com], http: [{route: [{destination: {host: ratings}}]}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: ["./*", "edge/*"]}]}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: ratings}
spec: {destination: {name: ratings}, route: [{labels: {version: v1}}]}
---
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: ratings}
spec: {destination: {name: ratings}, match: {request: {headers: {uri: {prefix: /ratings}}}}}
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {defaultHttpRetryPolicy: {attempts: 2}, outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
`;

let nats: NatsFixture;
let operator: Bus;
let storeBus: Bus;
let pilots: Pilots;
const stops: (() => void)[] = [];

/** Every value with its position, which tells whether it was written again. */
async function contents(): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const table of TABLES) {
    const store = await TableStore.open(storeBus, table, { create: false });
    for (const message of (await store.listMessages()).messages) {
      if (message.kind === "value")
        all.set(`${table} ${message.key}`, `${message.sequence} ${Buffer.from(message.value).toString("base64")}`);
    }
  }
  return all;
}

async function ownerOf(kind: string, namespace: string, name: string): Promise<SyncReply> {
  const subject = nats.subjects.sync("config", nats.subjects.configKey(kind, namespace, name));
  const replies = await operator.gather(subject, SyncRequest, {}, SyncReply);
  const owner = replies.find((reply) => reply.owner);
  assert.ok(owner, "the leader answers");
  return owner;
}

before(async () => {
  nats = await startNats({ workloads: [...workloads] });
  pilots = await Pilots.prepare(nats);
  operator = await nats.connect("operator");
  storeBus = await nats.connect("pilot-store");
  await pilots.start("a");
  for (const user of workloads) {
    const bus = await nats.connectWorkload(user);
    const beat = () =>
      bus.publish(nats.subjects.registry({ ...user, verb: "heartbeat", instance: `${user.service}-1` }), Registration, {
        workload: user.service,
        labels: { version: "v1", app: user.service },
        address: "127.0.0.1",
        ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
        healthy: true,
        gateway: user.service === "ingress",
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

test("a change of leader writes nothing, whatever has been compiled", async () => {
  const { results } = (await eventually(async () => {
    const reply = (await operator.requestJson("mesh.config.apply", CONFIGURATION, { timeoutMs: 5000 })) as {
      results?: { kind: string; name: string; outcome: string; errors: unknown[] }[];
    };
    assert.ok(reply.results, JSON.stringify(reply));
    return { results: reply.results };
  })) as { results: { kind: string; name: string; outcome: string; errors: unknown[] }[] };
  for (const { kind, name, outcome, errors } of results)
    assert.notEqual(outcome, "rejected", `${kind} ${name}: ${JSON.stringify(errors)}`);
  await eventually(
    async () => {
      const store = await TableStore.open(storeBus, "gateway", { create: false });
      const value = (await store.get("edge.ingress"))?.value;
      assert.equal(value && GatewayConfig.decode(value).routes.length, 2);
      const endpoints = await TableStore.open(storeBus, "endpoints", { create: false });
      const legacy = (await endpoints.get("default.legacy=2Eexample=2Ecom.0"))?.value;
      assert.equal(legacy && EndpointSet.decode(legacy).endpoints.length, 3);
    },
    { withinMs: 15_000 },
  );
  await pilots.start("b");
  const before = await contents();
  await pilots.stop("a");
  await eventually(async () => assert.equal((await ownerOf("Sidecar", "default", "default")).name, "b"), {
    withinMs: 15_000,
  });
  await sleep(systemClock, 1_500);
  assert.deepEqual(await contents(), before);
});

test("the new leader can say of every resource where it is", async () => {
  const where = async (kind: string, namespace: string, name: string) => {
    const { touched } = await ownerOf(kind, namespace, name);
    return touched.map(({ table, key }) => `${table} ${key}`).toSorted();
  };
  assert.deepEqual(await where("VirtualService", "default", "front"), ["gateway edge.ingress"]);
  assert.deepEqual(await where("Sidecar", "default", "default"), ["workload default"]);
  assert.deepEqual(await where("WorkloadEntry", "default", "vm-2"), ["service default.legacy=2Eexample=2Ecom"]);
});
