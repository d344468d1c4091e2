import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BoundRoutes, type GatewayEntry, gatewayContent } from "../../services/pilot/compile/gateway-routes.ts";
import { hostIntersection } from "../../services/pilot/compile/host-intersection.ts";
import type { GatewayServerSpec, ScopedHost } from "../../shared/model/index.ts";
import type { RouteInput } from "../../shared/wire/index.ts";
import { tableKey } from "../../shared/wire/index.ts";
import { RegistryMesh } from "../harness/registry-mesh.ts";

describe("two host patterns", () => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ["a.com", "a.com", "a.com"],
    ["a.com", "b.com", undefined],
    ["*", "a.com", "a.com"],
    ["*", "*", "*"],
    ["*.a.com", "x.a.com", "x.a.com"],
    ["*.a.com", "a.com", undefined],
    ["*.a.com", "*.b.a.com", "*.b.a.com"],
    ["*.a.com", "*.b.com", undefined],
    ["*-x.com", "api-x.com", "api-x.com"],
    ["*.com", "com", undefined],
    ["x.a.com", "*", "x.a.com"],
  ];
  for (const [a, b, expected] of cases) {
    test(`${a} and ${b} have ${expected ?? "nothing"} in common`, () => {
      assert.equal(hostIntersection(a, b), expected);
      assert.equal(hostIntersection(b, a), expected, "whichever comes first");
    });
  }
});

function server(port: number, ...hosts: readonly (string | ScopedHost)[]): GatewayServerSpec {
  const scoped = hosts.map((host) => (typeof host === "string" ? { namespace: "*", host } : host));
  return { name: "", port, portName: "http", protocol: "http", hosts: scoped, httpsRedirect: false };
}

function gateway(name: string, ...servers: readonly GatewayServerSpec[]): GatewayEntry {
  const rule = `gateway/edge/${name}`;
  return { rule, created: name, revision: 1, namespace: "edge", id: `edge/${name}`, spec: { selector: {}, servers } };
}

function bound(
  name: string,
  hosts: readonly string[],
  routes: readonly RouteInput[],
  more: Partial<BoundRoutes> = {},
): BoundRoutes {
  return {
    rule: `virtualservice/apps/${name}`,
    created: name,
    revision: 1,
    namespace: "apps",
    hosts,
    exportTo: ["*"],
    routesFor: () => routes,
    ...more,
  };
}

const prefix = (uri: string, more: RouteInput = {}): RouteInput => ({
  rule: uri,
  match: { headers: [{ name: "uri", prefix: uri }] },
  ...more,
});

function routesOf(entries: readonly GatewayEntry[], ...services: readonly BoundRoutes[]): string[] {
  const { routes } = gatewayContent("edge", entries, () => services);
  return routes.map(({ serverPort, hosts, route }) => `${serverPort} ${(hosts ?? []).join(",")} ${route?.rule}`);
}

describe("a gateway's routes", () => {
  test("are those of the hosts that a VirtualService has in common with a server", () => {
    const entries = [gateway("g", server(80, "*.shop.com", "a.com"), server(8080, "other.com"))];
    assert.deepEqual(routesOf(entries, bound("v", ["a.com", "b.com", "*.com"], [prefix("/x")])), [
      "80 *.shop.com,a.com /x",
      "8080 other.com /x",
    ]);
    assert.deepEqual(routesOf(entries, bound("v", ["b.com"], [prefix("/x")])), []);
  });

  test("are only those of VirtualServices whose namespace the server's host lets in, and that are shown to the gateway", () => {
    const entries = [gateway("g", server(80, { namespace: "apps", host: "a.com" }, { namespace: "x", host: "b.com" }))];
    assert.deepEqual(routesOf(entries, bound("v", ["*"], [prefix("/x")])), ["80 a.com /x"]);
    const hidden = bound("v", ["*"], [prefix("/x")], { exportTo: ["apps"] });
    assert.deepEqual(routesOf(entries, hidden), []);
    assert.deepEqual(routesOf(entries, { ...hidden, exportTo: ["apps", "edge"] }), ["80 a.com /x"]);
  });

  test("of several VirtualServices are in order of age, those for every request last", () => {
    const entries = [gateway("g", server(80, "*"))];
    const all: RouteInput = { rule: "all" };
    assert.deepEqual(
      routesOf(
        entries,
        bound("2-younger", ["a.com"], [prefix("/young"), prefix("/", { rule: "young-all" })]),
        bound("1-older", ["a.com"], [prefix("/old"), all, prefix("/hidden")]),
      ),
      ["80 a.com /old", "80 a.com /young", "80 a.com all", "80 a.com young-all"],
    );
  });

  test("for another port are left out", () => {
    const entries = [gateway("g", server(80, "*"), server(8080, "*"))];
    const route = { rule: "8080", match: { port: 8080, gateways: ["edge/g"] } };
    assert.deepEqual(routesOf(entries, bound("v", ["a.com"], [route, { rule: "any" }])), [
      "80 a.com any",
      "8080 a.com 8080",
    ]);
  });

  test("are there once, though the VirtualService is bound to two Gateways of one port", () => {
    const entries = [gateway("g", server(80, "a.com")), gateway("h", server(80, "b.com"))];
    const one = bound("v", ["*"], [prefix("/x")]);
    assert.deepEqual(routesOf(entries, one), ["80 a.com,b.com /x"]);
    const each = { ...one, routesFor: (id: string) => [prefix(`/${id.slice(-1)}`)] };
    assert.deepEqual(routesOf(entries, each), ["80 a.com /g", "80 b.com /h"]);
  });

  test("do not outgrow a message: the youngest are left out", () => {
    const big = prefix("/x", { directResponse: { status: 200, body: "x".repeat(400 * 1024) } });
    const entries = [gateway("g", server(80, "*"))];
    const services = ["1", "2", "3"].map((name) => bound(name, [`${name}.com`], [big]));
    const { routes, left } = gatewayContent("edge", entries, () => services);
    assert.deepEqual([routes.map(({ hosts }) => hosts?.[0]), left], [["1.com", "2.com"], 1]);
  });
});

