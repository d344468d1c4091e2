import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GatewayConfig, type GatewayRoute, type Route, type ServiceConfig } from "../../shared/wire/index.ts";
import { CompiledMesh } from "../harness/compiled-mesh.ts";

const SAMPLES = fileURLToPath(new URL("../../../samples/bookinfo/", import.meta.url));

const SERVICES: Readonly<Record<string, readonly string[]>> = {
  productpage: ["v1"],
  details: ["v1", "v2"],
  reviews: ["v1", "v2", "v3"],
  ratings: ["v1"],
};

/** What says the same in the older and in the newer dialect. */
const PAIRS: Readonly<Record<string, string>> = {
  "route-rule-all-v1": "virtual-service-all-v1",
  "route-rule-details-v2": "virtual-service-details-v2",
  "route-rule-ratings-test-abort": "virtual-service-ratings-test-abort",
  "route-rule-ratings-test-delay": "virtual-service-ratings-test-delay",
  "route-rule-reviews-50-v3": "virtual-service-reviews-50-v3",
  "route-rule-reviews-test-v2": "virtual-service-reviews-test-v2",
  "route-rule-reviews-v2-v3": "virtual-service-reviews-v2-v3",
  "route-rule-reviews-v3": "virtual-service-reviews-v3",
  "destination-policy-reviews": "destination-rule-reviews",
  ingress: "bookinfo-gateway",
};

function older(name: string): string {
  return readFileSync(`${SAMPLES}rules/${name}.yaml`, "utf8");
}

function newer(name: string): string {
  return readFileSync(`${SAMPLES}networking/${name}.yaml`, "utf8");
}

function bookinfo(): CompiledMesh {
  const mesh = new CompiledMesh();
  for (const [service, versions] of Object.entries(SERVICES))
    mesh.add(service, ...versions.map((version) => ({ version })));
  return mesh;
}

/**
 * Without what the dialects cannot share: the names of rules, routes and subsets, revisions, whether WebSocket passes (the newer
 * one has no field for it: it always does), and routes behind one for every request, which nothing reaches.
 */
function comparable({ routes, policies, revision: _, ...rest }: ServiceConfig): object {
  const last = routes.findIndex(({ match }) => match === null || match === undefined);
  return {
    ...rest,
    routes: routes
      .slice(0, last + 1)
      .map(({ rule, revision, name, websocketUpgrade, destinations, ...route }: Route) => ({
        ...route,
        timeout: route.timeout?.timeoutMs,
        destinations: destinations.map(({ destination, ...others }) => {
          const { subset, ...place } = destination ?? { subset: "" };
          return { ...others, destination: place };
        }),
      })),
    policies: policies.map(({ rule, ...policy }) => policy),
  };
}

describe("Bookinfo's samples say the same in both dialects", () => {
  for (const [rules, networking] of Object.entries(PAIRS)) {
    if (rules === "ingress") continue;
    test(`${rules} and ${networking}`, () => {
      const [before, after] = [bookinfo(), bookinfo()];
      before.apply(older(rules));
      after.apply(newer("destination-rule-all"));
      after.apply(newer(networking));
      let said = 0;
      for (const service of Object.keys(SERVICES)) {
        const config = before.config(service);
        if (config.routes.length > 1 || config.policies.length > 0) said++;
        assert.deepEqual(comparable(after.config(service)), comparable(config), service);
      }
      assert.ok(said > 0, "the sample says something");
    });
  }

  test("ingress and bookinfo-gateway", () => {
    const [before, after] = [bookinfo(), bookinfo()];
    for (const mesh of [before, after]) mesh.addGateway("istio-ingress.istio-system", { istio: "ingressgateway" });
    before.apply(older("ingress"));
    after.apply(newer("bookinfo-gateway"));
    const open = (mesh: CompiledMesh, entry: (route: GatewayRoute) => unknown): unknown[] => {
      const value = mesh.compiler.compile("gateway", "istio-system.istio-ingress");
      assert.ok(value);
      return GatewayConfig.decode(value.encode([])).routes.map(entry);
    };
    const conditions = (match: Route["match"]) =>
      match?.headers.map(({ name, exact, prefix }) => [name, exact, prefix]);
    const expected = open(before, ({ match, destination, port }) => [conditions(match), destination?.service, port]);
    assert.equal(expected.length, 4);
    assert.deepEqual(
      open(after, ({ route }) => {
        const [to] = route?.destinations ?? [];
        return [conditions(route?.match), to?.destination?.service, to?.port];
      }),
      expected,
    );
  });

  test("all that is about traffic has its counterpart, and nothing is left over", () => {
    const kinds = /^kind: (?:RouteRule|DestinationPolicy|IngressRule|EgressRule)$/m;
    const names = (folder: string) => readdirSync(`${SAMPLES}${folder}`).map((file) => file.replace(/\.yaml$/, ""));
    assert.deepEqual(
      names("rules")
        .filter((name) => kinds.test(older(name)))
        .sort(),
      Object.keys(PAIRS).sort(),
    );
    assert.deepEqual(names("networking").sort(), [...Object.values(PAIRS), "destination-rule-all"].sort());
  });
});

describe("where both dialects speak of one host", () => {
  test("the VirtualService that a caller meets takes the place of the RouteRules, for that caller", () => {
    const mesh = bookinfo();
    mesh.apply(older("route-rule-reviews-v3"));
    mesh.apply(newer("destination-rule-all"));
    mesh.apply(newer("virtual-service-reviews-50-v3").replace("spec:", 'spec:\n  exportTo: [".", web]'));
    const first = ({ rule }: Route): string => rule;
    const { routes, views } = mesh.config("reviews");
    assert.deepEqual(routes.map(first), ["routerule/default/reviews-default", "default"]);
    assert.deepEqual(
      views.map(({ namespaces, routes: own }) => [namespaces, own.map(first)]),
      [[["default", "web"], ["virtualservice/default/reviews"]]],
    );
    mesh.delete("virtualservice/default/reviews");
    assert.deepEqual(mesh.config("reviews").views, []);
  });

  test("a VirtualService that waits leaves the RouteRules in force", () => {
    const mesh = bookinfo();
    mesh.apply(older("route-rule-reviews-v3"));
    assert.ok(mesh.apply(newer("virtual-service-reviews-50-v3")).pending);
    assert.equal(mesh.config("reviews").routes[0]?.rule, "routerule/default/reviews-default");
    mesh.apply(newer("destination-rule-all"));
    assert.equal(mesh.config("reviews").routes[0]?.rule, "virtualservice/default/reviews");
  });
});
