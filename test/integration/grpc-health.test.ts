import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { GrpcProbe } from "../../services/proxy/cluster/grpc-probe.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { DEFAULT_HTTP1 } from "../../services/proxy/codec/http1-settings.ts";
import { HealthProbe } from "../../services/proxy/health-probe.ts";
import { grpcHealthStack } from "../../services/proxy/inbound/stack.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { systemClock } from "../../shared/base/index.ts";
import { EndpointSet, tableKey } from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import {
  type GrpcAnswer,
  GrpcHealthServer,
  grpcMessage,
  NOT_SERVING,
  SERVING,
  UNIMPLEMENTED,
} from "../harness/grpc-health-server.ts";
import { consistently, eventually, FakeClock, freePort } from "../harness/index.ts";
import { proxyFixture } from "../harness/proxy-fixture.ts";
import { RawClient } from "../harness/raw-client.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const { proxy, cleanUp } = proxyFixture();

async function health(answer?: GrpcAnswer): Promise<GrpcHealthServer> {
  const server = await new GrpcHealthServer(answer).listen();
  cleanUp(() => server.close());
  return server;
}

/** A TCP server in the test's own hands. */
async function raw(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Whether whoever listens there says that it serves. */
function isServing(port: number, service = ""): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      new GrpcProbe(socket, { authority: "reviews.default", service }, resolve);
    });
  });
}

