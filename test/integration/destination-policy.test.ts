import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPilot } from "../../services/pilot/app.ts";
import { parsePilotConfig } from "../../services/pilot/config.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import { Directory } from "../../services/proxy/mesh/directory.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { Passthrough } from "../../services/proxy/outbound/passthrough.ts";
import { outboundStack } from "../../services/proxy/outbound/stack.ts";
import { HostTable } from "../../services/proxy/route/host-table.ts";
import { type RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type App, systemClock } from "../../shared/base/index.ts";
import { type Bus, TableFollower } from "../../shared/bus/index.ts";
import { Registration, type WorkloadUser } from "../../shared/wire/index.ts";
import { eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

/*
 * A DestinationPolicy all the way: applied at a real Pilot, broadcast over a real bus, followed by a caller's proxy, and
 * felt by its requests. The instances have no sidecars, so that no certificates are needed.
 */

const CALLER: WorkloadUser = { namespace: "default", serviceAccount: "caller", service: "caller" };
const REVIEWS: WorkloadUser = { namespace: "default", serviceAccount: "reviews", service: "reviews" };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

class Instance {
  requests = 0;
  readonly #server: Server;

  constructor(handler: Handler) {
    this.#server = createServer((incoming, response) => {
      this.requests++;
      handler(incoming, response);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const held: ServerResponse[] = [];
const records: RequestRecord[] = [];
let nats: NatsFixture;
let folder: string;
let pilot: App;
let operator: Bus;
let good: Instance;
let bad: Instance;
let directory: Directory;
let passthrough: Passthrough;
let listener: Listener;
let port: number;
let stopBeating: () => void;
let tables: TableFollower[];

before(async () => {
  nats = await startNats({ workloads: [CALLER, REVIEWS] });
  folder = await mkdtemp(join(tmpdir(), "lateen-policy-"));
  const settings = { NATS_URL: nats.url, NATS_USER: "pilot", NATS_PASSWORD: nats.password("pilot") };
  pilot = buildPilot(parsePilotConfig({ ...settings, LATEEN_DATA_DIR: folder, REPLICA: "p" }, []), {
    log: silentLog,
    watchdog: false,
  });
  await pilot.start();
  operator = await nats.connect("operator");
  good = await new Instance((incoming, response) => {
    if (incoming.url === "/hold") held.push(response);
    else response.end("ok");
  }).listen();
  bad = await new Instance((_, response) => response.writeHead(500).end()).listen();
  const registrar = await nats.connectWorkload(REVIEWS);
  const beat = (): void => {
    for (const [instance, application] of Object.entries({ good, bad })) {
      registrar.publish(nats.subjects.registry({ ...REVIEWS, verb: "heartbeat", instance }), Registration, {
        address: "127.0.0.1",
        labels: { app: "reviews" },
        ports: [{ number: 9080, protocol: "http", addressPort: application.port }],
        healthy: true,
        plaintext: true,
        locality: "eu/west/1",
        weight: 3,
      });
    }
  };
  beat();
  stopBeating = systemClock.every(500, beat);
  const bus = await nats.connectWorkload(CALLER);
  tables = (["service", "endpoints"] as const).map(
    (table) => new TableFollower({ bus, table, clock: systemClock, log: silentLog, name: "default/caller-1" }),
  );
  const [services, endpoints] = tables as [TableFollower, TableFollower];
  const self = { ...UNKNOWN_PEER, namespace: "default", service: "caller" };
  const connector = new Connector({
    connectTimeoutMs: 1_000,
    self,
    identity: () => undefined,
    verify: () => ({ error: "not used" }),
  });
  directory = new Directory({ self, services, endpoints, connector, clock: systemClock });
  passthrough = new Passthrough(connector, () => false);
  const stack = outboundStack({
    namespace: "default",
    directory,
    hosts: { table: () => new HostTable() },
    rules: () => ({ outboundPolicy: "REGISTRY_ONLY", scope: undefined }),
    passthrough,
    overload: { active: false },
    clock: systemClock,
    sinks: [(record) => records.push(record)],
  });
  listener = createOutboundListener(self, stack, systemClock);
  port = await listener.listen("127.0.0.1", 0);
});

after(async () => {
  stopBeating();
  await listener.close();
  directory.close();
  passthrough.close();
  for (const table of tables) table.close();
  good.close();
  bad.close();
  await pilot.stop();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

function get(path = "/"): Promise<{ status: number; overloaded: boolean }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path, headers: { host: "reviews:9080" }, agent: false });
    call.on("error", reject);
    call.on("response", (response) => {
      response.resume();
      const { statusCode: status = 0, headers } = response;
      response.on("end", () => resolve({ status, overloaded: headers["x-envoy-overloaded"] === "true" }));
    });
    call.end();
  });
}

async function apply(simpleCb: string): Promise<void> {
  const text = `
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: reviews-limits}
spec:
  destination: {name: reviews}
  circuitBreaker: {simpleCb: ${simpleCb}}
`;
  const revision = await eventually(
    async () => {
      const reply = (await operator.requestJson("mesh.config.apply", text, { timeoutMs: 1_000 })) as {
        results?: readonly { readonly outcome: string; readonly revision: number }[];
      };
      const [result] = reply.results ?? [];
      assert.ok(result !== undefined && result.outcome !== "rejected", JSON.stringify(reply));
      return result.revision;
    },
    { withinMs: 10_000 },
  );
  await eventually(() => (entry().snapshot?.config.revision ?? 0) >= revision);
}

function entry() {
  return directory.entry("default", "reviews");
}

test("the limits and the ejection of a simpleCb are felt by the caller's next requests", async () => {
  await eventually(async () => (await get()).status !== 503, { withinMs: 15_000 });
  const hosts = () => [...entry().clusters].flatMap((cluster) => cluster.hosts);
  await eventually(() => hosts().length === 2);
  const [host] = hosts();
  assert.deepEqual([host?.locality, host?.weight], ["eu/west/1", 3], "as registered");
  for (let i = 0; i < 10; i++) await get();
  assert.ok(bad.requests >= 5, "without a policy a failing instance stays in use");

  await apply("{httpConsecutiveErrors: 2, httpDetectionInterval: 60s, sleepWindow: 60s}");
  const before = bad.requests;
  for (let i = 0; i < 20; i++) await get();
  assert.equal(bad.requests - before, 2);
  assert.equal((await get()).status, 200);

  // The ejection is kept: its own part of the policy has not changed.
  await apply("{httpMaxRequests: 1, httpConsecutiveErrors: 2, httpDetectionInterval: 60s, sleepWindow: 60s}");
  const holding = get("/hold");
  await eventually(() => held.length === 1);
  assert.deepEqual(await get(), { status: 503, overloaded: true });
  assert.equal(records.at(-1)?.flags, "UO");
  held[0]?.end("ok");
  assert.equal((await holding).status, 200);
  for (let i = 0; i < 6; i++) assert.equal((await get()).status, 200);
  assert.equal(bad.requests - before, 2);
});
