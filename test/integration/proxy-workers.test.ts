import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type RequestOptions, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { toPem } from "../../services/proxy/identity/material.ts";
import { IdentityFile } from "../../services/proxy/identity/state-file.ts";
import { type Bus, protoReply } from "../../shared/bus/index.ts";
import {
  CheckRequest,
  CheckResponse,
  Plan,
  ReportAck,
  ReportBatch,
  SyncReply,
  SyncRequest,
  tableKey,
} from "../../shared/wire/index.ts";
import { Application, type Respond } from "../harness/application.ts";
import { Child, eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const workload = (service: string) => ({ namespace: "default", serviceAccount: service, service });
const REVIEWS = tableKey("default", "reviews");
const MAIN = new URL("../../services/proxy/main.js", import.meta.url).pathname;

interface WorkerInfo {
  readonly pid: number;
  readonly connections: number;
  readonly restarts: number;
}

async function view<T>(adminPort: number, path: string): Promise<T> {
  return (await (await fetch(`http://127.0.0.1:${adminPort}${path}`)).json()) as T;
}

async function workersOf(adminPort: number): Promise<readonly WorkerInfo[]> {
  return (await view<{ workers: readonly WorkerInfo[] }>(adminPort, "/server_info")).workers;
}

/** The sum of all series of one metric. */
async function metric(adminPort: number, name: string): Promise<number> {
  const { stats } = await view<{ stats: Record<string, number> }>(adminPort, "/stats?format=json");
  const values = Object.entries(stats).filter(([series]) => series === name || series.startsWith(`${name}{`));
  return values.reduce((sum, [, value]) => sum + value, 0);
}

interface Outcome {
  readonly status: number;
  readonly body: string;
  readonly startedMs: number;
}

/** A request on a connection of its own. */
function ask(port: number, path: string, options: RequestOptions = {}): Promise<Outcome> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path, agent: false, headers: { host: "reviews" }, ...options });
    call.on("error", (error) => reject(Object.assign(error, { startedMs })));
    call.on("response", (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("error", (error) => reject(Object.assign(error, { startedMs })));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, startedMs }));
    });
    call.end();
  });
}

