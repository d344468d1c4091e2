import assert from "node:assert/strict";
import { test } from "node:test";
import { withOrigination } from "../../services/pilot/compile/origination.ts";
import type { KnownService } from "../../services/pilot/compile/services.ts";
import { tableKey } from "../../shared/wire/index.ts";
import { RegistryMesh } from "../harness/registry-mesh.ts";

function rule(name: string, service: string, ports: string, namespace = "default"): string {
  return `
apiVersion: config.istio.io/v1alpha2
kind: EgressRule
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  destination: {service: "${service}"}
  ports: ${ports}
---`;
}

const HTTP = "[{port: 80, protocol: http}]";
const HTTPS = "[{port: 443, protocol: https}]";

test("a host of an egress rule is looked up by name, a wildcard goes where the request says", () => {
  const mesh = new RegistryMesh();
  mesh.hear("web", { namespace: "far" });
  mesh.apply(rule("exact", "httpbin.org", HTTP));
  mesh.apply(rule("wild", "*.example.com", HTTP));
  assert.deepEqual(mesh.hosts("far"), ["*.example.com -> default/*.example.com", "httpbin.org -> default/httpbin.org"]);
  const [endpoint] = mesh.endpoints(tableKey("default", "httpbin.org"));
  assert.deepEqual([endpoint?.address, endpoint?.plaintext], ["httpbin.org", true]);
  assert.equal(mesh.service(tableKey("default", "httpbin.org"))?.passthrough, false);
  assert.equal(mesh.service(tableKey("default", "*.example.com"))?.passthrough, true);
});

test("on an https port the application speaks plain HTTP and the proxy TLS", () => {
  const mesh = new RegistryMesh();
  mesh.apply(rule("secure", "httpbin.org", "[{port: 80, protocol: http}, {port: 443, protocol: https}]"));
  const service = mesh.service(tableKey("default", "httpbin.org"));
  assert.deepEqual(
    service?.ports.map(({ number, protocol }) => [number, protocol]),
    [
      [80, "http"],
      [443, "http"],
    ],
  );
  assert.deepEqual(
    service?.policies.map(({ port, anyLabels, tls }) => [port, anyLabels, tls !== null && tls !== undefined]),
    [[443, true, true]],
  );
});

test("every policy of the service originates TLS on its https ports, and keeps what it says itself", () => {
  const service: KnownService = {
    key: "k",
    namespace: "default",
    name: "httpbin.org",
    host: "httpbin.org",
    ports: [],
    principals: [],
    tlsPorts: [443],
    subjectAltNames: ["san.example.com"],
  };
  const policies = withOrigination(
    [
      { rule: "all", labels: {}, circuitBreaker: { maxConnections: 7 } },
      { rule: "own", labels: { version: "v1" }, port: 443, tls: { sni: "mine", subjectAltNames: ["mine"] } },
      { rule: "plain", labels: { version: "v1" } },
    ],
    service,
  );
  assert.deepEqual(
    policies.map(({ rule: name, port, tls }) => [name, port ?? 0, tls ?? null]),
    [
      ["all", 0, null],
      ["all", 443, { subjectAltNames: ["san.example.com"] }],
      ["own", 443, { sni: "mine", subjectAltNames: ["mine"] }],
      ["plain", 0, null],
      ["default", 443, { subjectAltNames: ["san.example.com"] }],
    ],
  );
  assert.equal(policies[1]?.circuitBreaker?.maxConnections, 7, "a policy for one port takes the place of the whole");
});

test("of two rules for one destination the first by name is in force, the other waits for its end", () => {
  const mesh = new RegistryMesh();
  const key = tableKey("default", "httpbin.org");
  mesh.apply(rule("b", "httpbin.org", "[{port: 81, protocol: http}]"));
  const revision = mesh.apply(rule("a", "httpbin.org", HTTP));
  assert.deepEqual(
    mesh.service(key)?.ports.map(({ number }) => number),
    [80],
  );
  assert.equal(mesh.service(key)?.revision, revision);
  assert.match(mesh.compiler.pendingReason("egressrule/default/b") ?? "", /egressrule\/default\/a is for httpbin.org/);
  assert.equal(mesh.compiler.pendingCount, 1);
  mesh.apply(rule("c", "httpbin.org", HTTP, "other"));
  assert.match(mesh.affected.pending ?? "", /egressrule\/default\/a/, "over the whole mesh");
  mesh.delete("egressrule/default/a");
  assert.deepEqual(
    mesh.affected.activated?.map((item) => item.rule),
    ["egressrule/default/b"],
  );
  assert.deepEqual(
    mesh.service(key)?.ports.map(({ number }) => number),
    [81],
  );
});

test("http and https are one class of protocols on a port", () => {
  const mesh = new RegistryMesh();
  mesh.apply(rule("a", "httpbin.org", HTTPS));
  mesh.apply(rule("b", "example.org", "[{port: 443, protocol: http}]"));
  assert.equal(mesh.compiler.pendingCount, 0);
});
