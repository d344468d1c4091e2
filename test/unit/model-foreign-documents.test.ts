import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseSubmission } from "../../shared/model/documents.ts";
import { createKindRegistry, isPlatformVersion } from "../../shared/model/index.ts";

const registry = createKindRegistry();

function judge(text: string) {
  const [document] = parseSubmission(text, registry);
  assert.ok(document !== undefined);
  return document;
}

const EXPORTED = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ratings.example.com
  namespace: prod
  generateName: ratings-
  resourceVersion: "9817230498123"
  uid: 5f0c2a3e-1111-4222-8333-444455556666
  deletionTimestamp: "2026-01-01T00:00:00Z"
  deletionGracePeriodSeconds: 30
  managedFields: [{ manager: kubectl }]
spec: { host: ratings }
status: { observedGeneration: 3 }
`;

describe("a document taken from Kubernetes", () => {
  test("is accepted, whatever Kubernetes counts as its version", () => {
    const found = judge(EXPORTED);
    assert.ok(found.ok, JSON.stringify(found));
    assert.deepEqual(found.parsed.resource.metadata, { name: "ratings.example.com", namespace: "prod" });
  });

  test("is judged by its revision where no uid says that it is one of Kubernetes", () => {
    const found = judge(EXPORTED.replace(/ {2}uid:.*\n/, ""));
    assert.ok(!found.ok);
    assert.deepEqual(
      found.errors.map(({ path }) => path),
      ["metadata.resourceVersion"],
    );
  });
});

const FOREIGN: readonly (readonly [what: string, text: string, reason: RegExp, remedy: RegExp])[] = [
  ["a Service", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n", /object of Kubernetes/, /kubectl/],
  ["a Role", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nrules: []\n", /object of Kubernetes/, /kubectl/],
  [
    "the ConfigMap of Istio's settings",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: ''}\n",
    /configures Istio/,
    /MeshConfig/,
  ],
  [
    "an IstioOperator",
    "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {}\n",
    /installs/,
    /MeshConfig/,
  ],
  [
    "a PeerAuthentication",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a}\n",
    /^not supported yet: PeerAuthentication$/,
    /mutual TLS/,
  ],
  [
    "the Gateway of the Gateway API",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {}\n",
    /^not supported yet: Gateway$/,
    /networking\.istio\.io/,
  ],
  [
    "an EnvoyFilter",
    "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\n",
    /not supported yet/,
    /DestinationRule/,
  ],
];

describe("a document of a kind that the mesh has not", () => {
  for (const [what, text, reason, remedy] of FOREIGN) {
    test(`is refused for what it is: ${what}`, () => {
      const found = judge(text);
      assert.ok(!found.ok);
      const [error, ...more] = found.errors;
      assert.deepEqual(more, []);
      assert.equal(error?.path, "kind");
      assert.match(error.reason, reason);
      assert.match(error.remedy, remedy);
    });
  }

  test("is one of Kubernetes by its group, but not one of the Gateway API", () => {
    for (const version of ["v1", "apps/v1", "networking.k8s.io/v1"]) assert.ok(isPlatformVersion(version), version);
    for (const version of ["v2", "networking.istio.io/v1", "gateway.networking.k8s.io/v1", "config.istio.io/v1alpha2"])
      assert.ok(!isPlatformVersion(version), version);
  });
});
