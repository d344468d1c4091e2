import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClusterView } from "../../services/proxy/plane/views.ts";
import type { AppPorts } from "../../shared/base/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

/** VirtualServices and DestinationRules all the way: applied at a real Pilot, and felt by callers in two namespaces. */

describe("rules of networking.istio.io", () => {
  const applications = new Map<string, Application>();
  let mesh: SmallMesh;
  let caller: AppPorts;
  let shopper: AppPorts;

  before(async () => {
    mesh = await SmallMesh.start(["reviews", "caller", "shop/shopper"]);
    for (const version of ["v1", "v2"]) {
      const application = await new Application(() => ({ body: version })).listen();
      applications.set(version, application);
      const target = `http=127.0.0.1:${application.port}`;
      await mesh.sidecar("reviews", {
        MESH_INSTANCE: `reviews-${version}`,
        MESH_LABELS: `app=reviews,version=${version}`,
        MESH_PORTS: `9080:${target},9081:${target}`,
      });
    }
    [caller, shopper] = await Promise.all([mesh.sidecar("caller"), mesh.sidecar("shop/shopper")]);
    await eventually(async () => assert.equal((await answers(caller)).length, 2), { withinMs: 20_000 });
  });

  after(async () => {
    await mesh.stop();
    for (const application of applications.values()) await application.close();
  });

  const apply = (kind: string, name: string, spec: object): Promise<void> =>
    mesh.apply({ apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "default" }, spec });
  const ask = async (from: AppPorts, fields: string[] = [], port = 9080): Promise<string> => {
    const client = await RawClient.to(Number(from["outbound"]));
    client.head("GET / HTTP/1.1", `Host: reviews.default:${port}`, ...fields);
    const { status, body } = await client.response();
    client.close();
    return status === 200 ? body : String(status);
  };
  /** Which versions answer, in the course of eight requests. */
  const answers = async (from: AppPorts, ...how: [string[]?, number?]): Promise<string[]> => {
    const all: string[] = [];
    for (let i = 0; i < 8; i++) all.push(await ask(from, ...how));
    return [...new Set(all)].sort();
  };
  const becomes = (wanted: string[], from: AppPorts, ...how: [string[]?, number?]): Promise<unknown> =>
    eventually(async () => assert.deepEqual(await answers(from, ...how), wanted), { withinMs: 20_000 });
  const clusters = async (of: AppPorts): Promise<Map<string, ClusterView>> => {
    const answer = await fetch(`http://127.0.0.1:${of["admin"]}/clusters?format=json`);
    const { cluster_statuses } = (await answer.json()) as { cluster_statuses: ClusterView[] };
    return new Map(cluster_statuses.map((cluster) => [cluster.name, cluster]));
  };

  const subsets = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));
  const to = (subset: string) => ({ route: [{ destination: { host: "reviews", subset } }] });

  test("choose versions by header, and nothing but what they name", async () => {
    await apply("DestinationRule", "reviews", { host: "reviews", subsets });
    await apply("VirtualService", "reviews", {
      hosts: ["reviews"],
      http: [
        { match: [{ headers: { "end-user": { exact: "jason" } } }], ...to("v2") },
        { match: [{ port: 9080 }], ...to("v1") },
      ],
    });
    await becomes(["v1"], caller);
    await becomes(["v1"], shopper);
    assert.deepEqual(await answers(caller, ["end-user: jason"]), ["v2"]);
    assert.deepEqual(await answers(caller, ["end-user: jason"], 9081), ["v2"]);
    assert.equal(await ask(caller, [], 9081), "404", "it takes the place of the default route");
  });

  test("hold for the namespaces that they are exported to", async () => {
    await apply("VirtualService", "reviews", { hosts: ["reviews"], exportTo: ["."], http: [to("v2")] });
    await becomes(["v2"], caller);
    await becomes(["v1", "v2"], shopper);
    await apply("VirtualService", "reviews", { hosts: ["reviews"], http: [to("v1")] });
    await becomes(["v1"], shopper);
    await becomes(["v1"], caller);
  });

  test("limit a version on one of its ports", async () => {
    const pool = (maxConnections: number) => ({ connectionPool: { tcp: { maxConnections } } });
    await apply("DestinationRule", "reviews", {
      host: "reviews",
      trafficPolicy: { ...pool(20), portLevelSettings: [{ port: { number: 9081 }, ...pool(21) }] },
      subsets: [{ ...subsets[0], trafficPolicy: pool(22) }, subsets[1]],
    });
    await eventually(
      async () => {
        await ask(caller);
        const shown = [...(await clusters(caller))].flatMap(([name, { policy, circuit_breakers }]) =>
          name.startsWith("reviews.") ? [`${name} ${policy} ${circuit_breakers["max_connections"]}`] : [],
        );
        const rule = "destinationrule/default/reviews";
        assert.ok(shown.includes(`reviews.default|version=v1 ${rule} 22`), shown.join("\n"));
        assert.ok(shown.includes(`reviews.default|version=v2 ${rule} 20`), shown.join("\n"));
        assert.ok(shown.includes(`reviews.default:9081|version=v2 ${rule} 21`), shown.join("\n"));
      },
      { withinMs: 20_000 },
    );
    assert.equal(await ask(caller, [], 9081), "v1");
  });
});
