import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AppPorts } from "../../shared/base/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { SmallMesh } from "../harness/small-mesh.ts";
import { fieldOf } from "../harness/strict-reader.ts";

/** Gateway resources all the way: applied at a real Pilot, broadcast, and met by requests at the gateway's own ports. */

describe("a Gateway resource", () => {
  const application = new Application(({ url }) => ({ body: `reviews ${url}` }));
  let mesh: SmallMesh;
  let ports: AppPorts;

  before(async () => {
    await application.listen();
    mesh = await SmallMesh.start(["reviews"]);
    await mesh.sidecar("reviews", { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` });
    ports = await mesh.gateway({ MESH_LABELS: "istio=ingressgateway", GATEWAY_PORTS: "81=0" });
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  const ask = async (host: string, path: string, port = "gateway") => {
    const client = await RawClient.to(Number(ports[port]));
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
});
