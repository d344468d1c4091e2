import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Bus } from "../../shared/bus/index.ts";
import {
  HostsConfig,
  type Input,
  ServiceConfig,
  SyncReply,
  SyncRequest,
  tableKey,
  WorkloadConfig,
} from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const workload = (service: string) => ({ namespace: "default", serviceAccount: service, service });
const WITHIN = { withinMs: 10_000 };

for (const concurrency of ["1", "2"]) {
  describe(`what the mesh sets for a running proxy of concurrency ${concurrency}`, () => {
    let mesh: SidecarMesh;
    let caller: Sidecar;
    let operator: Bus;
    let application: Application;
    let revision = 0;

    const say = async (namespace: string, config: Input<typeof WorkloadConfig>): Promise<number> => {
      await mesh.write("workload", namespace, WorkloadConfig.encode({ ...config, revision: ++revision }));
      return revision;
    };
    const applied = async (namespace: string): Promise<SyncReply> => {
      const subject = operator.subjects.sync("workload", namespace);
      const [reply] = await operator.gather(subject, SyncRequest, {}, SyncReply, { quietMs: 100 });
      return reply ?? assert.fail("nobody answers");
    };
    const isApplied = (namespace: string, wanted: number): Promise<unknown> =>
      eventually(async () => assert.equal((await applied(namespace)).revision, wanted), WITHIN);
    const debug = (question: object): Promise<unknown> => {
      const identity = { namespace: "default", serviceAccount: "caller", proxy: "caller-1" };
      return operator.requestJson(operator.subjects.proxyDebug(identity), question, { timeoutMs: 5_000 });
    };
    const status = async (authority: string): Promise<number> => (await caller.call(authority)).status;
    const startCaller = (): Promise<Sidecar> =>
      mesh.startSidecar({ service: "caller", env: { CONCURRENCY: concurrency, ACCESS_LOG_DIR: mesh.folder } });

    before(async () => {
      mesh = await startSidecarMesh({ workloads: [workload("caller")] });
      application = await new Application(({ headers }) => ({ body: JSON.stringify(headers) })).listen();
      for (const service of ["api", "wide"]) {
        await mesh.writeService(service);
        await mesh.writeApplication(service, application.port);
      }
      const hosts = [{ pattern: "*.example.com", namespace: "default", service: "*.example.com" }];
      await mesh.write("hosts", "default", HostsConfig.encode({ hosts, revision: 1 }));
      await mesh.write(
        "service",
        tableKey("default", "*.example.com"),
        ServiceConfig.encode({
          namespace: "default",
          name: "*.example.com",
          host: "*.example.com",
          ports: [{ number: 80, protocol: "http" }],
          routes: [{ rule: "default", directResponse: { status: 210, body: "named" } }],
        }),
      );
      operator = await mesh.nats.connect("operator");
      caller = await startCaller();
    });

    after(async () => {
      await mesh.stop();
      await application.close();
    });

    test("whether hosts outside may be called: the scope over the mesh over the start", async () => {
      const outside = `127.0.0.1:${application.port}`;
      assert.equal(await status(outside), 200);
      const connections = application.connections;
      await isApplied("istio-system", await say("istio-system", { mesh: { outboundTrafficPolicy: "REGISTRY_ONLY" } }));
      assert.equal(await status(outside), 502);
      assert.equal(await status("api:9080"), 200);
      await isApplied("default", await say("default", { sidecars: [{ outboundTrafficPolicy: "ALLOW_ANY" }] }));
      assert.equal(await status(outside), 200);
      assert.ok(application.connections <= connections + 2, "connections survive");
      await say("default", {});
      await isApplied("istio-system", await say("istio-system", {}));
      assert.equal(await status(outside), 200);
    });

    test("what the application may call, from one request to the next", async () => {
      await say("istio-system", { mesh: { outboundTrafficPolicy: "REGISTRY_ONLY" } });
      assert.equal(await status("api.default:9080"), 200);
      const scope = (labels: Record<string, string>, ...hosts: string[]) => ({
        rule: `sidecar/default/${hosts.length}`,
        labels,
        egressHosts: hosts.map((host) => ({ namespace: "default", host })),
      });
      const only = "api.default.svc.cluster.local";
      const sidecars = [scope({ app: "other" }, "*"), scope({ app: "caller" }, only), scope({})];
      await isApplied("default", await say("default", { sidecars }));
      assert.equal(await status("api:9080"), 200);
      assert.equal(await status("wide:9080"), 502, "as a host outside the mesh");
      assert.equal(await status("www.example.com"), 502);
      assert.deepEqual(await debug({ view: "scope" }), {
        scope: { rule: "sidecar/default/1", revision: 0, labels: { app: "caller" }, egress_hosts: [`default/${only}`] },
      });
      const wider = [scope({ app: "caller" }, "*.example.com", "wide.default.svc.cluster.local")];
      await isApplied("default", await say("default", { sidecars: wider }));
      assert.equal(await status("wide:9080"), 200);
      assert.equal(await status("www.example.com"), 210);
      assert.equal(await status("api:9080"), 502);
    });

    test("the root namespace's scope counts where the own namespace has none", async () => {
      await say("default", {});
      const mesh = { outboundTrafficPolicy: "REGISTRY_ONLY" };
      const sidecars = [{ egressHosts: [{ namespace: "*", host: "wide.default.svc.cluster.local" }] }];
      await isApplied("istio-system", await say("istio-system", { mesh, sidecars }));
      assert.equal(await status("api:9080"), 502);
      assert.equal(await status("wide:9080"), 200);
    });

    test("whether and how requests are logged", async () => {
      const file = join(mesh.folder, `mesh-${concurrency}.log`);
      const lines = async (): Promise<string[]> => (await readFile(file, "utf8").catch(() => "")).trim().split("\n");
      const log = { accessLogFile: file, accessLogEncoding: "TEXT", accessLogFormat: "%REQ(:PATH)% %RESPONSE_CODE%" };
      await isApplied("istio-system", await say("istio-system", { mesh: log }));
      await caller.call("wide:9080", "/logged");
      await eventually(async () => assert.deepEqual(await lines(), ["/logged 200"]), WITHIN);
      await isApplied("istio-system", await say("istio-system", { mesh: { ...log, accessLogFile: "" } }));
      await caller.call("wide:9080", "/not-logged");
      const limits = { outboundTrafficPolicy: "REGISTRY_ONLY" };
      const bad = { ...log, ...limits, accessLogFile: join(mesh.folder, "no/such/folder") };
      assert.notEqual(await status("nowhere.example"), 502);
      const refused = await say("istio-system", { mesh: bad });
      await eventually(async () => {
        const { revision: inForce, reason } = await applied("istio-system");
        assert.equal(inForce, refused - 1);
        assert.match(reason, /ENOENT/);
      }, WITHIN);
      // What limits the application is in force all the same, and stays so when the other key changes.
      assert.equal(await status("nowhere.example"), 502);
      await isApplied("default", await say("default", {}));
      assert.equal(await status("nowhere.example"), 502);
      const outside = await say("istio-system", { mesh: { ...log, accessLogFile: "/etc/mesh-access.log" } });
      await eventually(async () => {
        const { revision: inForce, reason } = await applied("istio-system");
        assert.equal(inForce, outside - 3);
        assert.match(reason, /\/etc\/mesh-access.log is not within/);
      }, WITHIN);
      await isApplied("istio-system", await say("istio-system", {}));
      assert.deepEqual(await lines(), ["/logged 200"]);
    });

    test("whether traces begin, and how many are kept", async () => {
      const parent = async (): Promise<string | undefined> => {
        const { body } = await caller.call("wide:9080");
        return (JSON.parse(body) as Record<string, string>)["traceparent"];
      };
      await isApplied("istio-system", await say("istio-system", { mesh: { tracing: false } }));
      assert.equal(await parent(), undefined);
      await isApplied("istio-system", await say("istio-system", { mesh: { tracingSampling: 100 } }));
      assert.match((await parent()) ?? "", /-01$/);
      await isApplied("istio-system", await say("istio-system", { mesh: { tracingSampling: 0 } }));
      assert.match((await parent()) ?? "", /-00$/);
      const { mesh: shown } = (await debug({ view: "mesh" })) as { mesh: Record<string, unknown> };
      assert.deepEqual(shown["tracing"], { enabled: true, formats: ["w3c"], sampling: 0, from: "mesh" });
    });

    test("is seen from afar, with the routes and endpoints that it leads to", async () => {
      assert.equal(await status("api:9080"), 200);
      const { route_configs: routes } = (await debug({ view: "routes", match: "api" })) as {
        route_configs: { name: string; routes: object[] }[];
      };
      assert.deepEqual(
        routes.map(({ name }) => name),
        ["api.default"],
      );
      assert.deepEqual(routes[0]?.routes, [
        {
          rule: "default",
          revision: 0,
          targets: [{ cluster: "api.default", port: 0, weight: 100 }],
          config: {
            rule: "default",
            destinations: [{ destination: { namespace: "default", service: "api" }, weight: 100 }],
            timeout: { timeoutMs: 15_000 },
          },
        },
      ]);
      const { endpoint_statuses: endpoints } = (await debug({ view: "endpoints", match: "api.default" })) as {
        endpoint_statuses: Record<string, unknown>[];
      };
      assert.equal(endpoints.length, 1);
      const { instance, address, port, service_port, health, transport } = endpoints[0] ?? {};
      assert.deepEqual(
        { instance, address, port, service_port, health, transport },
        {
          instance: "api-1",
          address: "127.0.0.1",
          port: application.port,
          service_port: 9080,
          health: "HEALTHY",
          transport: "plaintext",
        },
      );
      const { secrets } = (await debug({ view: "secrets" })) as { secrets: { name: string; status: string }[] };
      assert.deepEqual(
        secrets.map(({ name, status }) => [name, status]),
        [
          ["default", "ACTIVE"],
          ["ROOTCA", "ACTIVE"],
        ],
      );
      assert.ok(!JSON.stringify(secrets).includes("PRIVATE"));
    });

    test("is known after a restart with everything down, and so is that nothing is set", async () => {
      await isApplied("istio-system", await say("istio-system", { mesh: { outboundTrafficPolicy: "REGISTRY_ONLY" } }));
      const outside = `127.0.0.1:${application.port}`;
      await mesh.stopSidecar(caller);
      await mesh.stopCa();
      await mesh.nats.kill();
      caller = await startCaller();
      assert.equal(await status(outside), 502);
      await mesh.nats.restart();
      await mesh.startCa();
      await eventually(() => mesh.remove("workload", "istio-system").then(() => true), WITHIN);
      await eventually(async () => assert.equal(await status(outside), 200), WITHIN);
      await eventually(() => operator.connected, WITHIN);
    });

    test("the log level is set, and listeners are drained, from afar", async () => {
      assert.deepEqual(await debug({ action: "log_level", level: "warn" }), { level: "warn" });
      assert.deepEqual(await debug({ view: "logging" }), { level: "warn" });
      for (const wrong of [{ action: "log_level", level: "loud" }, { action: "explode" }, { view: "mesh", match: 1 }]) {
        await assert.rejects(debug(wrong), /no such level|no such action|not a text/);
      }
      await debug({ action: "drain", inbound_only: true });
      await eventually(async () => {
        const { listener_statuses: listeners } = (await debug({ view: "listeners" })) as {
          listener_statuses: { name: string }[];
        };
        assert.deepEqual(
          listeners.map(({ name }) => name),
          ["outbound"],
        );
      }, WITHIN);
      assert.equal(await status("api:9080"), 200);
    });
  });
}
