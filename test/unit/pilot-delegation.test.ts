import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderMatch, Route } from "../../shared/wire/index.ts";
import { CompiledMesh } from "../harness/compiled-mesh.ts";

function meshOf(...documents: string[]): CompiledMesh {
  const mesh = new CompiledMesh();
  for (const service of ["shop", "cart", "books"]) mesh.add(service, {});
  for (const document of documents) mesh.apply(document);
  return mesh;
}

function root(http: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec: {hosts: [shop], http: [${http}]}
`;
}

function delegate(http: string, rest = "", namespace = "team"): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: part, namespace: ${namespace}}
spec: {${rest}http: [${http}]}
`;
}

const TO_CART = "route: [{destination: {host: cart.default.svc.cluster.local}}]";
const HANDS_OVER = "delegate: {name: part, namespace: team}";

function conditions(route: Route | undefined): string[] {
  const text = ({ name, exact, prefix, regex, invert }: HeaderMatch) =>
    `${name} ${invert ? "not " : ""}${exact === null || exact === undefined ? "" : `=${exact}`}${prefix ? `^${prefix}` : ""}${regex ? `~${regex}` : ""}`;
  return (route?.match?.headers ?? []).map(text);
}

describe("a route that is delegated", () => {
  test("is there in place of the delegating one, tells of both, and fills in what it leaves open", () => {
    const mesh = meshOf(
      delegate(`{name: own, ${TO_CART}}, {match: [{uri: {prefix: /cart/v2}}], timeout: 3s, ${TO_CART}}`),
      root(
        `{name: cart, match: [{uri: {prefix: /cart}}], timeout: 1s, ${HANDS_OVER}}, {route: [{destination: {host: shop}}]}`,
      ),
    );
    const { routes } = mesh.config("shop");
    assert.deepEqual(
      routes.map(({ rule, revision, name, delegate: of, delegateRevision, timeout }) => [
        rule,
        revision,
        name,
        of,
        delegateRevision,
        timeout?.timeoutMs,
      ]),
      [
        ["virtualservice/default/root", 2, "cart-own", "virtualservice/team/part", 1, 1_000],
        ["virtualservice/default/root", 2, "cart", "virtualservice/team/part", 1, 3_000],
        ["virtualservice/default/root", 2, "", "", 0, 15_000],
      ],
    );
    assert.deepEqual(routes.map(conditions), [["uri ^/cart"], ["uri ^/cart/v2"], []]);
    assert.deepEqual(mesh.compiler.compileService("default.shop", 1)?.targets, ["default.cart", "default.shop"]);
  });

  const joined: { outer: string; inner: string; expected: string[] | RegExp }[] = [
    { outer: "uri: {prefix: /a}", inner: "uri: {exact: /a/b}", expected: ["uri =/a/b"] },
    { outer: "uri: {exact: /a/b}", inner: "uri: {prefix: /a}", expected: ["uri =/a/b"] },
    { outer: "uri: {prefix: /a/b}", inner: "uri: {prefix: /a}", expected: ["uri ^/a/b"] },
    { outer: "uri: {prefix: /a}", inner: "uri: {prefix: /b}", expected: /never hold together/ },
    { outer: "uri: {exact: /a}", inner: "uri: {exact: /b}", expected: /never hold together/ },
    { outer: "uri: {prefix: /a}", inner: "uri: {regex: '/a.*'}", expected: ["uri ^/a", "uri ~/a.*"] },
    { outer: "headers: {x: {exact: a}}", inner: "headers: {y: {exact: b}}", expected: ["x =a", "y =b"] },
    { outer: "headers: {x: {exact: a}}", inner: "headers: {x: {exact: b}}", expected: /never hold together/ },
    { outer: "headers: {x: {}}", inner: "headers: {x: {exact: b}}", expected: ["x =b"] },
    { outer: "headers: {x: {exact: a}}", inner: "withoutHeaders: {x: {exact: a}}", expected: /never hold together/ },
    { outer: "headers: {x: {prefix: a}}", inner: "withoutHeaders: {x: {exact: ab}}", expected: ["x ^a", "x not =ab"] },
    { outer: "port: 80", inner: "port: 81", expected: /port 80 is not 81/ },
    { outer: "sourceNamespace: a", inner: "sourceNamespace: b", expected: /different sources/ },
    { outer: "sourceLabels: {a: x}", inner: "sourceLabels: {a: y}", expected: /different sources/ },
    { outer: "gateways: [mesh]", inner: "gateways: [default/edge]", expected: /different gateways/ },
    { outer: "queryParams: {q: {exact: a}}", inner: "queryParams: {q: {exact: b}}", expected: /query parameter q/ },
  ];
  for (const { outer, inner, expected } of joined) {
    test(`${outer} with ${inner}`, () => {
      const mesh = meshOf(
        delegate(`{match: [{${inner}}], ${TO_CART}}`),
        root(`{match: [{${outer}}], ${HANDS_OVER}}, {route: [{destination: {host: shop}}]}`),
      );
      const { routes } = mesh.config("shop");
      const notes = mesh.compiler.notes("virtualservice/default/root");
      if (expected instanceof RegExp) {
        assert.equal(routes.length, 1);
        assert.match(notes[0] ?? "", expected);
      } else {
        assert.deepEqual([notes, routes.map(conditions)], [[], [expected, []]]);
      }
    });
  }

  test("for labels of both and the namespace of one, when the sources agree", () => {
    const mesh = meshOf(
      delegate(`{match: [{sourceLabels: {b: y}, sourceNamespace: web}], ${TO_CART}}`),
      root(`{match: [{sourceLabels: {a: x}}], ${HANDS_OVER}}`),
    );
    const source = mesh.config("shop").routes[0]?.match?.source;
    assert.deepEqual([source?.namespace, source?.labels], ["web", { a: "x", b: "y" }]);
  });
});

