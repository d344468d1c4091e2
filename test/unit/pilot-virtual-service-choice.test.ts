import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CompiledMesh, fullHost } from "../harness/compiled-mesh.ts";

interface Given {
  readonly name: string;
  readonly namespace?: string;
  readonly host?: string;
  readonly exportTo?: string;
  readonly to?: string;
}

function virtualService({ name, namespace = "default", host = fullHost("reviews"), exportTo, to }: Given) {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: ["${host}"]
  ${exportTo === undefined ? "" : `exportTo: [${exportTo}]`}
  http: [{route: [{destination: {host: ${to ?? fullHost("reviews")}}}]}]
---
`;
}

function meshOf(...services: string[]): CompiledMesh {
  const mesh = new CompiledMesh();
  for (const service of ["reviews", ...services]) mesh.add(service, { version: "v1" });
  return mesh;
}

/** Rule of the first route, for everybody and for callers of namespaces with a view of their own. */
function firstRules(mesh: CompiledMesh, service = "reviews"): Record<string, string | undefined> {
  const { routes, views } = mesh.config(service);
  return Object.fromEntries([
    ["*", routes[0]?.rule],
    ...views.flatMap(({ namespaces, routes: own }) => namespaces.map((namespace) => [namespace, own[0]?.rule])),
  ]);
}

describe("of several VirtualServices for one host", () => {
  test("the oldest is in force, of one age the first by namespace and name", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "young" }), "2026-01-02T00:00:00.000Z");
    mesh.apply(virtualService({ name: "old" }), "2026-01-01T00:00:00.000Z");
    mesh.apply(virtualService({ name: "alike" }), "2026-01-01T00:00:00.000Z");
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/alike" });
    mesh.delete("virtualservice/default/alike");
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/old" });
  });

  test("the most specific host is in force, whatever the age", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "cluster", host: "*.svc.cluster.local" }));
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/cluster" });
    mesh.apply(virtualService({ name: "namespace", host: "*.default.svc.cluster.local" }));
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/namespace" });
    mesh.apply(virtualService({ name: "itself" }));
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/itself" });
  });

  test("one for its own namespace wins there over one for named namespaces, and that over one for all", () => {
    const mesh = meshOf("page.web");
    mesh.apply(virtualService({ name: "all" }));
    mesh.apply(virtualService({ name: "named", exportTo: "web, shop" }));
    mesh.apply(virtualService({ name: "own", namespace: "web", exportTo: "." }));
    assert.deepEqual(firstRules(mesh), {
      "*": "virtualservice/default/all",
      shop: "virtualservice/default/named",
      web: "virtualservice/web/own",
    });
  });

  test("a specific host that a caller does not see leaves it the wildcard", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "wild", host: "*.default.svc.cluster.local" }));
    mesh.apply(virtualService({ name: "itself", exportTo: "shop" }));
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/wild", shop: "virtualservice/default/itself" });
  });

  test("where none is seen the default route stays", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "named", exportTo: "web" }));
    assert.deepEqual(firstRules(mesh), { "*": "default", web: "virtualservice/default/named" });
  });
});

describe("views", () => {
  test("exist only where callers get other routes than the rest", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "all" }));
    assert.deepEqual(mesh.config("reviews").views, []);
    mesh.apply(virtualService({ name: "own", namespace: "web", exportTo: "." }));
    assert.equal(mesh.config("reviews").views.length, 1);
    mesh.delete("virtualservice/web/own");
    assert.deepEqual(mesh.config("reviews").views, []);
  });

  test("of namespaces with the same routes are one", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "named", exportTo: "web, shop" }));
    assert.deepEqual(
      mesh.config("reviews").views.map(({ namespaces }) => namespaces),
      [["shop", "web"]],
    );
  });

  test("are for a thousand namespaces at most", () => {
    const mesh = meshOf();
    const many = Array.from({ length: 1_001 }, (_, i) => `n${String(i).padStart(4, "0")}`);
    mesh.apply(virtualService({ name: "named", exportTo: many.join(", ") }));
    assert.deepEqual(
      mesh.config("reviews").views.map(({ namespaces }) => namespaces),
      [many.slice(0, 1_000)],
    );
  });

  test("tell what the rules of the caller's namespace call a subset", () => {
    const mesh = new CompiledMesh();
    mesh.add("reviews", { version: "v1" }, { version: "v2" });
    const rule = (namespace: string, version: string, exportTo: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: ${namespace}}
spec: {host: ${fullHost("reviews")}, exportTo: ["${exportTo}"], subsets: [{name: stable, labels: {version: ${version}}}]}
---
`;
    mesh.apply(rule("default", "v1", "*") + rule("web", "v2", "."));
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: stable}}]}]}
`);
    const { routes, views } = mesh.config("reviews");
    assert.deepEqual(routes[0]?.destinations[0]?.destination?.labels, { version: "v1" });
    assert.deepEqual(
      views.map(({ namespaces, routes: own }) => [namespaces, own[0]?.destinations[0]?.destination?.labels]),
      [[["web"], { version: "v2" }]],
    );
    // A caller whose own rules do not know the subset gets what the author of the route meant.
    mesh.apply(rule("web", "v2", ".").replace("stable", "other"));
    assert.deepEqual(mesh.config("reviews").views, []);
  });

  test("bound only to gateways, a VirtualService is not for sidecars", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "edge" }).replace("spec:", "spec:\n  gateways: [edge]"));
    assert.deepEqual(firstRules(mesh), { "*": "default" });
  });
});

describe("hosts that nobody else knows", () => {
  test("are services of their own, without endpoints, on port 80, which callers find by their host", () => {
    const mesh = meshOf();
    const affected = mesh.apply(virtualService({ name: "api", host: "api.example.com" }));
    const key = "default.api=2Eexample=2Ecom";
    assert.deepEqual(affected.services, [key]);
    assert.deepEqual(affected.hosts, ["default"]);
    const { host, name, namespace, ports, endpointShards, routes } = mesh.config(key);
    assert.deepEqual(
      { host, name, namespace, endpointShards, rule: routes[0]?.rule },
      {
        host: "api.example.com",
        name: "api.example.com",
        namespace: "default",
        endpointShards: 0,
        rule: "virtualservice/default/api",
      },
    );
    assert.deepEqual(
      ports.map(({ number, protocol }) => [number, protocol]),
      [[80, "http"]],
    );
    assert.ok(mesh.compiler.compile("hosts", "default"));
    mesh.delete("virtualservice/default/api");
    assert.equal(mesh.bytes(key), undefined);
    assert.equal(mesh.compiler.compile("hosts", "default"), undefined);
  });

  test("of the mesh's own domain are found by name, and give way to the service when it registers", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "front", host: "front" }));
    assert.equal(mesh.config("front").endpointShards, 0);
    assert.equal(mesh.compiler.compile("hosts", "default"), undefined);
    mesh.add("front", {});
    assert.deepEqual([mesh.config("front").endpointShards, mesh.config("front").ports[0]?.number], [1, 9080]);
    assert.deepEqual(firstRules(mesh, "front"), { "*": "virtualservice/default/front" });
  });

  test("are no destination that a rule may send to", () => {
    const mesh = meshOf();
    mesh.apply(virtualService({ name: "front", host: "front" }));
    assert.match(
      mesh.apply(virtualService({ name: "reviews", to: "front" })).pending ?? "",
      /no instance of front\.default\.svc\.cluster\.local has registered/,
    );
  });

  test("give way to a ServiceEntry of their namespace, and come back after it", () => {
    const mesh = meshOf();
    const key = "default.api=2Eexample=2Ecom";
    mesh.apply(virtualService({ name: "api", host: "api.example.com" }));
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], ports: [{number: 8080, name: http, protocol: HTTP}], resolution: DNS}
`);
    assert.deepEqual([mesh.config(key).endpointShards, mesh.config(key).ports[0]?.number], [1, 8080]);
    assert.deepEqual(firstRules(mesh, key), { "*": "virtualservice/default/api" });
    mesh.delete("serviceentry/default/api");
    assert.deepEqual([mesh.config(key).endpointShards, mesh.config(key).ports[0]?.number], [0, 80]);
    assert.ok(mesh.compiler.compile("hosts", "default"));
  });
});

