import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayConfig, HostsConfig } from "../../shared/wire/index.ts";
import { CompiledMesh } from "../harness/compiled-mesh.ts";
import { RegistryMesh } from "../harness/registry-mesh.ts";

const V1 = { version: "v1" };
const EDGE = "edge.ingress";

function virtualService(name: string, spec: string, namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
}

function meshConfig(spec: string): string {
  return `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: ${spec}
`;
}

function gatewayOf(mesh: CompiledMesh, key = EDGE): GatewayConfig {
  const value = mesh.compiler.compile("gateway", key);
  assert.ok(value);
  return GatewayConfig.decode(value.encode([]));
}

/** Rule, then version, of each route. */
function routes(mesh: CompiledMesh, service: string): string[] {
  return mesh
    .config(service)
    .routes.map(({ rule, destinations }) => `${rule} ${destinations[0]?.destination?.labels["version"] ?? "any"}`);
}

describe("a new leader that knows only the newest text of a VirtualService, which waits", () => {
  const before = virtualService("shop", "{hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}");
  const gone = "http: [{route: [{destination: {host: gone}}]}]";

  function meshWith(...documents: string[]): CompiledMesh {
    const mesh = new CompiledMesh();
    mesh.add("reviews", V1);
    mesh.add("ratings", V1);
    for (const document of documents) mesh.apply(document);
    return mesh;
  }

  test("leaves alone a service that only the newest text names", () => {
    const mesh = meshWith(before);
    assert.ok(mesh.apply(virtualService("shop", `{hosts: [reviews, ratings], ${gone}}`)).pending);
    const next = mesh.successor(["reviews", "ratings"], false);
    assert.deepEqual(routes(next, "ratings"), ["default any"]);
    assert.deepEqual(next.bytes("ratings"), mesh.bytes("ratings"));
    assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
  });

  test("goes on for a service that the newest text does not name any more", () => {
    const mesh = meshWith(before);
    assert.ok(mesh.apply(virtualService("shop", `{hosts: [ratings], ${gone}}`)).pending);
    const next = mesh.successor(["reviews", "ratings"], false);
    assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
    assert.deepEqual(next.bytes("ratings"), mesh.bytes("ratings"));
    const { services } = next.add("gone", V1);
    assert.deepEqual(
      ["default.ratings", "default.reviews"].filter((key) => services.includes(key)),
      ["default.ratings", "default.reviews"],
    );
    assert.deepEqual(routes(next, "reviews"), ["default any"]);
  });

  test("shows it to nobody who did not see it", () => {
    const mesh = meshWith(before.replace("{hosts", "{exportTo: [web], hosts"));
    assert.ok(mesh.apply(virtualService("shop", `{hosts: [reviews], ${gone}}`)).pending);
    const next = mesh.successor(["reviews", "ratings"], false);
    assert.deepEqual(routes(next, "reviews"), ["default any"]);
    assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
  });

  test("goes on at gateways with the hosts and ports that it had, each gateway with its own", () => {
    const mesh = meshWith();
    mesh.addGateway("ingress.edge", { app: "in" });
    mesh.addGateway("egress.edge", { app: "out" });
    for (const [name, app, port] of [
      ["in", "in", 80],
      ["out", "out", 80],
      ["more", "in", 8080],
    ] as const) {
      mesh.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: edge}
spec: {selector: {app: ${app}}, servers: [{port: {number: ${port}, name: http, protocol: HTTP}, hosts: ["*"]}]}
`);
    }
    mesh.apply(
      virtualService(
        "shop",
        `
  hosts: [shop.com]
  gateways: [edge/in, edge/out, edge/more]
  http:
  - {match: [{gateways: [edge/in]}], route: [{destination: {host: reviews}}]}
  - {match: [{gateways: [edge/more], uri: {prefix: /x}}], route: [{destination: {host: ratings}}]}
  - {match: [{gateways: [edge/out]}], route: [{destination: {host: ratings}}]}`,
      ),
    );
    const waiting = `{hosts: [other.com], gateways: [edge/in], ${gone}}`;
    assert.ok(mesh.apply(virtualService("shop", waiting)).pending);
    const late = mesh.successor([], false, ["ingress.edge", "egress.edge"]);
    for (const key of ["edge.ingress", "edge.egress"]) assert.deepEqual(gatewayOf(late, key), gatewayOf(mesh, key));
    assert.ok(late.add("gone", V1).gateways.includes("edge.egress"), "it is not bound to that one any more");
    assert.deepEqual(gatewayOf(late, "edge.egress").routes, []);
    assert.deepEqual(
      gatewayOf(late).routes.map(({ hosts }) => hosts),
      [["other.com"]],
    );
  });
});

describe("what a VirtualService that waits is exported to", () => {
  const hidden = virtualService("shop", "{hosts: [reviews], http: [{route: [{destination: {host: gone}}]}]}");

  test("is what the mesh says when it comes into force", () => {
    const mesh = new CompiledMesh();
    mesh.add("reviews", V1);
    assert.ok(mesh.apply(hidden).pending);
    mesh.apply(meshConfig("{defaultVirtualServiceExportTo: [.]}"));
    mesh.add("gone", V1);
    assert.deepEqual(routes(mesh, "reviews"), ["default any"]);
    assert.deepEqual(
      mesh.config("reviews").views.map(({ namespaces }) => namespaces),
      [["default"]],
    );
  });
});

describe("a subset that is dropped at once after it came into use", () => {
  test("keeps its labels, whether it was compiled in between or not", () => {
    const subsets = (list: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [${list}]}
`;
    const mesh = new CompiledMesh();
    mesh.add("reviews", V1);
    mesh.apply(subsets("{name: v1, labels: {version: v1}}"));
    mesh.apply(
      virtualService("shop", "{hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v1}}]}]}"),
    );
    mesh.apply(subsets(""));
    assert.deepEqual(routes(mesh, "reviews"), ["virtualservice/default/shop v1"]);
  });
});

