import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { after, afterEach, before, describe, test } from "node:test";
import { HealthProbe } from "../../services/proxy/health-probe.ts";
import { Registrar } from "../../services/proxy/registration.ts";
import { systemClock } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { Registration, type RegistryAddress } from "../../shared/wire/index.ts";
import { consistently, eventually, freePort, type NatsFixture, startNats } from "../harness/index.ts";

const workload = { namespace: "default", serviceAccount: "reviews", service: "reviews" };

describe("registration", () => {
  let nats: NatsFixture;
  let bus: Bus;
  let seen: (RegistryAddress & { registration: Registration })[] = [];
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    nats = await startNats({ workloads: [workload] });
    bus = await nats.connectWorkload(workload);
    const pilot = await nats.connect("pilot");
    pilot.subscribe(pilot.subjects.allRegistry(), (message) => {
      seen.push({ ...pilot.subjects.parseRegistry(message.subject), registration: message.decode(Registration) });
    });
    await pilot.flush();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
    await bus.flush();
    seen = [];
  });

  after(() => nats.stop());

  const registrar = (health: HealthProbe, heartbeatMs: number): Registrar => {
    const result = new Registrar({
      bus,
      identity: workload,
      service: "reviews",
      instance: "reviews-v1-1",
      content: () => ({
        workload: "reviews-v1",
        address: "127.0.0.1",
        labels: { app: "reviews", version: "v1" },
        ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
        version: "0.1.0",
      }),
      health,
      clock: systemClock,
      heartbeatMs,
    });
    cleanups.push(() => result.deregister());
    return result;
  };

  test("registers at once, repeats the whole registration, and deregisters", async () => {
    const own = registrar(new HealthProbe({ url: "", clock: systemClock }), 60);
    own.start();
    await eventually(() => seen.length >= 3);
    assert.equal(seen[0]?.verb, "register");
    assert.equal(seen[1]?.verb, "heartbeat");
    assert.deepEqual(seen[0]?.registration, seen[1]?.registration);
    assert.equal(seen[0]?.instance, "reviews-v1-1");
    assert.equal(seen[0]?.registration.healthy, true);
    assert.equal(seen[0]?.registration.labels["version"], "v1");
    assert.equal(seen[0]?.registration.ports[0]?.addressPort, 15006);
    await own.deregister();
    await eventually(() => seen.at(-1)?.verb === "deregister");
    const count = seen.length;
    await consistently(() => seen.length === count, 150);
  });

  test("tells of the application's health at once: two failures take it out, one success brings it back", async () => {
    let status = 200;
    let asked = 0;
    const server: Server = createServer((_request, response) => {
      asked++;
      response.writeHead(status).end();
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const health = new HealthProbe({ url: `http://127.0.0.1:${port}/health`, clock: systemClock, periodMs: 40 });
    cleanups.push(() => health.stop());
    const own = registrar(health, 60_000);
    assert.equal(health.healthy, false, "not yet asked");
    own.start();
    health.start();
    await eventually(() => seen.at(-1)?.registration.healthy === true);
    status = 500;
    const before = asked;
    await eventually(() => seen.at(-1)?.registration.healthy === false);
    assert.ok(asked >= before + 2);
    status = 204;
    await eventually(() => seen.at(-1)?.registration.healthy === true);
  });

  test("an application that refuses connections is unhealthy", async () => {
    const health = new HealthProbe({ url: `http://127.0.0.1:${await freePort()}/`, clock: systemClock, periodMs: 20 });
    cleanups.push(() => health.stop());
    health.start();
    await consistently(() => !health.healthy, 100);
  });

  test("sends a heartbeat as soon as the bus is back", async () => {
    const own = registrar(new HealthProbe({ url: "", clock: systemClock }), 60_000);
    own.start();
    await eventually(() => seen.length === 1);
    await nats.restart();
    await eventually(
      () => {
        // Pilot's own connection may come back after the heartbeat: what counts is that it was sent.
        return bus.connected && bus.stats.disconnects > 0;
      },
      { withinMs: 10_000 },
    );
    await eventually(() => bus.stats.published >= 2);
  });
});
