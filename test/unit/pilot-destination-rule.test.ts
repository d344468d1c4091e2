import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TrafficPolicy } from "../../shared/wire/index.ts";
import { CompiledMesh, fullHost } from "../harness/compiled-mesh.ts";

const LABELS = { v1: { version: "v1" }, v2: { version: "v2" } };

function rule(spec: string, name = "reviews", namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  host: ${fullHost("reviews")}
  ${spec.trim().replaceAll("\n", "\n  ")}
---
`;
}

function meshOf(...documents: string[]): CompiledMesh {
  const mesh = new CompiledMesh();
  mesh.add("reviews", LABELS.v1, LABELS.v2);
  for (const document of documents) mesh.apply(document);
  return mesh;
}

/** Where a policy holds, and how it balances. */
function summary(policy: TrafficPolicy): string {
  const { namespaces, source, labels, anyLabels, port, loadBalancing } = policy;
  const who = [...namespaces, ...Object.entries(source?.labels ?? {}).map(([name, value]) => `${name}=${value}`)];
  const what = anyLabels ? "any" : Object.values(labels).join(",") || "none";
  return `${who.join("+") || "*"} ${what}${port === 0 ? "" : `:${port}`} ${loadBalancing}`;
}

function policiesOf(mesh: CompiledMesh): string[] {
  return mesh.config("reviews").policies.map(summary);
}

const SIMPLE = (name: string): string => `{loadBalancer: {simple: ${name}}}`;

describe("the policies of DestinationRules", () => {
  test("the top level holds for clusters of any labels, a subset's for just its own", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy: ${SIMPLE("RANDOM")}
subsets:
- {name: v1, labels: {version: v1}, trafficPolicy: ${SIMPLE("LEAST_REQUEST")}}
- {name: v2, labels: {version: v2}}`),
    );
    assert.deepEqual(policiesOf(mesh), ["* v1 LEAST_CONN", "* any RANDOM"]);
  });

  test("a subset's policy takes the place of the top level's section by section", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  connectionPool: {tcp: {maxConnections: 7}, http: {http1MaxPendingRequests: 9, maxRetries: 5}}
  outlierDetection: {consecutive5xxErrors: 3, interval: 5s, baseEjectionTime: 1m, maxEjectionPercent: 50}
subsets:
- {name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}`),
    );
    const [v1, all] = mesh.config("reviews").policies;
    assert.deepEqual([v1?.loadBalancing, all?.loadBalancing], ["RANDOM", "RANDOM"]);
    const { maxConnections, httpMaxPendingRequests, httpMaxRetries } = all?.circuitBreaker ?? {};
    assert.deepEqual([maxConnections, httpMaxPendingRequests, httpMaxRetries], [7, 9, 5]);
    // The pool as a whole is the subset's: what it leaves out has no limit, and retries have the proxy's own budget.
    assert.deepEqual([v1?.circuitBreaker?.maxConnections, v1?.circuitBreaker?.httpMaxPendingRequests], [1, 0]);
    assert.deepEqual([v1?.retryBudget?.percent, v1?.retryBudget?.minConcurrency], [20, 3]);
    const outlier = v1?.outlierDetection;
    assert.deepEqual(
      [outlier?.consecutive_5xx, outlier?.intervalMs, outlier?.baseEjectionMs, outlier?.maxEjectionPercent],
      [3, 5_000, 60_000, 50],
    );
    assert.equal(outlier?.consecutiveGatewayFailure ?? undefined, undefined);
  });

  test("five errors eject unless the rule says otherwise, 0 turns the detector off", () => {
    const five = meshOf(rule("trafficPolicy: {outlierDetection: {interval: 1s}}")).config("reviews").policies[0];
    assert.equal(five?.outlierDetection?.consecutive_5xx, 0);
    const off = meshOf(
      rule("trafficPolicy: {outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 4}}"),
    );
    const { consecutive_5xx, consecutiveGatewayFailure } = off.config("reviews").policies[0]?.outlierDetection ?? {};
    assert.deepEqual([consecutive_5xx ?? undefined, consecutiveGatewayFailure], [undefined, 4]);
  });

  test("a port's policy takes the place of all of the policy around it", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  connectionPool: {tcp: {maxConnections: 7}}
  portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: LEAST_REQUEST}}]
subsets:
- {name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}`),
    );
    assert.deepEqual(policiesOf(mesh), [
      "* v1 RANDOM",
      "* v1:9080 LEAST_CONN",
      "* any RANDOM",
      "* any:9080 LEAST_CONN",
    ]);
    assert.deepEqual(
      mesh.config("reviews").policies.map(({ circuitBreaker }) => circuitBreaker?.maxConnections),
      [1, 1, 7, undefined],
    );
  });

  test("hashing is the balancer's algorithm, and what is hashed is said by the routes that lead there", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user, ringHash: {minimumRingSize: 2048}}}}
