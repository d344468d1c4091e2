import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createKindRegistry } from "../../shared/model/index.ts";
import { runLateen } from "../harness/cli.ts";
import { type NatsFixture, startNats } from "../harness/index.ts";
import { type PilotFixture, startPilot } from "../harness/pilot.ts";

/** `apply --wait` and `delete --wait` know when any kind that Pilot owns is in force. */
let nats: NatsFixture;
let pilot: PilotFixture;

before(async () => {
  nats = await startNats();
  pilot = await startPilot(nats);
});

after(async () => {
  await pilot.remove();
  await nats.stop();
});

const ROUTED = { hosts: ["example.com"], http: [{ redirect: { uri: "/" } }] };

/** What is in force at once: nothing in it has to be there first. */
const SPECS: Readonly<Record<string, object>> = {
  VirtualService: ROUTED,
  DestinationRule: { host: "example.com", trafficPolicy: { loadBalancer: { simple: "RANDOM" } } },
  Gateway: {
    selector: { app: "edge" },
    servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["example.com"] }],
  },
  ServiceEntry: {
    hosts: ["example.com"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    resolution: "STATIC",
    location: "MESH_EXTERNAL",
    endpoints: [{ address: "127.0.0.1" }],
  },
  Sidecar: { egress: [{ hosts: ["./*"] }] },
  WorkloadEntry: { address: "127.0.0.1", labels: { app: "vm" } },
  WorkloadGroup: { template: { serviceAccount: "vm" } },
  MeshConfig: { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } },
  ProxyConfig: {},
  EgressRule: { destination: { service: "old.example.com" }, ports: [{ port: 80, protocol: "http" }] },
};

function lateen(line: string, stdin = "") {
  const env = { NATS_URL: nats.url, NATS_USER: "operator", NATS_PASSWORD: nats.password("operator") };
  return runLateen(line.split(" "), { env, stdin });
}

for (const definition of createKindRegistry().definitions.filter((each) => each.class === "traffic")) {
  const { kind, apiVersions, namespaceDefault } = definition;
  const spec = SPECS[kind];
  if (spec === undefined) continue;
  test(`--wait returns for ${kind}`, async () => {
    const name = kind === "MeshConfig" ? "default" : kind.toLowerCase();
    const metadata = { name, namespace: namespaceDefault };
    const text = JSON.stringify({ apiVersion: apiVersions[0], kind, metadata, spec });
    const applied = await lateen("apply -f - --wait --timeout 10s", text);
    assert.deepEqual([applied.code, /In force after/.test(applied.err)], [0, true], `${applied.out}\n${applied.err}`);
    const deleted = await lateen(`delete ${kind} ${name} -n ${namespaceDefault} --wait --timeout 10s`);
    assert.deepEqual([deleted.code, /In force after/.test(deleted.err)], [0, true], deleted.err);
  });
}