describe("a question in gRPC", () => {
  test("is put as the health protocol says, and its connection closed after it", async () => {
    const server = await health();
    assert.equal(await isServing(server.port, "my.Service"), true);
    assert.equal(await isServing(server.port), true);
    assert.deepEqual(server.asked, ["my.Service", ""]);
    assert.deepEqual(server.authorities, ["reviews.default", "reviews.default"]);
    await eventually(() => server.connections === 0);
  });

  test("has one good answer, whatever else the message carries", async () => {
    const good: GrpcAnswer[] = [
      SERVING,
      { ...SERVING, contentType: "application/grpc+proto" },
      { body: grpcMessage([8, 1, 0x12, 3, 0x61, 0x62, 0x63]) },
    ];
    for (const answer of good) assert.equal(await isServing((await health(answer)).port), true, JSON.stringify(answer));
  });

  test("is failed by every other answer", async () => {
    const bad: Record<string, GrpcAnswer> = {
      "not serving": NOT_SERVING,
      unknown: { body: grpcMessage([]) },
      "service unknown": { body: grpcMessage([8, 3]) },
      unimplemented: UNIMPLEMENTED,
      "not found": { grpcStatus: "5", headOnly: true },
      "an error after a good message": { ...SERVING, grpcStatus: "13" },
      "no grpc-status": { ...SERVING, grpcStatus: undefined },
      "no message": { grpcStatus: "0", headOnly: true },
      "HTTP 503": { ...SERVING, status: 503 },
      "not gRPC": { ...SERVING, contentType: "application/json" },
      "nearly gRPC": { ...SERVING, contentType: "application/grpcx" },
      "a compressed message": { body: grpcMessage([8, 1], 1) },
      "a length that lies": { body: Buffer.from([0, 0, 0, 0, 3, 8, 1]) },
      "half a prefix": { body: Buffer.from([0, 0, 0]) },
      "two messages": { body: Buffer.concat([grpcMessage([8, 1]), grpcMessage([8, 1])]) },
      "a message that is none": { body: grpcMessage([0xff, 0xff]) },
      "far too much": { body: Buffer.alloc(100_000) },
    };
    for (const [name, answer] of Object.entries(bad)) {
      assert.equal(await isServing((await health(answer)).port), false, name);
    }
  });

  test("is failed by a server that does not speak HTTP/2, or hangs up", async () => {
    const http1 = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    assert.equal(await isServing(await raw((socket) => socket.write(http1))), false);
    assert.equal(await isServing(await raw((socket) => socket.destroy())), false);
    assert.equal(await isServing(await raw((socket) => socket.end())), false);
    const late = await raw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    assert.equal(await isServing(late), false);
  });

  test("tells nothing once it is dropped", async () => {
    const silent = new GrpcHealthServer();
    silent.answer = undefined;
    await silent.listen();
    cleanUp(() => silent.close());
    const told: boolean[] = [];
    const socket = connect(silent.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const probe = new GrpcProbe(socket, { authority: "a", service: "" }, (isGood) => told.push(isGood));
    await eventually(() => silent.asked.length === 1);
    probe.cancel();
    await eventually(() => silent.connections === 0);
    assert.deepEqual(told, []);
  });
});

describe("gRPC health checks of instances without a sidecar", () => {
  const check = { intervalMs: 1_000, timeoutMs: 10_000, unhealthyThreshold: 2, healthyThreshold: 1 };

  test("take out whoever is not serving, after as many failures as the policy says, and bring it back", async () => {
    const clock = new FakeClock();
    const [ill, well] = [await health(NOT_SERVING), await health()];
    const policy = { healthCheck: { ...check, grpcService: "books" } };
    const caller = await proxy({ instances: [ill.port, well.port], policy, clock });
    const [host, other] = caller.cluster.hosts;
    const round = async (checked: () => boolean): Promise<void> => {
      clock.advance(1_200);
      await eventually(checked);
    };
    await round(() => ill.asked.length === 1 && well.asked.length === 1);
    await eventually(() => ill.connections === 0);
    assert.equal(host?.available, true, "one failure is not enough");
    await round(() => host?.checkFailed === true);
    assert.equal(other?.available, true);
    assert.deepEqual(new Set([...ill.asked, ...well.asked]), new Set(["books"]));
    ill.answer = SERVING;
    await round(() => host?.available === true);
  });

  test("fail when no answer comes in time", async () => {
    const clock = new FakeClock();
    const silent = new GrpcHealthServer();
    silent.answer = undefined;
    await silent.listen();
    cleanUp(() => silent.close());
    const policy = { healthCheck: { ...check, timeoutMs: 5_000, unhealthyThreshold: 1, grpcService: "" } };
    const caller = await proxy({ instances: [silent.port], policy, clock });
    clock.advance(1_000);
    await eventually(() => silent.asked.length === 1);
    assert.equal(caller.cluster.hosts[0]?.checkFailed, false);
    clock.advance(5_000);
    assert.equal(caller.cluster.hosts[0]?.checkFailed, true);
    await eventually(() => silent.connections === 0);
  });
});

describe("gRPC health checks through a sidecar", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let reviews: Sidecar;
  let server: GrpcHealthServer;
  let application: Application;

  const becomes = (status: number): Promise<unknown> =>
    eventually(async () => assert.equal((await caller.call("reviews:9081")).status, status), { withinMs: 10_000 });

  before(async () => {
    server = await new GrpcHealthServer().listen();
    application = await new Application(() => ({ body: "ok" })).listen();
    const workload = (service: string) => ({ namespace: "default", serviceAccount: service, service });
    mesh = await startSidecarMesh({ workloads: ["caller", "reviews"].map(workload) });
    await mesh.writeService("reviews", {
      ports: [
        { number: 9080, protocol: "grpc" },
        { number: 9081, protocol: "http" },
      ],
      policies: [
        {
          healthCheck: {
            intervalMs: 50,
            timeoutMs: 2_000,
            unhealthyThreshold: 1,
            healthyThreshold: 1,
            grpcService: "a/b c",
          },
          panicPercent: -1,
        },
      ],
    });
    reviews = await mesh.startSidecar({
      service: "reviews",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${server.port},9081:http=127.0.0.1:${application.port}` },
    });
    caller = await mesh.startSidecar({ service: "caller" });
    const addressPort = reviews.port("inbound");
    const endpoint = {
      instance: reviews.instance,
      principal: "spiffe://cluster.local/ns/default/sa/reviews",
      address: "127.0.0.1",
      ports: [
        { number: 9080, protocol: "grpc", addressPort },
        { number: 9081, protocol: "http", addressPort },
      ],
      healthy: true,
    };
    await mesh.write("endpoints", tableKey("default", "reviews", "0"), EndpointSet.encode({ endpoints: [endpoint] }));
    await becomes(200);
  });

  after(async () => {
    await mesh.stop();
    await server.close();
    await application.close();
  });

  test("are put to the application by its own sidecar, which counts them as no request", async () => {
    const before = server.asked.length;
    await eventually(() => server.asked.length >= before + 3);
    assert.deepEqual(new Set(server.asked), new Set(["a/b c"]));
    const stats = await (await fetch(`http://127.0.0.1:${reviews.port("admin")}/stats/prometheus`)).text();
    const requests = /^istio_requests_total\{reporter="destination".*\} (\d+)$/m.exec(stats)?.[1];
    assert.equal(Number(requests ?? 0), application.received.length);
  });

  test("take an instance out when its application is not serving, and bring it back", async () => {
    server.answer = NOT_SERVING;
    await becomes(503);
    server.answer = SERVING;
    await becomes(200);
    server.answer = UNIMPLEMENTED;
    await becomes(503);
    server.answer = SERVING;
    await becomes(200);
  });

  test("are dropped by the sidecar when the caller has stopped waiting", async () => {
    server.answer = undefined;
    await becomes(503);
    await eventually(() => server.connections <= 1, { withinMs: 10_000 });
    server.answer = SERVING;
    await becomes(200);
  });
});

test("a sidecar puts no more than a hundred questions to its application at a time, whoever asks", async () => {
  const server = await health();
  server.answer = undefined;
  const connector = new Connector({
    connectTimeoutMs: 1_000,
    self: UNKNOWN_PEER,
    limits: DEFAULT_HTTP1,
    identity: () => undefined,
    verify: () => ({ error: "not used" }),
  });
  const cluster = new Cluster("inbound");
  const ports = new Map([[0, { address: "127.0.0.1", port: server.port, plaintext: true }]]);
  cluster.update([new Host({ peer: { ...UNKNOWN_PEER, host: "reviews" }, ports, connector })]);
  const stack = grpcHealthStack({ overload: { active: false }, application: () => cluster });
  const listener = createOutboundListener(UNKNOWN_PEER, stack, systemClock);
  const port = await listener.listen("127.0.0.1", 0);
  cleanUp(() => listener.close());
  const ask = async (): Promise<RawClient> => {
    const client = await RawClient.to(port);
    client.send("GET /grpc.health.v1.Health/Check/ HTTP/1.1\r\nHost: reviews\r\n\r\n");
    return client;
  };
  const waiting = await Promise.all(Array.from({ length: 100 }, ask));
  await eventually(() => server.connections === 100);
  const late = await ask();
  assert.equal((await late.response()).status, 503);
  assert.equal(server.connections, 100);
  late.close();
  for (const client of waiting) client.close();
  await eventually(() => server.connections === 0);
  server.answer = SERVING;
  const next = await ask();
  assert.equal((await next.response()).status, 200);
  next.close();
});

describe("a health URL", () => {
  const probe = (url: string): HealthProbe => {
    const made = new HealthProbe({ url, clock: systemClock, periodMs: 20 });
    cleanUp(() => made.stop());
    made.start();
    return made;
  };

  test("of grpc asks for the service in its path", async () => {
    const server = await health();
    const own = probe(`grpc://127.0.0.1:${server.port}/my.Service%2Fv1`);
    await eventually(() => own.healthy);
    assert.equal(server.asked[0], "my.Service/v1");
    server.answer = NOT_SERVING;
    await eventually(() => !own.healthy);
    server.answer = SERVING;
    await eventually(() => own.healthy);
    const whole = probe(`grpc://localhost:${server.port}`);
    await eventually(() => whole.healthy);
    assert.ok(server.asked.includes(""));
    own.stop();
    whole.stop();
    await eventually(() => server.connections === 0);
  });

  test("of tcp is content with a connection", async () => {
    const own = probe(`tcp://127.0.0.1:${await raw(() => undefined)}`);
    await eventually(() => own.healthy);
    const none = probe(`tcp://127.0.0.1:${await freePort()}`);
    await consistently(() => !none.healthy, 100);
  });
});
