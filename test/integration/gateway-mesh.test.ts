import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AppPorts } from "../../shared/base/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";
import { fieldOf } from "../harness/strict-reader.ts";

/** Gateway resources and what is bound to them, all the way: applied at a real Pilot, broadcast, and met by requests at the gateway's own ports. */

describe("a Gateway resource", () => {
  const application = new Application(({ url }) => ({ body: `reviews ${url}` }));
  let mesh: SmallMesh;
  let ports: AppPorts;
  let caller: AppPorts;

  before(async () => {
    await application.listen();
    mesh = await SmallMesh.start(["reviews", "caller"]);
    await mesh.sidecar("reviews", { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` });
    caller = await mesh.sidecar("caller");
    ports = await mesh.gateway({ MESH_LABELS: "istio=ingressgateway", GATEWAY_PORTS: "81=0" });
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  const ask = async (host: string, path: string, port = "gateway", at = ports) => {
    const client = await RawClient.to(Number(at[port]));
    client.head(`GET ${path} HTTP/1.1`, `Host: ${host}`);
    const answer = await client.response();
    client.close();
    return answer;
  };
  const gateway = (servers: object[]): Promise<void> =>
    mesh.apply({
      apiVersion: "networking.istio.io/v1",
      kind: "Gateway",
      metadata: { name: "web", namespace: "istio-system" },
      spec: { selector: { istio: "ingressgateway" }, servers },
    });
  const http = (number: number) => ({ number, name: `http-${number}`, protocol: "HTTP" });

  test("has its servers answer on the ports that the gateway has open, beside ingress rules", async () => {
    for (const [name, prefix, port] of [
      ["reviews", "/r", 0],
      ["other-port", "/o", 81],
    ] as const) {
      await mesh.apply({
        apiVersion: "config.istio.io/v1alpha2",
        kind: "IngressRule",
        metadata: { name, namespace: "default" },
        spec: { destination: { name: "reviews" }, port, match: { request: { headers: { uri: { prefix } } } } },
      });
    }
    await gateway([{ port: http(81), hosts: ["*.example.com"], tls: { httpsRedirect: true } }]);
    await eventually(async () => assert.equal((await ask("any", "/r")).status, 200), { withinMs: 20_000 });
    await eventually(async () => assert.equal((await ask("a.example.com", "/x", "gateway-81")).status, 301), {
      withinMs: 20_000,
    });
    const moved = await ask("a.example.com", "/x?y", "gateway-81");
    assert.equal(fieldOf(moved, "location"), "https://a.example.com/x?y");
    assert.equal((await ask("other.org", "/x", "gateway-81")).status, 404);
    assert.equal((await ask("a.example.com", "/r")).body, "reviews /r");
    await eventually(async () => assert.equal((await ask("other.org", "/o", "gateway-81")).status, 200));
    assert.deepEqual(
      [(await ask("any", "/o")).status, (await ask("other.org", "/r", "gateway-81")).status],
      [404, 404],
    );
  });

  test("carries out the VirtualServices that are bound to it, and leaves the mesh to its own rules", async () => {
    await gateway([
      { port: http(80), hosts: ["*.example.com"] },
      { port: http(81), hosts: ["*.example.com"], tls: { httpsRedirect: true } },
    ]);
    const header = (value: string) => ({ response: { set: { "x-route": value } } });
    const destination = { host: "reviews", port: { number: 9080 } };
    await mesh.apply({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "edge", namespace: "default" },
      spec: {
        hosts: ["shop.example.com", "shop.example.org"],
        gateways: ["istio-system/web"],
        http: [
          {
            match: [{ uri: { prefix: "/old" } }],
            redirect: { prefixRewrite: "/new", derivePort: "FROM_REQUEST_PORT" },
          },
          {
            match: [{ uri: { prefix: "/api/" }, sourceLabels: { istio: "ingressgateway" } }],
            rewrite: { uri: "/" },
            headers: { request: { set: { host: "inside.example" } }, ...header("api") },
            route: [{ destination }],
          },
          {
            match: [{ uri: { prefix: "/r" } }],
            route: [{ destination: { host: "reviews" }, headers: header("rest") }],
          },
        ],
      },
    });
    await eventually(async () => assert.equal((await ask("shop.example.com", "/api/x")).status, 200), {
      withinMs: 20_000,
    });
    const api = await ask("shop.example.com", "/api/x?y");
    assert.deepEqual([api.body, fieldOf(api, "x-route")], ["reviews /x?y", "api"]);
    assert.equal(application.received.at(-1)?.headers.host, "inside.example");
    const rest = await ask("shop.example.com", "/r");
    assert.deepEqual([rest.body, fieldOf(rest, "x-route")], ["reviews /r", "rest"]);
    const moved = await ask("shop.example.com:8080", "/old/a");
    assert.deepEqual([moved.status, fieldOf(moved, "location")], [301, "http://shop.example.com/new/a"]);
    assert.equal((await ask("shop.example.com", "/else")).status, 404, "no route of the most specific host fits");
    assert.equal((await ask("shop.example.org", "/api/x")).status, 404, "no server has that host");
    assert.equal((await ask("shop.example.com", "/api/x", "gateway-81")).status, 301);
    const within = await ask("reviews:9080", "/api/x", "outbound", caller);
    assert.deepEqual([within.body, fieldOf(within, "x-route")], ["reviews /api/x", undefined]);
  });
});
