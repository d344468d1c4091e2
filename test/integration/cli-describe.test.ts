import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ServiceDescription } from "../../cli/live/description.ts";
import { eventually } from "../harness/index.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

const networking = (kind: string, name: string, spec: object): object => ({
  apiVersion: "networking.istio.io/v1",
  kind,
  metadata: { name, namespace: "default" },
  spec,
});

describe("a mesh in prose", () => {
  let live: LiveMesh;
  before(async () => {
    live = await LiveMesh.start();
    await live.mesh.apply(
      networking("DestinationRule", "reviews", {
        host: "reviews",
        subsets: [
          { name: "v1", labels: { version: "v1" } },
          { name: "v2", labels: { version: "v2" } },
        ],
      }),
    );
    await live.mesh.apply(
      networking("VirtualService", "reviews", {
        hosts: ["reviews"],
        http: [{ name: "all", route: [{ destination: { host: "reviews", subset: "v1" } }] }],
      }),
    );
    await live.mesh.apply({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "IngressRule",
      metadata: { name: "reviews", namespace: "default" },
      spec: { destination: { name: "reviews" }, port: 80, match: { request: { headers: { uri: { prefix: "/r" } } } } },
    });
  });
  after(() => live.stop());

  test("a service is told with its instances, what applies to it, and what is wrong with that", async () => {
    const { code, out } = await live.lateen(["describe", "service", "reviews"]);
    assert.equal(code, 0);
    assert.match(
      out,
      /^Service reviews\.default, known to callers as reviews\.default\.svc\.cluster\.local, has 9080 \(http\)\.$/m,
    );
    assert.match(
      out,
      /^1 of its 1 instances is healthy:\n {2}reviews-1 \(reviews-v1\) at .*: healthy, proxy SYNCED, app=reviews,version=v1$/m,
    );
    assert.match(
      out,
      /^ {2}VirtualService default\/reviews\n.*for callers in the mesh.*\n.*all: every request: 100% to reviews\.default\.svc\.cluster\.local subset v1$/m,
    );
    assert.match(out, /^ {4}subset v1 \(version=v1\): 1 instance\n {4}subset v2 \(version=v2\): 0 instances$/m);
    assert.match(out, /^ {2}IngressRule default\/reviews\n {4}exposes it at every gateway, port 80$/m);
    assert.match(out, /Worth a look \(lateen analyze\):\n(.*\n)*.*DestinationRule default\/reviews: /m);
  });

  test("the same for programs, and what nothing applies to", async () => {
    const { out } = await live.lateen(["describe", "service", "caller.default", "-o", "json"]);
    const { items } = JSON.parse(out) as { items: ServiceDescription[] };
    assert.deepEqual([items.length, items[0]?.name, items[0]?.rules], [1, "caller", []]);
    const missing = await live.lateen(["describe", "svc", "details"]);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /no service details; there are .*caller\.default/);
  });

  test("a workload is told with its proxy, whom it follows, and its service", async () => {
    await eventually(async () => {
      await live.call("/");
      const { code, out } = await live.lateen(["describe", "workload", "caller-1.default"]);
      assert.equal(code, 0);
      assert.match(out, /^Workload caller-v1\.default, instance caller-1, belongs to service caller\.default\.$/m);
      assert.match(out, /^Its proxy, version \d+\.\d+\.\d+, is up for \d+s and SYNCED for \d+s\.$/m);
      assert.match(out, /^It follows .*reviews\.default/m);
      assert.match(out, /^It calls others as service account caller of namespace default\.$/m);
      assert.match(out, /^No gateway exposes it/m);
    });
  });
});
