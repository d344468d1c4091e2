import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HostTables } from "../../services/pilot/compile/host-tables.ts";
import { CompiledMesh } from "../harness/compiled-mesh.ts";

function egressRule(i: number, host = `h${i}.example.com`): string {
  return `
apiVersion: config.istio.io/v1alpha2
kind: EgressRule
metadata: {name: out-${i}}
spec: {destination: {service: ${host}}, ports: [{port: 443, protocol: https}]}
`;
}

describe("what grows with the mesh", () => {
  test("namespaces whose own hosts everybody sees share one table", () => {
    const namespaces = ["a", "b", "c"];
    const hosts = new HostTables(() => namespaces);
    const offer = (namespace: string, exportTo: readonly string[]) => ({
      rule: `serviceentry/${namespace}/x`,
      created: namespace,
      pattern: `x.${namespace}.com`,
      namespace,
      name: `x.${namespace}.com`,
      exportTo,
      isRouteOnly: false,
    });
    hosts.set("a.x", [offer("a", ["*"])]);
    hosts.set("b.x", [offer("b", ["*"])]);
    assert.equal(hosts.compile("a"), hosts.compile("c"));
    assert.equal(hosts.compile("b"), hosts.compile("c"));
    hosts.set("b.x", [offer("b", ["b"])]);
    assert.deepEqual(
      hosts.compile("b").hosts.map(({ pattern }) => pattern),
      ["x.a.com", "x.b.com"],
    );
    assert.deepEqual(
      hosts.compile("a").hosts.map(({ pattern }) => pattern),
      ["x.a.com"],
    );
  });

  test("a thousand EgressRules that have nothing to do with each other are read in a moment", () => {
    const mesh = new CompiledMesh();
    const yaml = Array.from({ length: 1000 }, (_, i) => egressRule(i)).join("---");
    const reading = performance.now();
    mesh.oddities(yaml);
    const readMs = performance.now() - reading;
    const startedMs = performance.now();
    mesh.apply(yaml);
    const appliedMs = performance.now() - startedMs;
    // To read them twice is what it may cost: a look at all others for each of them costs many times as much.
    assert.ok(appliedMs < 3 * readMs + 100, `${appliedMs} ms, ${readMs} ms to read`);
  });

  test("EgressRules wait for each other whichever way they meet, and no longer than they do", () => {
    const mesh = new CompiledMesh();
    const waiting = () =>
      [1, 2, 3].filter((i) => mesh.compiler.pendingReason(`egressrule/default/out-${i}`) !== undefined);
    for (const i of [1, 2, 3]) mesh.apply(egressRule(i));
    assert.deepEqual(waiting(), []);
    mesh.apply(egressRule(2, "h1.example.com"));
    assert.deepEqual(waiting(), [2]);
    mesh.apply(egressRule(1, "h3.example.com"));
    assert.deepEqual(waiting(), [3]);
    mesh.delete("egressrule/default/out-1");
    assert.deepEqual(waiting(), []);
  });

  test("what a MeshConfig says to proxies alone compiles no service anew", () => {
    const meshConfig = (spec: string) => `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: ${spec}
`;
    const mesh = new CompiledMesh();
    mesh.add("reviews", { version: "v1" });
    const first = mesh.apply(meshConfig("{accessLogFile: /dev/stdout}"));
    assert.deepEqual([first.services, first.workloads], [[], ["istio-system"]]);
    const retries = "defaultHttpRetryPolicy: {attempts: 3}";
    assert.deepEqual(mesh.apply(meshConfig(`{${retries}}`)).services, ["default.reviews"]);
    assert.deepEqual(mesh.apply(meshConfig(`{${retries}, enableTracing: true}`)).services, []);
    assert.deepEqual(mesh.delete("meshconfig/istio-system/default").services, ["default.reviews"]);
  });
});