test("servers of all chosen Gateways are there, by port, the older before the younger", () => {
  const redirect = { ...server(80, "b.com"), httpsRedirect: true };
  const entries = [gateway("2", server(8080, "*"), redirect), gateway("1", server(80, "*", "*", "a.com"))];
  const { servers } = gatewayContent("edge", entries, () => []);
  assert.deepEqual(
    servers.map(({ rule, port, hosts, httpsRedirect }) => [rule, port, hosts, httpsRedirect ?? false]),
    [
      ["gateway/edge/1", 80, ["*", "a.com"], false],
      ["gateway/edge/2", 80, ["b.com"], true],
      ["gateway/edge/2", 8080, ["*"], false],
    ],
  );
});

describe("Gateway resources", () => {
  const yaml = (name: string, selector: string, host = "*"): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  selector: ${selector}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["${host}"]}]
---`;
  const EDGE = tableKey("edge", "door");

  function rulesAt(mesh: RegistryMesh, key = EDGE): string[] | undefined {
    return mesh.gateway(key)?.servers.map(({ rule }) => rule);
  }

  test("choose gateway workloads of any namespace by labels, and no sidecars", () => {
    const mesh = new RegistryMesh();
    mesh.hear("door", { namespace: "edge", labels: { istio: "edge" }, gateway: true });
    mesh.hear("web", { labels: { istio: "edge" } });
    const revision = mesh.apply(yaml("chosen", "{istio: edge}"));
    assert.deepEqual(mesh.affected.gateways, [EDGE]);
    assert.equal(mesh.gateway(EDGE)?.revision, revision);
    assert.equal(mesh.gateway(tableKey("default", "web")), undefined);
    mesh.apply(yaml("other", "{istio: other}"));
    assert.deepEqual(mesh.affected.gateways, []);
    mesh.apply(yaml("all", "{}"));
    assert.deepEqual(rulesAt(mesh), ["gateway/shop/chosen", "gateway/shop/all"]);
    mesh.delete("gateway/shop/chosen");
    assert.deepEqual(rulesAt(mesh), ["gateway/shop/all"]);
  });

  test("serve a workload that comes later, and one that is away for a moment", () => {
    const mesh = new RegistryMesh();
    mesh.apply(yaml("chosen", "{istio: edge}"));
    assert.equal(mesh.gateway(EDGE), undefined);
    mesh.hear("door", { namespace: "edge", labels: { istio: "edge" }, gateway: true });
    assert.deepEqual(mesh.affected.gateways, [EDGE]);
    assert.deepEqual(rulesAt(mesh), ["gateway/shop/chosen"]);
    mesh.leave("door", { namespace: "edge" });
    assert.deepEqual(rulesAt(mesh), ["gateway/shop/chosen"]);
    mesh.hear("door", { namespace: "edge", labels: { istio: "none" }, gateway: true });
    assert.deepEqual(rulesAt(mesh), []);
  });

  test("do not take IngressRules away from the gateway that those know", () => {
    const mesh = new RegistryMesh();
    const ingress = tableKey("istio-system", "istio-ingress");
    mesh.hear("web");
    mesh.apply(`
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: in}
spec: {destination: {name: web}, destinationPort: 9080}
`);
    assert.equal(mesh.gateway(ingress)?.routes.length, 1, "also without any gateway");
    mesh.hear("istio-ingress", { namespace: "istio-system", labels: { istio: "ingressgateway" }, gateway: true });
    mesh.apply(yaml("g", "{istio: ingressgateway}"));
    assert.deepEqual(rulesAt(mesh, ingress), ["gateway/shop/g"]);
    assert.equal(mesh.gateway(ingress)?.routes.length, 1);
  });
});