/** Asks without a pause, each time on a new connection, until told to stop. */
function load(port: number, callers: number): { stop(): Promise<Outcome[]> } {
  let running = true;
  const outcomes: Outcome[] = [];
  const loops = Array.from({ length: callers }, async () => {
    while (running) {
      outcomes.push(
        await ask(port, "/load").catch((error: Error & { startedMs: number }) => ({
          status: 0,
          body: error.message,
          startedMs: error.startedMs,
        })),
      );
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(loops);
      return outcomes;
    },
  };
}

async function during(running: ReturnType<typeof load>, act: () => Promise<void>): Promise<Outcome[]> {
  try {
    await act();
  } catch (error) {
    await running.stop();
    throw error;
  }
  return await running.stop();
}

/** What an application answers: the path that it was asked for. */
const itsPath: Respond = ({ url }) => ({ body: url });

describe("a proxy of several workers", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let reviews: Sidecar;
  let operator: Bus;
  const application = new Application(itsPath);
  const outbound = (): number => caller.port("outbound");
  const admin = (): number => caller.port("admin");

  const startBoth = async (): Promise<void> => {
    const ports = `9080:http=127.0.0.1:${application.port}`;
    [reviews, caller] = await Promise.all([
      mesh.startSidecar({ service: "reviews", env: { CONCURRENCY: "2", MESH_PORTS: ports } }),
      mesh.startSidecar({ service: "productpage", env: { CONCURRENCY: "2", LOG_LEVEL: "error" } }),
    ]);
    await mesh.writeEndpoints("reviews", [reviews]);
    await eventually(async () => (await ask(outbound(), "/")).status === 200);
  };

  /** Of the routes of reviews, as both sidecars say that they have applied them. */
  const revisions = async (): Promise<number[]> => {
    const { subjects } = operator;
    const replies = await operator.gather(subjects.sync("service", REVIEWS), SyncRequest, {}, SyncReply, {
      quietMs: 100,
    });
    return replies.map(({ revision }) => revision).sort();
  };

  /** Until as many as there were take connections again. */
  const settled = (restarts: number): Promise<readonly WorkerInfo[]> =>
    eventually(
      async () => {
        const workers = await workersOf(admin());
        assert.equal(workers.length, 2);
        const before = workers.map(({ connections }) => connections);
        await Promise.all([ask(outbound(), "/"), ask(outbound(), "/"), ask(outbound(), "/")]);
        const now = await workersOf(admin());
        assert.ok(now.every(({ connections }, n) => connections > (before[n] ?? 0)));
        assert.equal(await metric(admin(), "mesh_proxy_worker_restarts_total"), restarts);
        return now;
      },
      { withinMs: 20_000, everyMs: 50 },
    );

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({ workloads: ["productpage", "reviews"].map(workload) });
    await mesh.writeService("reviews");
    await mesh.writeService("productpage");
    operator = await mesh.nats.connect("operator");
    await startBoth();
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  test("hands connections to them in turn, and counts as one", async () => {
    const workersBefore = await workersOf(admin());
    const [requestsBefore, askedBefore] = [await metric(admin(), "istio_requests_total"), application.received.length];
    for (let i = 0; i < 40; i++) assert.equal((await ask(outbound(), `/${i}`)).body, `/${i}`);
    const workers = await workersOf(admin());
    assert.equal(new Set(workers.map(({ pid }) => pid)).size, 2);
    assert.ok(workers.every(({ pid }) => pid !== process.pid));
    const given = workers.map(({ connections }, n) => connections - (workersBefore[n]?.connections ?? 0));
    assert.deepEqual(given, [20, 20]);
    assert.equal(application.received.length - askedBefore, 40);
    assert.equal((await metric(admin(), "istio_requests_total")) - requestsBefore, 40);
  });

  test("shows clusters and listeners as one", async () => {
    const open = await Promise.all(Array.from({ length: 4 }, () => RawClient.to(outbound())));
    for (const client of open) client.send("GET /shown HTTP/1.1\r\nHost: reviews\r\n\r\n");
    for (const client of open) assert.equal((await client.response()).status, 200);
    interface Listening {
      readonly listener_statuses: readonly { readonly name: string; readonly connections: number }[];
    }
    const { listener_statuses: listeners } = await view<Listening>(admin(), "/listeners?format=json");
    assert.deepEqual(
      listeners.map(({ name, connections }) => [name, connections]),
      [
        ["inbound", 0],
        ["outbound", 4],
      ],
    );
    interface Clusters {
      readonly cluster_statuses: readonly { name: string; host_statuses: readonly { connections: number }[] }[];
    }
    const { cluster_statuses: clusters } = await view<Clusters>(admin(), "/clusters?format=json");
    const shown = clusters.filter(({ name }) => name === "reviews.default");
    assert.equal(shown.length, 1);
    assert.equal(shown[0]?.host_statuses.length, 1);
    assert.ok((shown[0]?.host_statuses[0]?.connections ?? 0) >= 2, "of both workers");
    for (const client of open) client.close();
  });

  test("has applied a version when all of them have", async () => {
    for (let i = 0; i < 4; i++) await ask(outbound(), "/");
    const [slow] = await workersOf(admin());
    assert.ok(slow !== undefined);
    process.kill(slow.pid, "SIGSTOP");
    try {
      await mesh.writeService("reviews", { revision: 5 });
      // The other sidecar, of two live workers, says 5.
      await eventually(async () => (await revisions()).includes(5));
      assert.deepEqual(await revisions(), [1, 5]);
    } finally {
      process.kill(slow.pid, "SIGCONT");
    }
    await eventually(async () => assert.deepEqual(await revisions(), [5, 5]));
  });

  test("keeps to a rate in all", async () => {
    const [destination, rateLimit] = [
      { namespace: "default", service: "reviews" },
      { maxTokens: 5, tokensPerFill: 1, fillIntervalMs: 600_000 },
    ];
    const route = { rule: "routerule/default/slow", destinations: [{ destination, weight: 100 }], rateLimit };
    await mesh.writeService("reviews", { revision: 6, routes: [route] });
    await eventually(async () => assert.deepEqual(await revisions(), [6, 6]));
    const statuses: number[] = [];
    for (let i = 0; i < 20; i++) statuses.push((await ask(outbound(), "/limited")).status);
    assert.equal(statuses.filter((status) => status === 200).length, 5);
    assert.equal(statuses.filter((status) => status === 429).length, 15);
    await mesh.writeService("reviews", { revision: 7 });
    await eventually(async () => assert.deepEqual(await revisions(), [7, 7]));
  });

  test("gives the connection that a worker died over to another one", async () => {
    const restarts = await metric(admin(), "mesh_proxy_worker_restarts_total");
    const [stuck, other] = await workersOf(admin());
    assert.ok(stuck !== undefined && other !== undefined);
    process.kill(stuck.pid, "SIGSTOP");
    let answered = 0;
    const calls = Array.from({ length: 8 }, async () => {
      const outcome = await ask(outbound(), "/handed-over");
      answered++;
      return outcome;
    });
    // One is in the hands of the one that does nothing.
    await eventually(() => answered === 7);
    process.kill(stuck.pid, "SIGKILL");
    for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
    const workers = await settled(restarts + 1);
    assert.ok(workers.some(({ pid }) => pid === other.pid));
    assert.ok(workers.every(({ pid }) => pid !== stuck.pid));
  });

  test("loses nothing but its own connections with a worker, and goes on counting", async () => {
    const restarts = await metric(admin(), "mesh_proxy_worker_restarts_total");
    const [other, killed] = await workersOf(admin());
    assert.ok(killed !== undefined && other !== undefined);
    let killedMs = Number.POSITIVE_INFINITY;
    const outcomes = await during(load(outbound(), 8), async () => {
      const asked = application.received.length;
      await eventually(() => application.received.length > asked + 200, { withinMs: 20_000 });
      let counted = await metric(admin(), "istio_requests_total");
      process.kill(killed.pid, "SIGKILL");
      killedMs = performance.now();
      await eventually(
        async () => {
          const now = await metric(admin(), "istio_requests_total");
          assert.ok(now >= counted, "counters do not go back");
          counted = now;
          const [, replaced] = await workersOf(admin());
          return replaced !== undefined && replaced.pid !== killed.pid && replaced.connections > 5;
        },
        { withinMs: 20_000 },
      );
    });
    const failed = outcomes.filter(({ status }) => status !== 200);
    assert.ok(failed.length <= 8, `${failed.length} failed: no more than were under way`);
    assert.deepEqual(
      failed.filter(({ startedMs }) => startedMs > killedMs),
      [],
      "no connection made after that has failed",
    );
    assert.ok(outcomes.filter(({ startedMs }) => startedMs > killedMs).length > 20);
    const workers = await settled(restarts + 1);
    assert.ok(workers.some(({ pid }) => pid === other.pid));
  });

  test("serves on when all of them die while the bus is away, and comes back from its folder without it", async () => {
    await mesh.nats.kill();
    const restarts = await metric(admin(), "mesh_proxy_worker_restarts_total");
    for (const { pid } of await workersOf(admin())) process.kill(pid, "SIGKILL");
    // Accepted or not, it waits for a worker.
    assert.equal((await ask(outbound(), "/nobody-there")).status, 200);
    await settled(restarts + 2);
    await Promise.all([mesh.stopSidecar(caller), mesh.stopSidecar(reviews)]);
    await mesh.stopCa();
    const ports = `9080:http=127.0.0.1:${application.port}`;
    reviews = await mesh.startSidecar({
      service: "reviews",
      env: { CONCURRENCY: "2", MESH_PORTS: ports, INBOUND_PORT: String(reviews.port("inbound")) },
    });
    caller = await mesh.startSidecar({ service: "productpage", env: { CONCURRENCY: "2" } });
    for (let i = 0; i < 4; i++) assert.equal((await ask(outbound(), "/restored")).status, 200);
    await mesh.nats.restart();
    await mesh.startCa();
  });
});

