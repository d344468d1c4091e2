import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Message } from "../../shared/analysis/index.ts";
import { runLateen } from "../harness/cli.ts";
import { eventually } from "../harness/index.ts";
import { SmallMesh } from "../harness/small-mesh.ts";

let mesh: SmallMesh;

const env = (): Record<string, string> => ({
  NATS_URL: mesh.nats.url,
  NATS_USER: "operator",
  NATS_PASSWORD: mesh.nats.password("operator"),
});

async function messages(...args: string[]): Promise<{ readonly code: number; readonly found: readonly Message[] }> {
  const { code, out, err } = await runLateen(["analyze", "-o", "json", ...args], { env: env(), cwd: mesh.folder });
  assert.notEqual(out, "", err);
  return { code, found: JSON.parse(out) as readonly Message[] };
}

const codesAbout = (found: readonly Message[], name: string): readonly string[] =>
  found.filter(({ object }) => object.name === name).map(({ code }) => code);

function virtualService(name: string, host: string, destination: string): object {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace: "default" },
    spec: { hosts: [host], http: [{ route: [{ destination: { host: destination } }] }] },
  };
}

before(async () => {
  mesh = await SmallMesh.start(["reviews"]);
  await mesh.sidecar("reviews", { MESH_PORTS: "9080:http=127.0.0.1:9" });
  await mesh.gateway({ MESH_LABELS: "istio=ingressgateway" });
  await mesh.apply(virtualService("good", "reviews", "reviews"));
  await mesh.apply(virtualService("waits", "nothing", "nothing"));
});

after(() => mesh.stop());

test("the running mesh is judged with its services, proxies and certificates", async () => {
  const { found } = await eventually(async () => {
    const answer = await messages();
    assert.deepEqual(codesAbout(answer.found, "waits"), ["LAT0101", "LAT0115", "LAT0601"]);
    assert.deepEqual(codesAbout(answer.found, "good"), []);
    return answer;
  });
  const certificates = found.filter(({ code }) => code === "LAT0604" || code === "LAT0605");
  assert.deepEqual(certificates, []);
  assert.deepEqual(
    found.filter(({ code }) => code === "LAT0606"),
    [],
    "all are of one version",
  );
});

test("files are judged over the running mesh, and what they replace counts once", async () => {
  const file = join(mesh.folder, "files.json");
  const gateway = {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "public", namespace: "default" },
    spec: {
      selector: { istio: "ingress" },
      servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["shop.example.com"] }],
    },
  };
  writeFileSync(file, JSON.stringify([virtualService("waits", "nothing", "reviews"), gateway]));
  const { code, found } = await messages("--live", "-f", file);
  assert.equal(code, 1);
  assert.ok(!codesAbout(found, "waits").includes("LAT0101"), JSON.stringify(found));
  assert.ok(!codesAbout(found, "waits").includes("LAT0003"));
  const open = found.find(({ code: each }) => each === "LAT0401");
  assert.deepEqual([open?.object.name, open?.origin], ["public", file]);
  const alone = await messages("-f", file);
  assert.ok(!alone.found.some(({ code: each }) => each === "LAT0401"), "files alone know of no gateways");
});

test("a mesh that does not answer is a failure with a remedy", async () => {
  const { code, err } = await runLateen(["analyze"], { env: { NATS_URL: "nats://127.0.0.1:1" }, cwd: mesh.folder });
  assert.equal(code, 1);
  assert.match(err, /cannot connect to nats:\/\/127\.0\.0\.1:1/);
});
