import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseSubmission, type SubmittedDocument } from "../../shared/model/documents.ts";
import { createKindRegistry, isKind, ROUTE_RULE, type RouteRuleSpec } from "../../shared/model/index.ts";

/** The shapes of Bookinfo's rule files. */

const REGISTRY = createKindRegistry();

function accept(text: string): readonly SubmittedDocument[] {
  const documents = parseSubmission(text, REGISTRY);
  for (const document of documents) assert.ok(document.ok, JSON.stringify(document));
  return documents;
}

function routeRule(document: SubmittedDocument | undefined): RouteRuleSpec {
  assert.ok(document?.ok && isKind(document.parsed, ROUTE_RULE));
  return document.parsed.parsed;
}

function toVersions(name: string, service: string, precedence: number, route: string, more = ""): string {
  return `apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: ${name}
spec:
  destination:
    name: ${service}
  precedence: ${precedence}
${more}  route:
${route}`;
}

const V1 = "  - labels:\n      version: v1\n";
const JASON = `  match:
    request:
      headers:
        cookie:
          regex: "^(.*?;)?(user=jason)(;.*)?$"
`;

describe("Bookinfo's files", () => {
  test("all services to version 1", () => {
    const names = ["productpage", "reviews", "ratings", "details"];
    const documents = accept(names.map((name) => toVersions(`${name}-default`, name, 1, V1)).join("---\n"));
    assert.deepEqual(
      documents.map(({ name }) => name),
      names.map((name) => `${name}-default`),
    );
    const spec = routeRule(documents[1]);
    assert.equal(spec.precedence, 1);
    assert.deepEqual(
      spec.route.map(({ destination, weight }) => [destination.host, destination.labels, weight]),
      [["reviews.default.svc.cluster.local", { version: "v1" }, 100]],
    );
  });

  test("reviews v2 for jason", () => {
    const [document] = accept(toVersions("reviews-test-v2", "reviews", 2, "  - labels:\n      version: v2\n", JASON));
    assert.deepEqual(routeRule(document).match?.headers, [
      { name: "cookie", match: { regex: "^(.*?;)?(user=jason)(;.*)?$" } },
    ]);
  });

  test("reviews split in halves, and all to v3", () => {
    const halves = "  - labels:\n      version: v1\n    weight: 50\n  - labels:\n      version: v3\n    weight: 50\n";
    const [split] = accept(toVersions("reviews-default", "reviews", 1, halves));
    assert.deepEqual(
      routeRule(split).route.map(({ weight }) => weight),
      [50, 50],
    );
    const [all] = accept(
      toVersions("reviews-default", "reviews", 1, "  - labels:\n      version: v3\n    weight: 100\n"),
    );
    assert.deepEqual(
      routeRule(all).route.map(({ weight }) => weight),
      [100],
    );
  });

  test("ratings delayed, and aborted, for jason", () => {
    const delay = "  httpFault:\n    delay:\n      percent: 100\n      fixedDelay: 7s\n";
    const abort = "  httpFault:\n    abort:\n      percent: 100\n      httpStatus: 500\n";
    const [delayed] = accept(toVersions("ratings-test-delay", "ratings", 2, V1, JASON + delay));
    assert.deepEqual(routeRule(delayed).fault?.delay, { percent: 100, fixedDelayMs: 7000, overrideHeader: "" });
    const [aborted] = accept(toVersions("ratings-test-abort", "ratings", 2, V1, JASON + abort));
    assert.deepEqual(routeRule(aborted).fault?.abort, { percent: 100, httpStatus: 500, overrideHeader: "" });
  });

  test("versions whose names have dashes", () => {
    const [document] = accept(
      toVersions("ratings-test-v2-mysql-vm", "ratings", 4, "  - labels:\n      version: v2-mysql-vm\n"),
    );
    assert.deepEqual(routeRule(document).route[0]?.destination.labels, { version: "v2-mysql-vm" });
  });

  test("a destination in another registry's domain", () => {
    const text = toVersions("reviews-default", "reviews", 1, V1).replace(
      "name: reviews\n  prec",
      "service: reviews.service.consul\n  prec",
    );
    const spec = routeRule(accept(text)[0]);
    assert.equal(spec.destination.host, "reviews.service.consul");
    assert.equal(spec.destination.service, undefined);
  });

  test("a random load balancing policy", () => {
    accept(`apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata:
  name: reviews-random
spec:
  destination:
    name: reviews
  loadBalancing:
    name: RANDOM
`);
  });

  test("what the gateway lets in", () => {
    accept(`apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata:
  name: bookinfo-productpage
spec:
  destination:
    name: productpage
  destinationPort: 9080
  match:
    request:
      headers:
        uri:
          exact: /productpage
---
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: bookinfo-static}
spec:
  destination: {name: productpage}
  destinationPort: 9080
  match: {request: {headers: {uri: {prefix: /static/}}}}
`);
  });

  test("denials by label, by service account and at the gateway", () => {
    const documents = accept(`apiVersion: "config.istio.io/v1alpha2"
kind: denier
metadata:
  name: denyreviewsv3handler
spec:
  status:
    code: 7
    message: Not allowed
---
apiVersion: "config.istio.io/v1alpha2"
kind: checknothing
metadata:
  name: denyreviewsv3request
spec:
---
apiVersion: "config.istio.io/v1alpha2"
kind: rule
metadata:
  name: denyreviewsv3
spec:
  match: destination.labels["app"] == "ratings" && source.labels["app"]=="reviews" && source.labels["version"] == "v3"
  actions:
  - handler: denyreviewsv3handler.denier
    instances: [ denyreviewsv3request.checknothing ]
---
apiVersion: "config.istio.io/v1alpha2"
kind: rule
metadata:
  name: denyingress
  namespace: istio-system
spec:
  match: destination.labels["istio"] == "ingress" && request.headers["x-user"] == ""
  actions:
  - handler: handler.denier
    instances: [ denyrequest.checknothing ]
`);
    assert.deepEqual(
      documents.map(({ kind, namespace }) => `${kind} ${namespace}`),
      ["denier default", "checknothing default", "rule default", "rule istio-system"],
    );
  });

  test("a rate limit with its quota, rule, QuotaSpec and binding", () => {
    accept(`apiVersion: "config.istio.io/v1alpha2"
kind: memquota
metadata:
  name: handler
  namespace: istio-system
spec:
  quotas:
  - name: requestcount.quota.istio-system
    maxAmount: 5000
    validDuration: 1s
    overrides:
    - dimensions:
        destination: ratings
        source: reviews
      maxAmount: 1
      validDuration: 1s
---
apiVersion: "config.istio.io/v1alpha2"
kind: quota
metadata:
  name: requestcount
  namespace: istio-system
spec:
  dimensions:
    source: source.labels["app"] | source.service | "unknown"
    sourceVersion: source.labels["version"] | "unknown"
---
apiVersion: "config.istio.io/v1alpha2"
kind: rule
metadata:
  name: quota
  namespace: istio-system
spec:
  actions:
  - handler: handler.memquota
    instances:
    - requestcount.quota
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata:
  name: request-count
  namespace: istio-system
spec:
  rules:
  - quotas:
    - charge: 1
      quota: RequestCount
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata:
  name: request-count
  namespace: istio-system
spec:
  quotaSpecs:
  - name: request-count
    namespace: istio-system
  services:
  - name: ratings
    namespace: default
  - name: reviews
    namespace: default
`);
  });

  test("additional telemetry without a match", () => {
    accept(`apiVersion: "config.istio.io/v1alpha2"
kind: rule
metadata:
  name: prommetricsresponse
  namespace: istio-system
  labels: {istio-protocol: tcp}
spec:
  actions:
  - handler: handler.prometheus
    instances:
    - responsesize.metric
`);
  });
});
