import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainRequest } from "../../cli/explain/explain.ts";
import type { Explanation } from "../../cli/explain/explanation.ts";
import { FileSource } from "../../cli/explain/file-source.ts";
import { renderExplanation } from "../../cli/explain/render-explanation.ts";
import { parseCaller, parseRequest, type RequestFlags } from "../../cli/explain/request.ts";
import { UsageError } from "../../cli/io.ts";
import { palette } from "../../cli/render.ts";
import { ConfigError } from "../../shared/base/index.ts";

const RULES = `
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: jason}
spec:
  destination: {name: reviews}
  precedence: 2
  match: {request: {headers: {x-user: {exact: jason}, uri: {prefix: /reviews}}}}
  rewrite: {uri: /v2}
  route: [{labels: {version: v2}}]
  httpReqTimeout: {simpleTimeout: {timeout: 3s}}
  httpReqRetries: {simpleRetry: {attempts: 2, perTryTimeout: 1s}}
  httpFault: {delay: {percent: 10, fixedDelay: 5s}, abort: {percent: 1, httpStatus: 418}}
  mirror: {name: audit}
  appendHeaders: {x-rule: jason}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: from-shop}
spec:
  destination: {name: reviews}
  precedence: 1
  match: {source: {name: shop, namespace: trade, labels: {tier: gold}}}
  redirect: {uri: /shop, authority: shop.example}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: split}
spec:
  destination: {name: reviews}
  route: [{labels: {version: v1}, weight: 75}, {labels: {version: v3}, weight: 25}]
---
apiVersion: config.istio.io/v1alpha2
kind: DestinationPolicy
metadata: {name: random}
spec:
  destination: {name: reviews, labels: {version: v2}}
  loadBalancing: {name: RANDOM}
---
apiVersion: config.istio.io/v1alpha2
kind: IngressRule
metadata: {name: door}
spec:
  destination: {name: reviews}
  destinationPort: 9080
  match: {request: {headers: {uri: {prefix: /open}}}}
`;

const SHOP = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: istio-system}
spec:
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["shop.example"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways: [istio-system/shop]
  http: [{route: [{destination: {host: reviews}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, port: {number: 9080}}}]}]
`;

const FAULTY = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}, outlierDetection: {consecutive5xxErrors: 3}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: faulty}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {exact: /a}}]
    route: [{destination: {host: reviews, port: {number: 9080}}}]
  - fault: {abort: {httpStatus: 555, percentage: {value: 100}}}
    route: [{destination: {host: reviews, port: {number: 9080}}}]
`;

async function explained(method: string, url: string, flags: RequestFlags = {}, text = RULES): Promise<Explanation> {
  const request = parseRequest(method, url, flags);
  return explainRequest(request, { source: new FileSource([{ name: "rules.yaml", text }], request) });
}

