import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClusterRow, EndpointRow, ListenerRow, RouteConfigRow, SecretRow } from "../../cli/live/proxy-views.ts";
import { eventually } from "../harness/index.ts";
import { LiveMesh } from "../harness/live-mesh.ts";

describe("what a proxy runs on, seen by the command line", () => {
  let live: LiveMesh;
  before(async () => {
    live = await LiveMesh.start();
    await live.mesh.apply({
      apiVersion: "config.istio.io/v1alpha2",
      kind: "RouteRule",
      metadata: { name: "reviews-v1", namespace: "default" },
      spec: {
        destination: { name: "reviews" },
        match: { request: { headers: { uri: { prefix: "/v1" } } } },
        route: [{ labels: { version: "v1" } }],
      },
    });
    await eventually(async () => {
      await live.call("/v1");
      assert.match((await live.lateen(["pc", "routes", "caller"])).out, /reviews-v1/);
    });
  });
  after(() => live.stop());

  const rows = async <T>(...args: string[]): Promise<T[]> => {
    const { code, out, err } = await live.lateen(["proxy-config", ...args, "-o", "json"]);
    assert.equal(code, 0, err);
    return JSON.parse(out) as T[];
  };

  test("listeners, found by port", async () => {
    const listeners = await rows<ListenerRow>("listeners", "reviews-1.default");
    assert.deepEqual(listeners.map(({ name }) => name).sort(), ["inbound", "outbound"]);
    const { port_value: port } = listeners[0]?.local_address.socket_address ?? { port_value: 0 };
    assert.equal((await rows("listeners", "reviews-1.default", "--port", String(port))).length, 1);
  });

  test("routes in their order, by service and rule", async () => {
    const [config] = await rows<RouteConfigRow>("routes", "caller", "--service", "reviews");
    assert.deepEqual(
      config?.routes.map(({ rule }) => rule),
      ["routerule/default/reviews-v1", "default"],
    );
    assert.deepEqual(await rows("routes", "caller", "--rule", "nothing-like-this"), []);
    const { out } = await live.lateen(["proxy-config", "routes", "caller", "--port", "9080"]);
    assert.match(
      out,
      /^reviews\.default +9080\/http +routerule\/default\/reviews-v1 +uri=\/v1\* +reviews\.default\|version=v1/m,
    );
  });

  test("clusters and endpoints, by subset and health", async () => {
    const clusters = await rows<ClusterRow>(
      "clusters",
      "caller",
      "--service",
      "reviews.default",
      "--subset",
      "version=v1",
    );
    assert.deepEqual(
      clusters.map(({ name }) => name),
      ["reviews.default|version=v1"],
    );
    const [endpoint, ...more] = await rows<EndpointRow>(
      "endpoints",
      "caller",
      "--service",
      "reviews",
      "--subset",
      "version=v1",
    );
    assert.deepEqual(more, []);
    assert.deepEqual(
      [endpoint?.instance, endpoint?.health, endpoint?.transport],
      ["reviews-1", "HEALTHY", "mutual_tls"],
    );
    assert.deepEqual(await rows("endpoints", "caller", "--status", "unhealthy"), []);
  });

  test("certificates without keys, and settings without passwords", async () => {
    const secrets = await rows<SecretRow>("secrets", "reviews");
    assert.deepEqual(
      secrets.map(({ name }) => name),
      ["default", "ROOTCA"],
    );
    assert.deepEqual(secrets[0]?.subject_alt_names, ["spiffe://cluster.local/ns/default/sa/reviews"]);
    const { out } = await live.lateen(["proxy-config", "bootstrap", "reviews"]);
    assert.match(out, /^service: reviews$/m);
    assert.ok(!out.includes(live.mesh.nats.password("w.default.reviews.reviews")));
  });

  test("the log level is shown, and set until the proxy restarts", async () => {
    assert.equal((await live.lateen(["pc", "log", "reviews"])).out, "reviews-1.default: error");
    assert.equal((await live.lateen(["pc", "log", "reviews", "--level", "warn"])).out, "reviews-1.default: warn");
    assert.equal((await live.lateen(["pc", "log", "reviews"])).out, "reviews-1.default: warn");
    assert.equal((await live.lateen(["pc", "log", "reviews", "--level", "loud"])).code, 2);
  });

  test("all of it at once, and every key with its version", async () => {
    const { out } = await live.lateen(["pc", "all", "caller-1", "-o", "json"]);
    const all = JSON.parse(out) as Record<string, unknown[]>;
    assert.deepEqual(Object.keys(all), ["listeners", "routes", "clusters", "endpoints", "secrets", "tables"]);
    for (const part of Object.values(all)) assert.ok(part.length > 0);
    const detail = await live.lateen(["proxy-status", "caller-1.default"]);
    assert.match(detail.out, /^caller-1\.default: SYNCED for \d+s$/m);
    assert.match(detail.out, /^service +default\.reviews +SYNCED +\d+/m);
  });

  test("a word that means no proxy is refused with those that there are", async () => {
    const { code, err } = await live.lateen(["pc", "routes", "details"]);
    assert.equal(code, 1);
    assert.match(err, /there are caller-1\.default, reviews-1\.default/);
  });
});