describe("what can be delegated to", () => {
  test("waited for until it is there; its changes are the delegating one's", () => {
    const mesh = meshOf();
    assert.match(mesh.apply(root(`{${HANDS_OVER}}`)).pending ?? "", /virtualservice\/team\/part/);
    assert.deepEqual(mesh.config("shop").routes[0]?.rule, "default");
    const affected = mesh.apply(delegate(`{${TO_CART}}`));
    assert.deepEqual(affected.services, ["default.shop"]);
    assert.deepEqual(
      affected.activated?.map(({ rule }) => rule),
      ["virtualservice/default/root"],
    );
    assert.deepEqual(mesh.apply(delegate(`{timeout: 2s, ${TO_CART}}`)).services, ["default.shop"]);
    assert.equal(mesh.config("shop").routes[0]?.timeout?.timeoutMs, 2_000);
  });

  test("in part only, where no request fits both, as whoever applies it is told", () => {
    const mesh = meshOf(delegate(`{match: [{uri: {prefix: /books}}], ${TO_CART}}`));
    const [oddity] = mesh.oddities(root(`{match: [{uri: {prefix: /cart}}], ${HANDS_OVER}}`));
    assert.match(oddity?.reason ?? "", /http\[0\] of virtualservice\/team\/part has no effect below http\[0\]/);
  });

  test("gone, it takes its routes along and nothing else", () => {
    const mesh = meshOf(
      delegate(`{${TO_CART}}`),
      root(`{match: [{uri: {prefix: /cart}}], ${HANDS_OVER}}, {route: [{destination: {host: shop}}]}`),
    );
    assert.deepEqual(mesh.delete("virtualservice/team/part").services, ["default.shop"]);
    assert.equal(mesh.config("shop").routes.length, 1);
    assert.match(mesh.compiler.notes("virtualservice/default/root")[0] ?? "", /does not exist/);
  });

  test("a delegate that waits itself leaves the one that delegates waiting", () => {
    const mesh = meshOf();
    mesh.apply(delegate(`{route: [{destination: {host: gone.default.svc.cluster.local}}]}`));
    assert.ok(mesh.apply(root(`{${HANDS_OVER}}`)).pending);
    const affected = mesh.add("gone", {});
    assert.deepEqual(affected.activated?.map(({ rule }) => rule).toSorted(), [
      "virtualservice/default/root",
      "virtualservice/team/part",
    ]);
    assert.ok(affected.services.includes("default.shop"));
  });

  test("not what is exported to others, and not what has hosts", () => {
    const mesh = meshOf(delegate(`{${TO_CART}}`, 'exportTo: ["."], '), root(`{${HANDS_OVER}}`));
    assert.match(mesh.compiler.notes("virtualservice/default/root")[0] ?? "", /not exported to default/);
    mesh.apply(delegate(`{${TO_CART}}`, "hosts: [cart.default.svc.cluster.local], "));
    assert.match(mesh.compiler.notes("virtualservice/default/root")[0] ?? "", /has hosts/);
    assert.deepEqual(mesh.config("shop").routes, []);
  });
});