describe("what a change affects", () => {
  test("is the services whose requests it routes, before and after", () => {
    const mesh = meshOf("ratings");
    mesh.apply(virtualService({ name: "one" }));
    assert.deepEqual(mesh.apply(virtualService({ name: "one", host: fullHost("ratings") })).services.toSorted(), [
      "default.ratings",
      "default.reviews",
    ]);
    assert.deepEqual(mesh.delete("virtualservice/default/one").services, ["default.ratings"]);
  });

  test("of a wildcard leaves out services that another one names for everybody", () => {
    const mesh = meshOf("ratings", "page.web");
    mesh.apply(virtualService({ name: "reviews" }));
    assert.deepEqual(mesh.apply(virtualService({ name: "wild", host: "*.default.svc.cluster.local" })).services, [
      "default.ratings",
    ]);
  });

  test("of the mesh's default for exports is everything that leaves it open", () => {
    const mesh = meshOf("page.web");
    mesh.apply(virtualService({ name: "open" }));
    mesh.apply(`
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {defaultVirtualServiceExportTo: ["."]}
`);
    assert.deepEqual(firstRules(mesh), { "*": "default", default: "virtualservice/default/open" });
    mesh.delete("meshconfig/istio-system/default");
    assert.deepEqual(firstRules(mesh), { "*": "virtualservice/default/open" });
  });
});
