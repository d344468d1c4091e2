import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { OutsideCa } from "../harness/server-certificates.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

const HOST = "secure.example.com";
const WITHIN = { withinMs: 15_000 };

/** A resource of namespace default. */
function networking(kind: string, name: string, spec: object): object {
  return { apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "default" }, spec };
}

/** From the resource that is applied, over Pilot and the bus, to the server outside. */
describe("hosts outside, as users configure them", () => {
  let mesh: SmallMesh;
  let outbound: number;
  let secure: Application;
  let plain: Application;
  let caFile: string;

  const get = (authority: string, path = "/", port = outbound): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = request({ host: "127.0.0.1", port, path, headers: { host: authority }, agent: false });
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

  before(async () => {
    const ca = await OutsideCa.create();
    mesh = await SmallMesh.start(["caller"]);
    caFile = join(mesh.folder, "outside-ca.pem");
    await writeFile(caFile, ca.pem);
    const certificate = await ca.issue(HOST, "localhost");
    secure = await new Application(({ socket, headers }) => {
      const { servername } = socket as TLSSocket & { servername: string | false };
      return { body: `${servername} ${headers["x-route"]}` };
    }, certificate).listen();
    plain = await new Application(({ headers }) => ({ body: `${headers.host} ${headers["x-route"]}` })).listen();
    ({ outbound = 0 } = await mesh.sidecar("caller"));
  });

  after(async () => {
    await mesh.stop();
    await Promise.all([secure.close(), plain.close()]);
  });

  const applyMeshConfig = (spec: object): Promise<void> =>
    mesh.apply({
      apiVersion: "mesh.istio.io/v1alpha1",
      kind: "MeshConfig",
      metadata: { name: "default", namespace: "istio-system" },
      spec: { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" }, ...spec },
    });

  test("unknown ones are refused once the mesh says so", async () => {
    await becomes(`127.0.0.1:${plain.port}`, `127.0.0.1:${plain.port} undefined`);
    await applyMeshConfig({});
    await becomes(`127.0.0.1:${plain.port}`, "502");
  });

  test("a ServiceEntry with addresses is reached by the TLS of its DestinationRule and the routes of its VirtualService", async () => {
    await mesh.apply(
      networking("ServiceEntry", "secure", {
        hosts: [HOST],
        ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: secure.port }],
        resolution: "STATIC",
        endpoints: [{ address: "127.0.0.1" }],
      }),
    );
    await mesh.apply(
      networking("DestinationRule", "secure", {
        host: HOST,
        trafficPolicy: { tls: { mode: "SIMPLE", caCertificates: caFile } },
      }),
    );
    await becomes(HOST, `${HOST} undefined`);
    await mesh.apply(
      networking("VirtualService", "secure", {
        hosts: [HOST],
        http: [{ headers: { request: { set: { "x-route": "taken" } } }, route: [{ destination: { host: HOST } }] }],
      }),
    );
    await becomes(HOST, `${HOST} taken`);
  });

  test("one without endpoints is where the request says", async () => {
    await mesh.apply(
      networking("ServiceEntry", "local", {
        hosts: ["localhost"],
        ports: [{ number: plain.port, name: "http", protocol: "HTTP" }],
        resolution: "NONE",
      }),
    );
    await becomes(`localhost:${plain.port}`, `localhost:${plain.port} undefined`);
    assert.equal(await get("localhost:1"), "404");
  });

  test("one with names is found by DNS", async () => {
    await mesh.apply(
      networking("ServiceEntry", "named", {
        hosts: ["named.example.com"],
        ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: plain.port }],
        resolution: "DNS",
        endpoints: [{ address: "localhost" }],
      }),
    );
    await becomes("named.example.com", "named.example.com undefined");
  });

  test("a Sidecar says which of them a workload may call", async () => {
    await mesh.apply(networking("Sidecar", "default", { egress: [{ hosts: [`./${HOST}`] }] }));
    await becomes("named.example.com", "502");
    assert.equal(await get(`localhost:${plain.port}`), "502");
    assert.equal(await get(HOST), `${HOST} taken`);
    await mesh.apply(networking("Sidecar", "default", { egress: [{ hosts: ["./*"] }] }));
    await becomes("named.example.com", "named.example.com undefined");
  });

  test("requests are logged where the mesh says, by sidecars and gateways", async () => {
    const { gateway = 0 } = await mesh.gateway();
    const file = join(mesh.folder, "mesh.log");
    const accessLogFormat = "%REQ(:AUTHORITY)% %RESPONSE_CODE%";
    await applyMeshConfig({ accessLogFile: file, accessLogEncoding: "TEXT", accessLogFormat });
    await eventually(async () => {
      await get(HOST);
      await get("from.outside", "/", gateway);
      const lines = new Set((await readFile(file, "utf8").catch(() => "")).split("\n"));
      assert.ok(lines.has(`${HOST} 200`) && lines.has("from.outside 404"), [...lines].join());
    }, WITHIN);
  });
});
