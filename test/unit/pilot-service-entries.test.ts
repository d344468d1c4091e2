import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tableKey } from "../../shared/wire/index.ts";
import { RegistryMesh } from "../harness/registry-mesh.ts";

const KEY = tableKey("default", "api.example.com");

function entry(spec: string, name = "api", namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
---`;
}

const HTTP = "{number: 80, name: http, protocol: HTTP}";

function places(mesh: RegistryMesh, key = KEY): string[] {
  return mesh
    .endpoints(key)
    .map(({ address, ports }) => `${address} ${(ports ?? []).map((port) => `${port.number}:${port.addressPort}`)}`);
}

describe("a ServiceEntry", () => {
  const resolutions = [
    { resolution: "NONE", expected: [], passthrough: true, shards: 0 },
    { resolution: "DNS", expected: ["api.example.com 80:8080"], passthrough: false, shards: 1 },
    { resolution: "DNS_ROUND_ROBIN", expected: ["api.example.com 80:8080"], passthrough: false, shards: 1 },
    { resolution: "STATIC", expected: [], passthrough: false, shards: 1 },
  ];
  for (const { resolution, expected, passthrough, shards } of resolutions) {
    test(`without endpoints and resolution ${resolution} is a service of its host`, () => {
      const mesh = new RegistryMesh();
      const ports = "[{number: 80, name: http, protocol: HTTP, targetPort: 8080}]";
      const revision = mesh.apply(entry(`{hosts: [api.example.com], resolution: ${resolution}, ports: ${ports}}`));
      const service = mesh.service(KEY);
      assert.equal(service?.host, "api.example.com");
      assert.equal(service?.name, "api.example.com");
      assert.deepEqual(
        service?.ports.map(({ number, protocol }) => [number, protocol]),
        [[80, "http"]],
      );
      assert.equal(service?.passthrough, passthrough);
      assert.equal(service?.endpointShards, shards);
      assert.equal(service?.revision, revision);
      assert.deepEqual(places(mesh), expected);
      assert.deepEqual(mesh.affected.services, [KEY]);
    });
  }

  test("names its instances, each with its own ports, labels, place and share", () => {
    const mesh = new RegistryMesh();
    mesh.apply(
      entry(`
  hosts: [api.example.com]
  resolution: STATIC
  ports:
  - ${HTTP}
  - {number: 8443, name: other, protocol: HTTP, targetPort: 9443}
  endpoints:
  - {address: 10.0.0.2, ports: {http: 8080}, labels: {version: v2}, locality: eu/west, weight: 3}
  - {address: 10.0.0.1}
  - {address: 10.0.0.1, ports: {http: 81}}`),
    );
    assert.deepEqual(places(mesh), [
      "10.0.0.1 80:80,8443:9443",
      "10.0.0.1 80:81,8443:9443",
      "10.0.0.2 80:8080,8443:9443",
    ]);
    const [first, , last] = mesh.endpoints(KEY);
    assert.deepEqual([last?.labels, last?.locality, last?.weight], [{ version: "v2" }, "eu/west", 3]);
    assert.deepEqual([first?.plaintext, first?.healthy], [true, true]);
    assert.ok(mesh.compiler.services.carries(KEY, { version: "v2" }));
    assert.ok(!mesh.compiler.services.carries(KEY, { version: "v1" }));
  });

  test("is found by its addresses too, each host of it once", () => {
    const mesh = new RegistryMesh();
    mesh.hear("web");
    mesh.apply(
      entry(
        `{hosts: [b.example.com, a.example.com], addresses: [10.9.9.9, "fd00::A", 10.8.0.0/16], resolution: STATIC, ports: [${HTTP}]}`,
      ),
    );
    assert.deepEqual(mesh.hosts("default"), [
      "10.9.9.9 -> default/a.example.com",
      "[fd00::a] -> default/a.example.com",
      "a.example.com -> default/a.example.com",
      "b.example.com -> default/b.example.com",
    ]);
  });

  test("makes one service of each of its hosts", () => {
    const mesh = new RegistryMesh();
    mesh.apply(entry(`{hosts: [a.example.com, b.example.com], resolution: DNS, ports: [${HTTP}]}`));
    assert.deepEqual(places(mesh, tableKey("default", "a.example.com")), ["a.example.com 80:80"]);
    assert.deepEqual(places(mesh, tableKey("default", "b.example.com")), ["b.example.com 80:80"]);
  });

  test("is joined with others for its host: ports and instances of all, the rest of the oldest", () => {
    const mesh = new RegistryMesh();
    mesh.apply(
      entry(
        `{hosts: [api.example.com], resolution: STATIC, ports: [${HTTP}], endpoints: [{address: 10.0.0.1}], exportTo: [.]}`,
        "b-older",
      ),
    );
    mesh.apply(
      entry(
        `
  hosts: [api.example.com]
  resolution: STATIC
  ports: [{number: 81, name: more, protocol: HTTP}]
  endpoints: [{address: 10.0.0.2}]`,
        "a-younger",
      ),
    );
    assert.deepEqual(
      mesh.service(KEY)?.ports.map(({ number }) => number),
      [80, 81],
    );
    assert.deepEqual(places(mesh).sort(), ["10.0.0.1 80:80", "10.0.0.2 81:81"]);
    mesh.hear("web", { namespace: "other" });
    assert.deepEqual(mesh.hosts("other"), [], "the oldest says that only its namespace sees it");
    mesh.delete("serviceentry/default/b-older");
    assert.deepEqual(places(mesh), ["10.0.0.2 81:81"]);
    mesh.delete("serviceentry/default/a-younger");
    assert.equal(mesh.service(KEY), undefined);
  });

  test("for a registered service adds its instances and ports to those that registered", () => {
    const mesh = new RegistryMesh();
    mesh.hear("reviews");
    mesh.apply(
      entry(`
  hosts: [reviews.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 9080, name: http, protocol: HTTP}, {number: 9081, name: more, protocol: HTTP}]
  endpoints: [{address: 10.0.0.9, labels: {version: vm}}]`),
    );
    const key = tableKey("default", "reviews");
    assert.deepEqual(mesh.affected.services, [key]);
    assert.deepEqual(
      mesh.service(key)?.ports.map(({ number, protocol }) => [number, protocol]),
      [
        [9080, "http"],
        [9081, "http"],
      ],
    );
    assert.deepEqual(places(mesh, key), ["127.0.0.1 9080:15006", "10.0.0.9 9080:9080,9081:9081"]);
    assert.deepEqual(mesh.service(key)?.serviceAccounts, ["spiffe://cluster.local/ns/default/sa/reviews"]);
    assert.deepEqual(mesh.hosts("default"), [], "its name is enough to find it");
    mesh.leave("reviews");
    assert.deepEqual(places(mesh, key), ["10.0.0.9 9080:9080,9081:9081"]);
  });
});

describe("a workload selector", () => {
  const SELECTING = entry(`
  hosts: [api.example.com]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 9080}]
  workloadSelector: {labels: {app: api}}`);

  function machine(name: string, labels: string, namespace = "default"): string {
    return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}, namespace: ${namespace}}
spec: {address: 10.0.0.${name.length}, labels: ${labels}, ports: {http: 8081}}
---`;
  }

  test("chooses WorkloadEntries of its namespace by labels, whichever came first", () => {
    const mesh = new RegistryMesh();
    mesh.apply(machine("a", "{app: api}"));
    mesh.apply(SELECTING);
    mesh.apply(machine("bb", "{app: api, version: v1}"));
    assert.deepEqual(mesh.affected.services, [KEY], "who waits for the WorkloadEntry waits for the service");
    assert.deepEqual(mesh.affected.endpoints, [{ service: KEY, instances: ["workloadentry/default/bb"] }]);
    mesh.apply(machine("ccc", "{app: web}"));
    mesh.apply(machine("dddd", "{app: api}", "other"));
    assert.deepEqual(places(mesh), ["10.0.0.1 80:8081", "10.0.0.2 80:8081"]);
    mesh.delete("workloadentry/default/a");
    assert.deepEqual(places(mesh), ["10.0.0.2 80:8081"]);
  });

  test("chooses registered instances, which are called as what they registered as", () => {
    const mesh = new RegistryMesh();
    mesh.apply(SELECTING);
    mesh.hear("backend", { labels: { app: "api" } });
    mesh.hear("backend", { labels: { app: "api" }, instance: "elsewhere", port: 7000 });
    mesh.hear("other", { labels: { app: "other" } });
    const [endpoint, ...more] = mesh.endpoints(KEY);
    assert.deepEqual(more, [], "an instance that does not serve the port is none");
    assert.equal(endpoint?.instance, "backend-1");
    assert.equal(endpoint?.service, "backend");
    assert.deepEqual(endpoint?.ports, [{ number: 80, protocol: "http", addressPort: 15_006, ownNumber: 9080 }]);
    assert.deepEqual(mesh.service(KEY)?.serviceAccounts, ["spiffe://cluster.local/ns/default/sa/backend"]);
    mesh.leave("backend");
    assert.deepEqual(mesh.endpoints(KEY), []);
    assert.deepEqual(mesh.affected.services.includes(KEY), true, "nobody serves it any more: its identities changed");
  });
});

