import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

const WITHIN = { withinMs: 15_000 };

/** From the resource that is applied to the instance that answers. */
describe("instances that configuration names", () => {
  let mesh: SmallMesh;
  let outbound = 0;
  /** Behind a sidecar. */
  let meshed: Application;
  /** On a machine without one. */
  let bare: Application;

  const get = (authority: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = request({
        host: "127.0.0.1",
        port: outbound,
        path: "/",
        headers: { host: authority },
        agent: false,
      });
      call.on("error", reject);
      call.on("response", (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve(response.statusCode === 200 ? body : `${response.statusCode}`));
      });
      call.end();
    });
  const becomes = (authority: string, wanted: string): Promise<unknown> =>
    eventually(async () => assert.equal(await get(authority), wanted), WITHIN);
  const apply = (kind: string, name: string, spec: object): Promise<void> =>
    mesh.apply({ apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "default" }, spec });

  before(async () => {
    mesh = await SmallMesh.start(["caller", "backend"]);
    meshed = await new Application(() => ({ body: "meshed" })).listen();
    bare = await new Application(() => ({ body: "bare" })).listen();
    await mesh.sidecar("backend", { MESH_PORTS: `9080:http=127.0.0.1:${meshed.port}`, MESH_LABELS: "app=api" });
    ({ outbound = 0 } = await mesh.sidecar("caller"));
    await becomes("backend:9080", "meshed");
  });

  after(async () => {
    await mesh.stop();
    await Promise.all([meshed.close(), bare.close()]);
  });

  test("are those with a sidecar that a selector chooses, called as what they registered as, over mutual TLS", async () => {
    await apply("ServiceEntry", "api", {
      hosts: ["api.shop.example.com"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 9080 }],
      workloadSelector: { labels: { app: "api" } },
    });
    await becomes("api.shop.example.com", "meshed");
    assert.equal(meshed.received.at(-1)?.headers.host, "api.shop.example.com");
  });

  test("are WorkloadEntries beside them, as soon as there are some", async () => {
    await apply("WorkloadEntry", "machine", {
      address: "127.0.0.1",
      ports: { http: bare.port },
      labels: { app: "api", version: "machine" },
    });
    await becomes("api.shop.example.com", "bare");
    await becomes("api.shop.example.com", "meshed");
    await apply("DestinationRule", "api", {
      host: "api.shop.example.com",
      subsets: [{ name: "machines", labels: { version: "machine" } }],
    });
    await apply("VirtualService", "api", {
      hosts: ["api.shop.example.com"],
      http: [{ route: [{ destination: { host: "api.shop.example.com", subset: "machines" } }] }],
    });
    await eventually(async () => {
      for (let i = 0; i < 4; i++) assert.equal(await get("api.shop.example.com"), "bare");
    }, WITHIN);
  });

  test("join those that registered, where the ServiceEntry is for their service", async () => {
    await apply("ServiceEntry", "backend", {
      hosts: ["backend.default.svc.cluster.local"],
      resolution: "STATIC",
      ports: [{ number: 9080, name: "http", protocol: "HTTP" }],
      endpoints: [{ address: "127.0.0.1", ports: { http: bare.port } }],
    });
    await becomes("backend:9080", "bare");
    await becomes("backend:9080", "meshed");
  });

  test("are hosts of egress rules, with the route rules that are about them", async () => {
    const older = (kind: string, name: string, spec: object): Promise<void> =>
      mesh.apply({ apiVersion: "config.istio.io/v1alpha2", kind, metadata: { name, namespace: "default" }, spec });
    await older("EgressRule", "local", {
      destination: { service: "localhost" },
      ports: [{ port: bare.port, protocol: "http" }],
    });
    const authority = `localhost:${bare.port}`;
    await becomes(authority, "bare");
    await older("RouteRule", "local", {
      destination: { service: "localhost" },
      httpFault: { abort: { percent: 100, httpStatus: 418 } },
    });
    await becomes(authority, "418");
  });
});