subsets:
- {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 65537}}}}}`),
    );
    const [v2, all] = mesh.config("reviews").policies;
    assert.deepEqual([all?.loadBalancing, all?.hashTableSize, v2?.loadBalancing], ["RING_HASH", 2048, "MAGLEV"]);
    assert.deepEqual(mesh.config("reviews").routes[0]?.hashPolicies[0]?.header, "x-user");
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews}, weight: 1}, {destination: {host: reviews, subset: v2}, weight: 1}]
`);
    const hashed = mesh
      .config("reviews")
      .routes.map(({ hashPolicies }) => hashPolicies.map(({ header, sourceIp }) => header ?? sourceIp));
    assert.deepEqual(hashed, [[true], ["x-user", true]]);
  });

  test("a cookie may be made, and warm-up, places, budgets and TLS are taken over", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy:
  loadBalancer:
    consistentHash: {httpCookie: {name: session, path: /, ttl: 60s}}
    localityLbSetting: {distribute: [{from: a/b, to: {"a/b": 80, "a/c": 20}}]}
    warmup: {duration: 30s, aggression: 2, minimumPercent: 20}
  retryBudget: {percent: 10, minRetryConcurrency: 4}
  tls: {mode: SIMPLE, sni: api.example.com, subjectAltNames: [api.example.com]}
subsets: []`),
    );
    const [policy] = mesh.config("reviews").policies;
    assert.deepEqual(
      [policy?.slowStart?.windowMs, policy?.slowStart?.aggression, policy?.slowStart?.minWeightPercent],
      [30_000, 2, 20],
    );
    assert.deepEqual([policy?.retryBudget?.percent, policy?.retryBudget?.minConcurrency], [10, 4]);
    assert.deepEqual([policy?.tls?.sni, policy?.tls?.subjectAltNames], ["api.example.com", ["api.example.com"]]);
    assert.deepEqual(
      policy?.locality?.distribute.map(({ from, to }) => [from, to.map((item) => [item.locality, item.weight])]),
      [
        [
          "a/b",
          [
            ["a/b", 80],
            ["a/c", 20],
          ],
        ],
      ],
    );
    const cookie = mesh.config("reviews").routes[0]?.hashPolicies[0]?.cookie;
    assert.deepEqual([cookie?.name, cookie?.path, cookie?.ttlMs], ["session", "/", 60_000]);
  });
});

describe("which DestinationRule a caller meets", () => {
  test("that of its own namespace, else of the service's, else of the root namespace", () => {
    const mesh = meshOf(rule(`trafficPolicy: ${SIMPLE("RANDOM")}`, "root", "istio-system"));
    assert.deepEqual(policiesOf(mesh), ["* any RANDOM"]);
    mesh.apply(rule(`trafficPolicy: ${SIMPLE("LEAST_REQUEST")}`));
    assert.deepEqual(policiesOf(mesh), ["* any LEAST_CONN"]);
    mesh.apply(rule(`trafficPolicy: ${SIMPLE("PASSTHROUGH")}`, "own", "web"));
    assert.deepEqual(policiesOf(mesh), ["web any PASSTHROUGH", "* any LEAST_CONN"]);
  });

  test("one that is exported to some is met by those only", () => {
    const mesh = meshOf(
      rule(`trafficPolicy: ${SIMPLE("RANDOM")}`, "root", "istio-system"),
      rule(`exportTo: [web, shop]\ntrafficPolicy: ${SIMPLE("LEAST_REQUEST")}`),
    );
    assert.deepEqual(policiesOf(mesh), ["shop+web any LEAST_CONN", "* any RANDOM"]);
  });

  test("nothing meant for the rest reaches callers with rules of their own", () => {
    const mesh = meshOf(
      rule(`
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: LEAST_REQUEST}}]
subsets: [{name: v1, labels: {version: v1}, trafficPolicy: ${SIMPLE("PASSTHROUGH")}}]`),
      rule(`subsets: [{name: v2, labels: {version: v2}, trafficPolicy: ${SIMPLE("RANDOM")}}]`, "own", "web"),
    );
    const policies = policiesOf(mesh);
    const own = policies.filter((policy) => policy.startsWith("web"));
    assert.deepEqual(own, [
      "web v1 ROUND_ROBIN",
      "web v1:9080 ROUND_ROBIN",
      "web v2 RANDOM",
      "web v2:9080 RANDOM",
      "web any ROUND_ROBIN",
      "web any:9080 ROUND_ROBIN",
    ]);
    assert.deepEqual(policies.slice(0, own.length), own);
  });

  test("the most specific host is met, and wildcards reach every service that they stand for", () => {
    const mesh = meshOf();
    mesh.add("ratings", LABELS.v1);
    const wild = rule(`trafficPolicy: ${SIMPLE("RANDOM")}`, "wild").replace(
      fullHost("reviews"),
      '"*.svc.cluster.local"',
    );
    assert.deepEqual(mesh.apply(wild).services.toSorted(), ["default.ratings", "default.reviews"]);
    assert.deepEqual(policiesOf(mesh), ["* any RANDOM"]);
    assert.deepEqual(mesh.apply(rule(`trafficPolicy: ${SIMPLE("LEAST_REQUEST")}`)).services, ["default.reviews"]);
    assert.deepEqual(policiesOf(mesh), ["* any LEAST_CONN"]);
  });

  test("several for one host say it together: the first traffic policy and the first subset of a name stand", () => {
    const mesh = meshOf(
      rule(`subsets: [{name: v1, labels: {version: v1}, trafficPolicy: ${SIMPLE("RANDOM")}}]`, "first"),
      rule(
        `