test("what would not fit into a message is refused", () => {
  const many = Array.from({ length: 151 }, (_, i) => `{number: ${i + 1}, name: p${i}, protocol: HTTP}`).join(", ");
  const mesh = new RegistryMesh();
  assert.throws(
    () => mesh.apply(entry(`{hosts: [api.example.com], resolution: DNS, ports: [${many}]}`)),
    /151 ports are too many/,
  );
  const labels = Array.from({ length: 60 }, (_, i) => `l${i}: ${"x".repeat(63)}`).join(", ");
  assert.throws(
    () =>
      mesh.apply(
        `{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: a}, spec: {address: 10.0.0.1, labels: {${labels}}}}`,
      ),
    /bytes/,
  );
});

test("a registered service of another namespace is not for others to change", () => {
  const mesh = new RegistryMesh();
  assert.throws(
    () => mesh.apply(entry("{hosts: [reviews.other.svc.cluster.local], resolution: STATIC}")),
    /is a service of namespace other/,
  );
});

describe("rules", () => {
  test("that wait for a host come into force with its ServiceEntry", () => {
    const mesh = new RegistryMesh();
    mesh.apply(`
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: slow}
spec:
  destination: {service: api.example.com}
  httpReqTimeout: {simpleTimeout: {timeout: 3s}}
`);
    assert.notEqual(mesh.affected.pending, undefined);
    mesh.apply(entry(`{hosts: [api.example.com], resolution: DNS, ports: [${HTTP}]}`));
    assert.deepEqual(
      mesh.affected.activated?.map(({ rule }) => rule),
      ["routerule/default/slow"],
    );
    assert.equal(mesh.service(KEY)?.routes[0]?.timeout?.timeoutMs, 3000);
  });
});
