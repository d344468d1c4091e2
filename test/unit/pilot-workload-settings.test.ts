import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tableKey, WorkloadConfig } from "../../shared/wire/index.ts";
import { RegistryMesh } from "../harness/registry-mesh.ts";

function sidecar(name: string, spec: string, namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
---`;
}

function meshConfig(spec: string): string {
  return `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: ${spec}
---`;
}

describe("Sidecar resources", () => {
  test("for certain workloads come before the one for the whole namespace, the older before the younger", () => {
    const mesh = new RegistryMesh();
    mesh.apply(sidecar("all", '{egress: [{hosts: ["./*"]}]}'));
    mesh.apply(sidecar("b", '{workloadSelector: {labels: {app: web}}, egress: [{hosts: ["*/*"]}]}'));
    mesh.apply(sidecar("a", '{workloadSelector: {labels: {app: web}}, egress: [{hosts: ["x/*"]}]}'));
    const revision = mesh.apply(sidecar("all-too", '{egress: [{hosts: ["y/*"]}]}'));
    assert.deepEqual(mesh.affected.workloads, [tableKey("default")]);
    const scopes = mesh.workload("default")?.sidecars ?? [];
    assert.deepEqual(
      scopes.map(({ rule, labels }) => [rule, labels]),
      [
        ["sidecar/default/b", { app: "web" }],
        ["sidecar/default/a", { app: "web" }],
        ["sidecar/default/all", {}],
      ],
    );
    assert.deepEqual(
      scopes[2]?.egressHosts.map(({ namespace, host }) => `${namespace}/${host}`),
      ["default/*"],
    );
    assert.equal(mesh.workload("default")?.revision, revision, "the newest that had a say");
    assert.equal(mesh.workload("other"), undefined);
  });

  test("that let a workload call nothing do not let it call everything", () => {
    const mesh = new RegistryMesh();
    mesh.apply(sidecar("none", '{egress: [{hosts: ["~/*"]}]}'));
    assert.deepEqual(
      mesh.workload("default")?.sidecars[0]?.egressHosts.map(({ namespace }) => namespace),
      ["~"],
    );
    mesh.apply(sidecar("none", "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}"));
    const [scope] = mesh.workload("default")?.sidecars ?? [];
    assert.deepEqual([scope?.egressHosts, scope?.outboundTrafficPolicy], [[], "REGISTRY_ONLY"]);
  });

  test("leave no key behind when the last one goes", () => {
    const mesh = new RegistryMesh();
    mesh.apply(sidecar("all", '{egress: [{hosts: ["./*"]}]}'));
    assert.deepEqual(mesh.compiler.keys("workload"), [tableKey("default")]);
    mesh.delete("sidecar/default/all");
    assert.deepEqual(mesh.affected.workloads, [tableKey("default")]);
    assert.equal(mesh.workload("default"), undefined);
    assert.deepEqual(mesh.compiler.keys("workload"), []);
  });
});

describe("MeshConfig", () => {
  test("gives the root namespace's table the mesh's defaults, and only those that are set", () => {
    const mesh = new RegistryMesh();
    mesh.apply(meshConfig('{outboundTrafficPolicy: {mode: REGISTRY_ONLY}, accessLogFile: ""}'));
    const defaults = mesh.workload("istio-system")?.mesh;
    assert.deepEqual([defaults?.outboundTrafficPolicy, defaults?.accessLogFile], ["REGISTRY_ONLY", ""]);
    assert.equal(defaults?.tracing ?? undefined, undefined);
    mesh.delete("meshconfig/istio-system/default");
    assert.equal(mesh.workload("istio-system"), undefined);
  });

  test("says who sees ServiceEntries that say nothing themselves", () => {
    const mesh = new RegistryMesh();
    mesh.hear("web");
    mesh.hear("web", { namespace: "other" });
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
`);
    for (const namespace of ["default", "other"]) {
      assert.deepEqual(mesh.hosts(namespace), ["api.example.com -> default/api.example.com"]);
    }
    const revision = mesh.apply(meshConfig('{defaultServiceExportTo: ["."]}'));
    assert.deepEqual([...mesh.affected.hosts].sort(), [tableKey("default"), tableKey("other")]);
    assert.deepEqual(mesh.hosts("other"), []);
    assert.deepEqual(mesh.hosts("default"), ["api.example.com -> default/api.example.com"]);
    assert.ok(
      mesh.compiler.revisionOf("hosts", tableKey("default")) < revision,
      "nothing changed for its own namespace",
    );
    mesh.delete("meshconfig/istio-system/default");
    assert.deepEqual(mesh.hosts("other"), ["api.example.com -> default/api.example.com"]);
  });
});

test("a new leader keeps bytes and revision of what says the same", () => {
  const first = new RegistryMesh();
  first.apply(sidecar("all", '{egress: [{hosts: ["./*"]}]}'));
  const written = first.value("workload", tableKey("default")) ?? new Uint8Array();
  const second = new RegistryMesh();
  second.apply(meshConfig("{}"));
  second.compiler.restore("workload", tableKey("default"), written);
  second.apply(sidecar("all", '{egress: [{hosts: ["./*"]}]}'));
  const again = WorkloadConfig.decode(second.value("workload", tableKey("default")) ?? new Uint8Array());
  assert.notEqual(again.sidecars[0]?.revision, 1, "another revision of the resource is another value");
  const third = new RegistryMesh();
  third.compiler.restore("workload", tableKey("default"), written);
  third.apply(sidecar("all", '{egress: [{hosts: ["./*"]}]}'));
  assert.deepEqual(third.value("workload", tableKey("default")), written);
});