trafficPolicy: ${SIMPLE("LEAST_REQUEST")}
subsets:
- {name: v1, labels: {version: v2}, trafficPolicy: ${SIMPLE("PASSTHROUGH")}}
- {name: v2, labels: {version: v2}}`,
        "second",
      ),
    );
    assert.deepEqual(policiesOf(mesh), ["* v1 RANDOM", "* any LEAST_CONN"]);
    assert.deepEqual(
      mesh.config("reviews").policies.map((policy) => policy.rule),
      ["destinationrule/default/first", "destinationrule/default/second"],
    );
  });

  test("one with a workloadSelector takes the place of the others for those workloads of its namespace", () => {
    const mesh = meshOf(
      rule(`trafficPolicy: ${SIMPLE("RANDOM")}`),
      rule(`workloadSelector: {matchLabels: {app: batch}}\ntrafficPolicy: ${SIMPLE("LEAST_REQUEST")}`, "batch", "web"),
    );
    assert.deepEqual(policiesOf(mesh), ["web+app=batch any LEAST_CONN", "web any RANDOM", "* any RANDOM"]);
  });
});

describe("beside DestinationPolicies", () => {
  const older = `
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: older}
spec: {destination: {name: reviews, labels: {version: v1}}, loadBalancing: {name: LEAST_CONN}}
`;

  test("a DestinationRule that a caller meets takes their place", () => {
    const mesh = meshOf(older);
    assert.deepEqual(policiesOf(mesh), ["* v1 LEAST_CONN"]);
    mesh.apply(rule(`trafficPolicy: ${SIMPLE("RANDOM")}`));
    assert.deepEqual(policiesOf(mesh), ["* any RANDOM"]);
    mesh.delete("destinationrule/default/reviews");
    assert.deepEqual(policiesOf(mesh), ["* v1 LEAST_CONN"]);
  });

  test("callers who meet none keep them", () => {
    const mesh = meshOf(older, rule(`trafficPolicy: ${SIMPLE("RANDOM")}`, "own", "web"));
    assert.deepEqual(policiesOf(mesh), ["web v1 RANDOM", "web any RANDOM", "* v1 LEAST_CONN"]);
  });
});

test("the mesh's connect timeout holds where no rule says one, and failing over needs outlier detection", () => {
  const mesh = meshOf(rule("trafficPolicy: {outlierDetection: {interval: 1s}}"));
  mesh.add("ratings", LABELS.v1);
  mesh.apply(`
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {connectTimeout: 3s, localityLbSetting: {enabled: true}}
`);
  const [policy] = mesh.config("reviews").policies;
  assert.deepEqual([policy?.circuitBreaker?.connectTimeoutMs, policy?.locality?.failover], [3_000, true]);
  const [other] = mesh.config("ratings").policies;
  assert.deepEqual(
    [other?.rule, other?.anyLabels, other?.circuitBreaker?.connectTimeoutMs, other?.circuitBreaker?.maxConnections],
    ["meshconfig/istio-system/default", true, 3_000, 1024],
  );
});