describe("workers and the control plane", () => {
  let mesh: SidecarMesh;
  let mixer: Bus;
  let reviews: Sidecar;
  const application = new Application(itsPath);
  const checks: CheckRequest[] = [];
  const batches: ReportBatch[] = [];
  let refuses = false;

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({ workloads: ["productpage", "reviews"].map(workload) });
    await mesh.writeService("reviews");
    await mesh.writeService("productpage");
    mixer = await mesh.nats.connect("mixer");
    mixer.serve(mixer.subjects.allPolicyChecks(), (message) => {
      const request = message.decode(CheckRequest);
      checks.push(request);
      return protoReply(CheckResponse, { code: refuses ? 7 : 0, message: refuses ? "not today" : "" });
    });
    mixer.serve(mixer.subjects.allReports(), (message) => {
      const batch = message.decode(ReportBatch);
      batches.push(batch);
      return protoReply(ReportAck, { replica: "", sequence: batch.sequence });
    });
    await mixer.flush();
    await mesh.write(
      "plan",
      "default",
      Plan.encode({
        revision: 2,
        check: { attributes: ["request.path"], failOpen: false },
        inbound: { groupBy: ["destination.service.name"] },
      }),
    );
    reviews = await mesh.startSidecar({
      service: "reviews",
      env: { CONCURRENCY: "2", CERT_TTL_MS: "4s", MESH_PORTS: `9080:http=127.0.0.1:${application.port}` },
    });
    await mesh.writeEndpoints("reviews", [reviews]);
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  test("ask Mixer through the primary, and report each for itself", async () => {
    const caller = await mesh.startSidecar({ service: "productpage", env: { CONCURRENCY: "2" } });
    await eventually(async () => (await ask(caller.port("outbound"), "/first")).status === 200);
    for (let i = 0; i < 20; i++) await ask(caller.port("outbound"), `/allowed/${i}`);
    refuses = true;
    const refused = await ask(caller.port("outbound"), "/refused");
    refuses = false;
    assert.equal(refused.status, 403);
    assert.match(refused.body, /not today/);
    assert.ok(checks.length >= 20);
    const sent = await metric(reviews.port("admin"), "istio_requests_total");
    await eventually(() => {
      const rows = batches.flatMap((batch) => batch.rows);
      return rows.reduce((sum, row) => sum + row.count, 0) === sent && new Set(batches.map((b) => b.bootId)).size === 2;
    });
    assert.ok((await metric(reviews.port("admin"), "mesh_proxy_checks_total")) >= 20);
    await mesh.stopSidecar(caller);
  });

  test("get every new certificate", async () => {
    const identity = await eventually(async () => {
      const stored = await new IdentityFile(reviews.stateDir).read();
      assert.ok(stored !== undefined);
      return stored;
    });
    const serial = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({
          host: "127.0.0.1",
          port: reviews.port("inbound"),
          cert: identity.chain.map(toPem).join(""),
          key: identity.keyPem,
          ca: identity.roots.map(toPem).join(""),
          ALPNProtocols: ["lateen/1"],
          checkServerIdentity: () => undefined,
        });
        socket.once("error", reject);
        socket.once("secureConnect", () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
      });
    const before = await serial();
    await eventually(
      async () => {
        const shown = await Promise.all([serial(), serial(), serial(), serial()]);
        return new Set(shown).size === 1 && shown[0] !== before;
      },
      { withinMs: 10_000, everyMs: 100 },
    );
  });
});