describe("an explanation from files", () => {
  test("tells what the first rule that fits does", async () => {
    const { matched, rule, service, route, destinations, mirrors, answer } = await explained(
      "GET",
      "http://reviews:9080/reviews/1?a=b",
      { header: ["X-User: jason"] },
    );
    assert.ok(matched);
    assert.equal(rule, "routerule/default/jason");
    assert.equal(answer, undefined);
    assert.equal(service?.host, "reviews.default.svc.cluster.local");
    assert.equal(service.port, 9080);
    assert.deepEqual(route?.rewrite, { path: "/v2/1?a=b", authority: "reviews:9080" });
    assert.equal(route.timeoutMs, 3000);
    assert.deepEqual(route.retries?.attempts, 2);
    assert.deepEqual(route.fault, {
      delay: { percent: 10, ms: 5000, kind: "fixed" },
      abort: { percent: 1, httpStatus: 418, grpcStatus: 0 },
    });
    assert.deepEqual(route.requestHeaders?.add, [{ name: "x-rule", value: "jason" }]);
    const [destination] = destinations;
    assert.equal(destinations.length, 1);
    assert.deepEqual(destination?.labels, { version: "v2" });
    assert.equal(destination.policy.loadBalancing, "RANDOM");
    assert.equal(destination.policy.rule, "destinationpolicy/default/random");
    assert.deepEqual(
      mirrors.map(({ service: name, weight }) => [name, weight]),
      [["audit", 100]],
    );
  });

  test("tells of every rule why it is not the one", async () => {
    const { considered, destinations } = await explained("GET", "http://reviews:9080/other", {
      header: ["x-user: jason"],
      from: "shop.trade{tier=silver}",
    });
    assert.deepEqual(considered[0], { step: "host", rule: "service reviews.trade", outcome: "chosen" });
    assert.equal(destinations[0]?.namespace, "trade");
    const reviews = await explained("GET", "http://reviews.default:9080/other", {
      header: ["x-user: jason"],
      from: "shop.trade{tier=silver}",
    });
    assert.deepEqual(
      reviews.considered.slice(1).map((verdict) => Object.values(verdict).join("; ")),
      [
        'route; routerule/default/jason; uri prefix "/reviews",header x-user exact "jason"; passed over; uri prefix "/reviews": the request has "/other"',
        "route; routerule/default/from-shop; source service shop,source namespace trade,source label tier=gold; passed over; source label tier=gold: the caller has silver",
        "route; routerule/default/split; ; chosen",
        "route; default; ; not reached; routerule/default/split comes first",
      ],
    );
    assert.deepEqual(
      reviews.destinations.map(({ weight }) => weight),
      [75, 25],
    );
  });

  test("tells what the proxy answers itself", async () => {
    const { answer, rule, destinations } = await explained("GET", "http://reviews.default:9080/x", {
      from: "shop.trade{tier=gold}",
    });
    assert.equal(rule, "routerule/default/from-shop");
    assert.deepEqual([answer?.status, answer?.location], [302, "http://shop.example/shop"]);
    assert.deepEqual(destinations, []);
  });

  test("tells of a port that nobody serves, and of a host outside", async () => {
    const none = await explained("GET", "http://reviews:1/");
    assert.equal(none.matched, false);
    assert.deepEqual([none.answer?.status, none.answer?.flag], [404, "NR"]);
    assert.match(none.answer?.reason ?? "", /no port 1/);
    const outside = await explained("GET", "http://example.org/");
    assert.ok(outside.matched);
    assert.equal(outside.rule, "passthrough");
  });

  test("leads from a gateway's port to the only port of the service behind", async () => {
    const { destinations, service } = await explained(
      "GET",
      "http://shop.example/",
      { gateway: "istio-ingress" },
      SHOP,
    );
    assert.equal(service?.port, 9080);
    assert.deepEqual(
      destinations.map(({ host, port }) => [host, port]),
      [["reviews.default.svc.cluster.local", 9080]],
    );
  });

  test("tells the routes of a rule apart, aborted requests from forwarded ones, and what a policy limits", async () => {
    const text = renderExplanation(await explained("GET", "http://reviews:9080/b", {}, FAULTY), palette(false));
    assert.match(text, /^Aborted, not forwarded to reviews\.default\.svc\.cluster\.local port 9080/m);
    assert.match(text, /passed over +route virtualservice\/default\/faulty: uri/);
    assert.match(text, /chosen +route virtualservice\/default\/faulty \(every request\)$/m);
    assert.match(text, /^ +at most 7 connections/m);
    assert.match(text, /^ +instances left out for 30 s after 3 answers 5xx in a row/m);
  });

  test("goes through a gateway", async () => {
    const { matched, service, considered, request } = await explained("GET", "http://any.example/open/x", {
      gateway: "istio-system/istio-ingress",
    });
    assert.ok(matched);
    assert.equal(service?.port, 9080);
    assert.equal(request.from, "istio-system/istio-ingress");
    assert.deepEqual(considered[1], {
      step: "gateway",
      rule: "ingressrule/default/door",
      when: ['uri prefix "/open"'],
      outcome: "chosen",
    });
    const closed = await explained("GET", "http://any.example/closed", { gateway: "istio-ingress" });
    assert.equal(closed.answer?.status, 404);
  });

  test("refuses files that are not valid, and says what in them", async () => {
    const text = RULES.replace("weight: 75", "weight: 70");
    await assert.rejects(explained("GET", "http://reviews/", {}, text), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^rules.yaml: document 3: spec.route: the weights add up to 95/);
      return true;
    });
  });
});

describe("an explanation for people", () => {
  test("says what happens, then why", async () => {
    const text = renderExplanation(
      await explained("GET", "http://reviews:9080/reviews/1", { header: ["x-user: jason"] }),
      palette(false),
    );
    for (const line of [
      "Forwarded to reviews.default.svc.cluster.local port 9080 by routerule/default/jason",
      "  timeout    3 s",
      "  retries    2 on 5xx, connect-failure, refused-stream, each at most 1 s",
      "  fault      10 % delayed by 5 s",
      "  fault      1 % aborted with 418",
      "      balancing RANDOM by destinationpolicy/default/random",
      "  copy of 100 % to audit.default.svc.cluster.local port 9080",
      '  chosen      route routerule/default/jason (uri prefix "/reviews" and header x-user exact "jason")',
      "  not reached route routerule/default/split (every request)",
    ])
      assert.ok(text.includes(line), `${line} is not in\n${text}`);
  });
});

describe("a request as people describe it", () => {
  test("has host, path and headers as a proxy sees them", () => {
    const { head, port } = parseRequest("POST", "https://a.example/x?y", { header: ["Host: b.example", "A:  1 "] });
    assert.equal(head.authority, "b.example");
    assert.equal(head.path, "/x?y");
    assert.deepEqual({ ...head.headers.toMap() }, { a: "1" });
    assert.equal(port, 443);
    assert.equal(parseRequest("GET", "reviews", {}).head.authority, "reviews");
    assert.equal(parseRequest("GET", "http://reviews:80/", {}).head.authority, "reviews");
  });

  test("comes from a caller", () => {
    assert.deepEqual(parseCaller("shop.trade{tier=gold, app=shop}"), {
      service: "shop",
      namespace: "trade",
      labels: { tier: "gold", app: "shop" },
    });
    assert.deepEqual(parseCaller(""), { service: "", namespace: "default", labels: {} });
    assert.deepEqual(parseCaller("{a=}"), { service: "", namespace: "default", labels: { a: "" } });
  });

  for (const [what, run] of [
    ["a method", () => parseRequest("G T", "http://a/", {})],
    ["a URL", () => parseRequest("GET", "http:///x", {})],
    ["a port", () => parseRequest("GET", "http://a:70000/", {})],
    ["a path", () => parseRequest("GET", "http://a/ü", {})],
    ["a header", () => parseRequest("GET", "http://a/", { header: ["novalue"] })],
    ["a caller", () => parseCaller("A.b")],
    ["a label", () => parseCaller("a{b}")],
    ["a gateway", () => parseRequest("GET", "http://a/", { gateway: "a/b/c" })],
  ] as const)
    test(`is refused without ${what} that is one`, () => assert.throws(run, UsageError));
});
