import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CompiledMesh } from "../harness/compiled-mesh.ts";

const V1 = { version: "v1" };
const V2 = { version: "v2" };
const V3 = { version: "v3" };
const RULE = "virtualservice/default/reviews";

function subsets(...names: string[]): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [${names.map((name) => `{name: ${name}, labels: {version: ${name}}}`).join(", ")}]}
`;
}

function toSubset(subset: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: ${subset}}}]}]}
`;
}

function meshOf(...documents: string[]): CompiledMesh {
  const mesh = new CompiledMesh();
  mesh.add("reviews", V1, V2);
  for (const document of documents) mesh.apply(document);
  return mesh;
}

function inForce(mesh: CompiledMesh): [rule: string | undefined, revision: number | undefined, version: unknown] {
  const [route] = mesh.config("reviews").routes;
  return [route?.rule, route?.revision, route?.destinations[0]?.destination?.labels["version"]];
}

describe("a VirtualService waits", () => {
  test("for a service, a subset and instances with its labels, and comes into force by itself", () => {
    const mesh = new CompiledMesh();
    assert.match(
      mesh.apply(toSubset("v3")).pending ?? "",
      /no instance of reviews\.default\.svc\.cluster\.local has registered/,
    );
    mesh.add("reviews", V1);
    assert.match(mesh.compiler.pendingReason(RULE) ?? "", /no DestinationRule of .* has a subset v3/);
    mesh.apply(subsets("v1", "v3"));
    assert.match(mesh.compiler.pendingReason(RULE) ?? "", /no instance of .* has the labels version=v3 of subset v3/);
    assert.equal(mesh.compiler.pendingCount, 1);
    const affected = mesh.add("reviews", V3);
    assert.deepEqual(affected.services, ["default.reviews"]);
    assert.deepEqual(
      affected.activated?.map(({ rule, revision }) => [rule, revision]),
      [[RULE, 1]],
    );
    assert.deepEqual(inForce(mesh), [RULE, 1, "v3"]);
    assert.equal(mesh.compiler.pendingCount, 0);
  });

  test("for a host outside until a ServiceEntry names it", () => {
    const mesh = meshOf();
    const outside = toSubset("v1").replace("host: reviews, subset: v1", "host: api.example.com");
    assert.match(mesh.apply(outside).pending ?? "", /nobody knows a service api\.example\.com/);
    const affected = mesh.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`);
    assert.ok(affected.services.includes("default.reviews"));
    assert.equal(mesh.config("reviews").routes[0]?.destinations[0]?.destination?.service, "api.example.com");
  });

  test("while the revision before stays in force", () => {
    const mesh = meshOf(subsets("v1", "v2", "v3"), toSubset("v1"));
    assert.ok(mesh.apply(toSubset("v3")).pending);
    assert.deepEqual(inForce(mesh), [RULE, 2, "v1"]);
    mesh.add("reviews", V3);
    assert.deepEqual(inForce(mesh), [RULE, 3, "v3"]);
  });

  test("and says so before it is applied", () => {
    const mesh = meshOf(subsets("v1", "v3"), toSubset("v1"));
    assert.equal(mesh.compiler.pendingReason(RULE), undefined);
    mesh.apply(toSubset("v3"));
    assert.ok(mesh.compiler.pendingReason(RULE));
    mesh.delete(RULE);
    assert.equal(mesh.compiler.pendingReason(RULE), undefined);
    assert.deepEqual(inForce(mesh), ["default", 0, undefined]);
  });
});

describe("once in force a VirtualService stays", () => {
  test("when its instances vanish", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    mesh.table.instances.set("default.reviews", [V1]);
    mesh.compiler.serviceChanged("default.reviews", false);
    assert.deepEqual(inForce(mesh), [RULE, 2, "v2"]);
  });

  test("with the last labels of a subset that its DestinationRule drops, until either changes", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    assert.deepEqual(inForce(mesh), [RULE, 2, "v2"]);
    mesh.apply(subsets("v1"));
    assert.deepEqual(inForce(mesh), [RULE, 2, "v2"]);
    mesh.delete("destinationrule/default/reviews");
    assert.deepEqual(inForce(mesh), [RULE, 2, "v2"]);
    mesh.apply(subsets("v2").replace("version: v2", "version: v1"));
    assert.deepEqual(inForce(mesh), [RULE, 2, "v1"]);
  });

  test("and whoever drops the subset is told", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    const reasons = (yaml: string) => mesh.oddities(yaml).map(({ reason }) => reason);
    assert.deepEqual(reasons(subsets("v2")), []);
    assert.deepEqual(reasons(subsets("v1")), [
      `subset v2 is left out, but ${RULE} sends to it: the labels that it had stay there`,
    ]);
  });

  test("but a new text does not live on a subset that is gone", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    inForce(mesh);
    mesh.apply(subsets("v1"));
    assert.ok(
      mesh.apply(toSubset("v2").replace("hosts: [reviews]", "hosts: [reviews.default.svc.cluster.local]")).pending,
    );
    assert.deepEqual(inForce(mesh), [RULE, 2, "v2"]);
  });
});

describe("a new leader", () => {
  test("writes the same bytes", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: own, namespace: web}
spec:
  host: reviews.default.svc.cluster.local
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}
  subsets: [{name: v2, labels: {version: v1}}]
`);
    assert.equal(mesh.config("reviews").views.length, 1);
    assert.deepEqual(mesh.successor(["reviews"]).bytes("reviews"), mesh.bytes("reviews"));
  });

  test("keeps in force what lost its instances and its subset meanwhile", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    mesh.config("reviews");
    mesh.apply(subsets("v1"));
    mesh.table.instances.set("default.reviews", [V1]);
    const next = mesh.successor(["reviews"]);
    assert.equal(next.compiler.pendingReason(RULE), undefined);
    assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
  });

  for (const keepsHistory of [true, false]) {
    const how = keepsHistory ? "from the history" : "as it was compiled, when the history does not reach so far";
    test(`goes on with the revision before one that waits, ${how}`, () => {
      const mesh = meshOf(subsets("v1", "v2", "v3"), toSubset("v1"));
      mesh.apply(toSubset("v3"));
      const next = mesh.successor(["reviews"], keepsHistory);
      assert.ok(next.compiler.pendingReason(RULE));
      assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
      next.add("reviews", V3);
      assert.deepEqual(inForce(next), [RULE, 3, "v3"]);
    });
  }

  test("goes on with delegated routes whose newest text waits", () => {
    const delegate = (host: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: part}
spec: {http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: ${host}}}]}]}
`;
    const root = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec: {hosts: [reviews], http: [{delegate: {name: part}}, {route: [{destination: {host: reviews}}]}]}
`;
    const mesh = meshOf(delegate("reviews"), root);
    assert.ok(mesh.apply(delegate("gone")).pending);
    const next = mesh.successor(["reviews"], false);
    assert.equal(next.config("reviews").routes[0]?.delegate, "virtualservice/default/part");
    assert.deepEqual(next.bytes("reviews"), mesh.bytes("reviews"));
  });

  for (const keepsHistory of [true, false]) {
    test(`serves at gateways what was in force, ${keepsHistory ? "by its text" : "as it was compiled"}`, () => {
      const mesh = meshOf(subsets("v1", "v2"));
      mesh.addGateway("edge.istio-system", { istio: "ingressgateway" });
      mesh.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`);
      const toEdge = (subset: string) => toSubset(subset).replace("spec: {", "spec: {gateways: [edge], ");
      mesh.apply(toEdge("v1"));
      const before = mesh.gateway("edge.istio-system");
      assert.ok(mesh.apply(toEdge("v9")).pending);
      assert.deepEqual(mesh.gateway("edge.istio-system"), before);
      const next = mesh.successor(["reviews"], keepsHistory, ["edge.istio-system"]);
      assert.deepEqual(next.gateway("edge.istio-system"), before);
      assert.deepEqual(next.apply(subsets("v2").replace("name: v2", "name: v9")).gateways, ["istio-system.edge"]);
      assert.notDeepEqual(next.gateway("edge.istio-system"), before);
    });
  }

  test("leaves a RouteRule for a host outside where it was, although the ServiceEntry is read later", () => {
    const rule = `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: api}
spec: {destination: {service: api.example.com}, httpReqTimeout: {simpleTimeout: {timeout: 3s}}}
`;
    const entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: outside}
spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;
    const key = "outside.api=2Eexample=2Ecom";
    const mesh = meshOf(entry, rule);
    const next = new CompiledMesh(mesh.table, mesh.revision);
    next.compiler.restoreService(key, mesh.config(key));
    const { revision } = mesh;
    next.apply(rule, undefined, revision);
    next.apply(entry);
    assert.deepEqual(
      next.config(key).routes.map(({ rule: name, revision: at }) => [name, at]),
      [
        ["routerule/default/api", revision],
        ["default", 0],
      ],
    );
  });

  test("drops what was deleted while nobody led", () => {
    const mesh = meshOf(subsets("v1", "v2"), toSubset("v2"));
    const next = new CompiledMesh(mesh.table, 2);
    next.compiler.restoreService("default.reviews", mesh.config("reviews"));
    assert.deepEqual(next.compiler.activeRules(), [RULE]);
    assert.deepEqual(next.delete(RULE).services, ["default.reviews"]);
    assert.deepEqual(inForce(next), ["default", 0, undefined]);
    assert.deepEqual(next.compiler.activeRules(), []);
  });

  test("a RouteRule keeps its place too, and does not write hashing down twice", () => {
    const mesh = meshOf(
      `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: older}
spec: {destination: {name: reviews}, route: [{labels: {version: v1}}]}
`,
      `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}
`,
    );
    assert.equal(mesh.config("reviews").routes[0]?.hashPolicies.length, 1);
    assert.deepEqual(mesh.successor(["reviews"]).bytes("reviews"), mesh.bytes("reviews"));
  });
});