describe("a proxy process of several workers", () => {
  let mesh: SidecarMesh;
  const application = new Application(itsPath);

  const spawn = async (env: Record<string, string> = {}): Promise<{ child: Child; ports: Record<string, number> }> => {
    const settings = mesh.settings({
      service: "reviews",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${application.port}`, ...env },
    });
    const child = new Child(process.execPath, [MAIN, "--concurrency", "2"], settings);
    const [line] = await child.waitFor(/\{"ready":true.*\}/, 30_000);
    return { child, ports: (JSON.parse(line) as { ports: Record<string, number> }).ports };
  };

  let stays: Sidecar;

  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({ workloads: ["productpage", "reviews"].map(workload) });
    await mesh.writeService("reviews");
    await mesh.writeService("productpage");
    stays = await mesh.startSidecar({
      service: "reviews",
      instance: "reviews-2",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` },
    });
    await mesh.writeEndpoints("reviews", [stays]);
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  test("drains on SIGTERM without losing a request, whoever else of its group gets the signal too", async () => {
    const { child, ports } = await spawn({ DRAIN_MIN_MS: "500ms", DRAIN_MAX_MS: "10s" });
    const leaves = { instance: "reviews-1", service: "reviews", port: (name: string) => ports[name] ?? 0 } as Sidecar;
    await mesh.writeEndpoints("reviews", [stays, leaves]);
    const caller = await mesh.startSidecar({ service: "productpage" });
    await eventually(async () => (await ask(caller.port("outbound"), "/")).status === 200);
    const workers = await workersOf(ports["admin"] ?? 0);
    assert.equal(workers.length, 2);
    const outcomes = await during(load(caller.port("outbound"), 4), async () => {
      const asked = application.received.length;
      await eventually(() => application.received.length > asked + 50);
      for (const { pid } of workers) for (const signal of ["SIGTERM", "SIGINT"] as const) process.kill(pid, signal);
      const exit = once(child.process, "exit");
      child.process.kill("SIGTERM");
      await eventually(
        async () => (await view<{ state: string }>(ports["admin"] ?? 0, "/server_info")).state === "DRAINING",
      );
      assert.deepEqual(
        (await workersOf(ports["admin"] ?? 0)).map(({ pid }) => pid),
        workers.map(({ pid }) => pid),
      );
      await mesh.writeEndpoints("reviews", [stays]);
      assert.deepEqual(await exit, [0, null]);
    });
    assert.deepEqual(
      outcomes.filter(({ status }) => status !== 200),
      [],
    );
    for (const { pid } of workers) assert.equal(isAlive(pid), false);
  });

  test("has log level and drained listeners the same for all workers, also for those that come later", async () => {
    const { child, ports } = await spawn();
    const admin = ports["admin"] ?? 0;
    const post = async (path: string): Promise<void> => {
      assert.equal((await fetch(`http://127.0.0.1:${admin}${path}`, { method: "POST" })).status, 200);
    };
    await post("/logging?level=debug");
    const plain = async (): Promise<void> => {
      const client = await RawClient.to(ports["inbound"] ?? 0);
      client.send("GET / HTTP/1.1\r\nHost: reviews\r\n\r\n");
      await client.untilClosed();
    };
    await plain();
    await plain();
    for (const worker of [0, 1]) await child.waitFor(new RegExp(`"worker":${worker},.*TLS handshake failed`));
    await post("/drain_listeners?inboundonly");
    await eventually(() =>
      plain().then(
        () => false,
        () => true,
      ),
    );
    const [first] = await workersOf(admin);
    assert.ok(first !== undefined);
    process.kill(first.pid, "SIGKILL");
    await eventually(async () => (await workersOf(admin)).every(({ pid }) => pid !== first.pid), { withinMs: 20_000 });
    await eventually(
      async () => {
        for (let i = 0; i < 4; i++) assert.equal((await ask(ports["outbound"] ?? 0, "/")).status, 200);
        const now = await workersOf(admin);
        return now.length === 2 && now.every(({ connections }) => connections > 2);
      },
      { withinMs: 20_000 },
    );
    const { listener_statuses: listeners } = await view<{ listener_statuses: readonly { name: string }[] }>(
      admin,
      "/listeners?format=json",
    );
    assert.deepEqual(
      listeners.map(({ name }) => name),
      ["outbound"],
    );
    await child.kill("SIGTERM");
  });

  test("has no worker that outlives it", async () => {
    const { child, ports } = await spawn();
    const workers = await workersOf(ports["admin"] ?? 0);
    assert.equal(workers.length, 2);
    for (const { pid } of workers) {
      assert.ok(isAlive(pid));
      assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /NATS_/, "nor any with a login of the bus");
    }
    await child.kill("SIGKILL");
    await eventually(() => workers.every(({ pid }) => !isAlive(pid)));
  });
});