describe("a host that VirtualServices of two namespaces name", () => {
  test("is compiled anew in both when one of them changes", () => {
    const mesh = new CompiledMesh();
    for (const service of ["one.a", "two.b", "three.c"]) mesh.add(service, V1);
    const named = (namespace: string, exportTo: string, service: string) =>
      virtualService(
        "named",
        `{hosts: [api.example.com], exportTo: [${exportTo}], http: [{route: [{destination: {host: ${service}}}]}]}`,
        namespace,
      );
    mesh.apply(named("a", "'*'", "one"));
    mesh.apply(named("b", "c", "two"));
    const hosts = mesh.compiler.compile("hosts", "c");
    assert.ok(hosts);
    const [meant] = HostsConfig.decode(hosts.encode([])).hosts;
    assert.equal(meant?.namespace, "a", "the older one's");
    const { services } = mesh.apply(named("b", "c", "two").replace("{destination", "{headers: {}, destination"));
    assert.ok(services.includes("a.api=2Eexample=2Ecom"), services.join(" "));
    assert.ok(mesh.delete("virtualservice/b/named").services.includes("a.api=2Eexample=2Ecom"));
  });
});

describe("a RouteRule for hosts outside", () => {
  test("follows them to the namespace whose rule names them now, as a new leader would", () => {
    const entry = (namespace: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: ${namespace}}
spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;
    const mesh = new CompiledMesh();
    mesh.add("reviews", V1);
    mesh.apply(entry("a"));
    mesh.apply(`
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: out}
spec: {destination: {name: reviews}, route: [{destination: {service: api.example.com}}]}
`);
    const target = () => mesh.config("reviews").routes[0]?.destinations[0]?.destination?.namespace;
    assert.equal(target(), "a");
    mesh.apply(entry("b"));
    assert.equal(target(), "a");
    assert.ok(mesh.delete("serviceentry/a/api").services.includes("default.reviews"));
    assert.equal(target(), "b");
    assert.deepEqual(mesh.successor(["reviews"]).bytes("reviews"), mesh.bytes("reviews"));
  });
});

describe("instances of one name that a selector chooses from several services", () => {
  test("are the same for every replica, in whatever order they registered", () => {
    const endpoints = (...services: string[]) => {
      const mesh = new RegistryMesh();
      for (const service of services) mesh.hear(service, { instance: "vm-1", labels: { app: "legacy" } });
      mesh.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy}
spec:
  hosts: [legacy.example.com]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 9080}]
  resolution: STATIC
  workloadSelector: {labels: {app: legacy}}
`);
      return mesh.compiler.endpoints("default.legacy=2Eexample=2Ecom").map(({ service }) => service);
    };
    assert.deepEqual(endpoints("one", "two"), ["one"]);
    assert.deepEqual(endpoints("two", "one"), ["one"]);
  });
});

describe("a gateway that restarts while the lead changes", () => {
  test("finds what it served before, although nobody knows its labels", () => {
    const mesh = new CompiledMesh();
    mesh.addGateway("ingress.edge", { app: "in" });
    for (const [name, app] of [
      ["in", "in"],
      ["out", "out"],
    ] as const) {
      mesh.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: edge}
spec: {selector: {app: ${app}}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`);
    }
    mesh.table.instances.set(EDGE, []);
    mesh.compiler.serviceChanged(EDGE, false);
    const next = mesh.successor([], true, ["ingress.edge"]);
    assert.equal(gatewayOf(mesh).servers.length, 1);
    assert.deepEqual(gatewayOf(next), gatewayOf(mesh));
    mesh.table.instances.set(EDGE, [{ app: "out" }]);
    next.compiler.serviceChanged(EDGE, false);
    assert.deepEqual(
      gatewayOf(next).servers.map(({ rule }) => rule),
      ["gateway/edge/out"],
    );
  });
});
