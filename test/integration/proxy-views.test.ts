import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClusterView } from "../../services/proxy/plane/views.ts";
import { EndpointSet, type RouteInput, type TrafficPolicyInput, tableKey } from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

/** Two callers in different namespaces, a real bus, and one service that is not the same to both. */

const to = (rule: string, service: string, port = 0): RouteInput => ({
  rule,
  destinations: [{ destination: { namespace: "default", service }, weight: 100, port }],
});

describe("a service", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let shopper: Sidecar;
  const applications: Application[] = [];
  let revision = 1;

  before(async () => {
    const workload = (namespace: string, service: string) => ({ namespace, serviceAccount: service, service });
    mesh = await startSidecarMesh({ workloads: [workload("default", "caller"), workload("shop", "shopper")] });
    for (const service of ["reviews", "canary"]) {
      const application = await new Application(() => ({ body: service })).listen();
      applications.push(application);
      await mesh.writeService(service);
      const ports = [9080, 9081].map((number) => ({ number, protocol: "http", addressPort: application.port }));
      const endpoint = { instance: `${service}-1`, address: "127.0.0.1", ports, healthy: true, plaintext: true };
      await mesh.write("endpoints", tableKey("default", service, "0"), EndpointSet.encode({ endpoints: [endpoint] }));
    }
    [caller, shopper] = await Promise.all([
      mesh.startSidecar({ service: "caller" }),
      mesh.startSidecar({ service: "shopper", namespace: "shop" }),
    ]);
  });

  after(async () => {
    await mesh.stop();
    for (const application of applications) await application.close();
  });

  const ports = [9080, 9081].map((number) => ({ number, protocol: "http" }));
  const write = (config: { routes?: RouteInput[]; views?: object[]; policies?: TrafficPolicyInput[] }): Promise<void> =>
    mesh.writeService("reviews", { ports, ...config, revision: ++revision });
  const ask = async (from: Sidecar, port = 9080): Promise<string> => {
    const { status, body } = await from.call(`reviews.default:${port}`);
    return status === 200 ? body : String(status);
  };
  const clusters = async (from: Sidecar): Promise<Record<string, ClusterView>> => {
    const answer = await fetch(`http://127.0.0.1:${from.port("admin")}/clusters?format=json`);
    const { cluster_statuses } = (await answer.json()) as { cluster_statuses: ClusterView[] };
    return Object.fromEntries(cluster_statuses.map((cluster) => [cluster.name, cluster]));
  };
  const follows = async (from: Sidecar, key: string): Promise<boolean> =>
    (await (await fetch(`http://127.0.0.1:${from.port("admin")}/config_dump`)).text()).includes(key);

  test("leads callers of certain namespaces elsewhere, and only they follow what is there", async () => {
    await write({
      routes: [to("all", "reviews")],
      views: [{ namespaces: ["blog", "shop"], routes: [to("shop", "canary")] }],
    });
    await eventually(async () => assert.equal(await ask(shopper), "canary"), { withinMs: 10_000 });
    assert.equal(await ask(caller), "reviews");
    assert.deepEqual(
      [await follows(shopper, "default.canary"), await follows(caller, "default.canary")],
      [true, false],
    );

    await write({
      routes: [to("all", "reviews")],
      views: [{ namespaces: ["default"], routes: [to("own", "canary")] }],
    });
    await eventually(async () => assert.equal(await ask(caller), "canary"), { withinMs: 10_000 });
    assert.equal(await ask(shopper), "reviews");
  });

  test("has the policies of the caller's namespace and of the port that is called", async () => {
    const limit = (maxConnections: number) => ({ circuitBreaker: { maxConnections } });
    await write({
      routes: [to("all", "reviews")],
      policies: [
        { rule: "shop", namespaces: ["shop"], anyLabels: true, ...limit(11) },
        { rule: "shop", namespaces: ["shop"], anyLabels: true, port: 9081, ...limit(12), loadBalancing: "RANDOM" },
        { rule: "all", ...limit(13) },
      ],
    });
    const shown = async (from: Sidecar) =>
      Object.entries(await clusters(from)).flatMap(([name, { policy, load_balancing, circuit_breakers }]) =>
        name.startsWith("reviews.") ? [[name, policy, load_balancing, circuit_breakers["max_connections"]]] : [],
      );
    for (const from of [caller, shopper])
      for (const port of [9080, 9081]) assert.equal(await ask(from, port), "reviews");
    await eventually(async () =>
      assert.deepEqual(await shown(caller), [["reviews.default", "all", "ROUND_ROBIN", 13]]),
    );
    await eventually(async () =>
      assert.deepEqual(await shown(shopper), [
        ["reviews.default", "shop", "ROUND_ROBIN", 11],
        ["reviews.default:9081", "shop", "RANDOM", 12],
      ]),
    );
    for (const port of [9080, 9081, 9081]) assert.equal(await ask(shopper, port), "reviews");
    const seen = await clusters(shopper);
    const [general, apart] = ["reviews.default", "reviews.default:9081"].map((name) => seen[name]?.host_statuses[0]);
    assert.equal(apart?.connections, 1, "requests to the port are its own cluster's");
    assert.deepEqual(Object.keys(apart?.ports ?? {}), ["9081"]);
    assert.ok((general?.connections ?? 0) >= 1);
  });

  test("is limited on one port without being so on another", async () => {
    const held = applications[0];
    assert.ok(held !== undefined);
    const respond = held.respond;
    await write({
      routes: [to("all", "reviews")],
      policies: [{ rule: "tight", port: 9081, circuitBreaker: { maxConnections: 1, httpMaxRequests: 1 } }],
    });
    await eventually(async () => assert.ok("reviews.default:9081" in (await clusters(caller))));
    const answers: (() => void)[] = [];
    held.respond = (_, response) => void answers.push(() => response.end("late"));
    const first = ask(caller, 9081);
    await eventually(() => answers.length === 1);
    assert.equal(await ask(caller, 9081), "503");
    const other = ask(caller, 9080);
    await eventually(() => answers.length === 2);
    for (const answer of answers) answer();
    assert.deepEqual(await Promise.all([first, other]), ["late", "late"]);
    held.respond = respond;
  });
});
