import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Route } from "../../shared/wire/index.ts";
import { CompiledMesh, fullHost } from "../harness/compiled-mesh.ts";

const V1 = { version: "v1" };
const V2 = { version: "v2" };

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
`;

function bookinfo(): CompiledMesh {
  const mesh = new CompiledMesh();
  mesh.add("reviews", V1, V2);
  mesh.add("ratings", V1);
  mesh.apply(SUBSETS);
  return mesh;
}

function virtualService(http: string, rest = "", name = "reviews"): string {
  const indented = http.trim().replaceAll("\n", "\n  ");
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}}
spec:
  hosts: [reviews]
  ${rest}
  http:
  ${indented}
`;
}

/** What a route says beyond the values that an absent field has. */
function said(route: Route | undefined): Record<string, unknown> {
  const keep = (value: unknown): boolean =>
    !(value === null || value === undefined || value === "" || value === 0 || value === false) &&
    !(Array.isArray(value) && value.length === 0) &&
    !(typeof value === "object" && !Array.isArray(value) && value !== null && Object.keys(value).length === 0);
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, item]) => [name, strip(item)] as const);
    return Object.fromEntries(entries.filter(([, item]) => keep(item)));
  };
  return strip(route) as Record<string, unknown>;
}

const toReviews = { destination: { namespace: "default", service: "reviews" }, weight: 100 };
const always = {
  rule: "virtualservice/default/reviews",
  revision: 2,
  destinations: [toReviews],
  timeout: { timeoutMs: 15_000 },
  websocketUpgrade: true,
};

const cases: { name: string; http: string; expected: Record<string, unknown>[] }[] = [
  {
    name: "a route without anything is the resource's name, its destination, 15 seconds, and lets WebSocket pass",
    http: "- route: [{destination: {host: reviews}}]",
    expected: [always],
  },
  {
    name: "a subset becomes its labels, and keeps its name",
    http: "- route: [{destination: {host: reviews, subset: v2}}]",
    expected: [
      {
        ...always,
        destinations: [
          { destination: { namespace: "default", service: "reviews", labels: V2, subset: "v2" }, weight: 100 },
        ],
      },
    ],
  },
  {
    name: "weights, ports and headers of a destination are taken over",
    http: `
- route:
  - destination: {host: reviews, subset: v1}
    weight: 1
    headers: {request: {set: {x-to: v1}}, response: {remove: [server]}}
  - destination: {host: ratings, port: {number: 9080}}
    weight: 3`,
    expected: [
      {
        ...always,
        destinations: [
          {
            destination: { namespace: "default", service: "reviews", labels: V1, subset: "v1" },
            weight: 1,
            requestHeaders: { set: [{ name: "x-to", value: "v1" }] },
            responseHeaders: { remove: ["server"] },
          },
          { destination: { namespace: "default", service: "ratings" }, weight: 3, port: 9080 },
        ],
      },
    ],
  },
  {
    name: "each match block is a route of its own, and all its conditions must hold",
    http: `
- name: mobile
  match:
  - name: get
    uri: {prefix: /api}
    method: {exact: GET}
    headers: {x-user: {exact: jason}, x-any: {}}
    withoutHeaders: {x-bot: {}}
    queryParams: {lang: {exact: en}}
    port: 9080
    sourceNamespace: web
    sourceLabels: {app: page}
  - uri: {exact: /Login}
    ignoreUriCase: true
  route: [{destination: {host: reviews}}]`,
    expected: [
      {
        ...always,
        name: "mobile.get",
        match: {
          source: { namespace: "web", labels: { app: "page" } },
          headers: [
            { name: "uri", prefix: "/api" },
            { name: "method", exact: "GET" },
            { name: "x-any", present: true },
            { name: "x-user", exact: "jason" },
            { name: "x-bot", present: true, invert: true },
          ],
          queryParameters: [{ name: "lang", exact: "en" }],
          port: 9080,
        },
      },
      { ...always, name: "mobile", match: { headers: [{ name: "uri", exact: "/Login", ignoreCase: true }] } },
    ],
  },
  {
    name: "blocks for gateways only are not for sidecars",
    http: `
- match: [{gateways: [default/edge], uri: {prefix: /a}}, {gateways: [mesh], uri: {prefix: /b}}]
  route: [{destination: {host: reviews}}]`,
    expected: [{ ...always, match: { headers: [{ name: "uri", prefix: "/b" }] } }],
  },
  {
    name: "a redirect is 301 unless it says otherwise, and may replace the prefix",
    http: `
- match: [{uri: {prefix: /old}}]
  redirect: {uri: /new, authority: elsewhere}
- match: [{uri: {prefix: /docs}}]
  redirect: {prefixRewrite: /help, scheme: https, derivePort: FROM_PROTOCOL_DEFAULT, redirectCode: 308}
- redirect: {port: 8443}`,
    expected: [
      {
        ...without(always, "destinations"),
        match: { headers: [{ name: "uri", prefix: "/old" }] },
        redirect: { uri: "/new", authority: "elsewhere", code: 301 },
      },
      {
        ...without(always, "destinations"),
        match: { headers: [{ name: "uri", prefix: "/docs" }] },
        redirect: { prefixRewrite: "/help", scheme: "https", derivePort: "FROM_PROTOCOL_DEFAULT", code: 308 },
      },
      { ...without(always, "destinations"), redirect: { port: 8443, code: 301 } },
    ],
  },
  {
    name: "a direct response has no destination",
    http: "- directResponse: {status: 503, body: {string: closed}}",
    expected: [{ ...without(always, "destinations"), directResponse: { status: 503, body: "closed" } }],
  },
  {
    name: "rewrites by prefix and by regex",
    http: `
- match: [{uri: {prefix: /a}}]
  rewrite: {uri: /b, authority: other}
  route: [{destination: {host: reviews}}]
- rewrite: {uriRegexRewrite: {match: "/v([0-9]+)/(.*)", rewrite: "/\\\\2"}}
  route: [{destination: {host: reviews}}]`,
    expected: [
      {
        ...always,
        match: { headers: [{ name: "uri", prefix: "/a" }] },
        rewrite: { uri: "/b", authority: "other" },
      },
      { ...always, rewrite: { regex: "/v([0-9]+)/(.*)", substitution: "/\\2" } },
    ],
  },
  {
    name: "a timeout of 0s is none",
    http: "- {timeout: 0s, route: [{destination: {host: reviews}}]}",
    expected: [without(always, "timeout")],
  },
  {
    name: "retries without conditions have Istio's, status codes are a condition of their own",
    http: `
- retries: {attempts: 3, perTryTimeout: 2s}
  match: [{uri: {exact: /a}}]
  route: [{destination: {host: reviews}}]
- retries: {attempts: 2, retryOn: "5xx,503", backoff: 100ms}
  match: [{uri: {exact: /b}}]
  route: [{destination: {host: reviews}}]
- retries: {attempts: 0}
  route: [{destination: {host: reviews}}]`,
    expected: [
      {
        ...always,
        match: { headers: [{ name: "uri", exact: "/a" }] },
        retry: {
          attempts: 3,
          perTryTimeoutMs: 2000,
          retryOn: ["connect-failure", "refused-stream", "unavailable", "cancelled"],
        },
      },
      {
        ...always,
        match: { headers: [{ name: "uri", exact: "/b" }] },
        retry: {
          attempts: 2,
          retryOn: ["5xx", "retriable-status-codes"],
          retriableStatusCodes: [503],
          backoffBaseMs: 100,
        },
      },
      always,
    ],
  },
  {
    name: "faults, mirrors, cross-origin rules and headers",
    http: `
- fault: {delay: {fixedDelay: 7s, percentage: {value: 50}}, abort: {httpStatus: 418, percentage: {value: 100}}}
  mirrors: [{destination: {host: ratings, port: {number: 9080}}, percentage: {value: 10}}]
  corsPolicy: {allowOrigins: [{exact: "http://a"}, {regex: "http://b.*"}], allowMethods: [GET], maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE}
  headers: {request: {add: {x-a: "1"}, remove: [x-b]}, response: {set: {x-c: "2"}}}
  route: [{destination: {host: reviews}}]`,
    expected: [
      {
        ...always,
        fault: { delay: { percent: 50, fixedDelayMs: 7000 }, abort: { percent: 100, httpStatus: 418 } },
        mirrors: [{ destination: { namespace: "default", service: "ratings" }, percent: 10, port: 9080 }],
        cors: {
          allowOrigins: [{ exact: "http://a" }, { regex: "http://b.*" }],
          allowMethods: ["GET"],
          maxAgeMs: 86_400_000,
          allowCredentials: true,
          ignoreUnmatchedPreflights: true,
        },
        requestHeaders: { add: [{ name: "x-a", value: "1" }], remove: ["x-b"] },
        responseHeaders: { set: [{ name: "x-c", value: "2" }] },
      },
    ],
  },
  {
    name: "a delay that varies",
    http: `
- fault: {delay: {exponentialDelay: 2s, percentage: {value: 1}}}
  route: [{destination: {host: reviews}}]`,
    expected: [{ ...always, fault: { delay: { percent: 1, exponentialDelayMs: 2000 } } }],
  },
];

function without(route: Record<string, unknown>, field: string): Record<string, unknown> {
  const { [field]: _, ...rest } = route;
  return rest;
}

describe("the routes of a VirtualService", () => {
  for (const { name, http, expected } of cases) {
    test(name, () => {
      const mesh = bookinfo();
      mesh.apply(virtualService(http, "gateways: [mesh, default/edge]"));
      const { routes } = mesh.config("reviews");
      assert.deepEqual(routes.map(said), expected);
    });
  }

  test("are all there are: what none of them fits has no route", () => {
    const mesh = bookinfo();
    mesh.apply(virtualService("- {match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews}}]}"));
    assert.deepEqual(
      mesh.config("reviews").routes.map(({ rule }) => rule),
      ["virtualservice/default/reviews"],
    );
    mesh.delete("virtualservice/default/reviews");
    assert.deepEqual(
      mesh.config("reviews").routes.map(({ rule }) => rule),
      ["default"],
    );
  });

  test("lead to other services too, of which the service then depends", () => {
    const mesh = bookinfo();
    mesh.apply(virtualService("- {route: [{destination: {host: ratings.default.svc.cluster.local}}]}"));
    assert.deepEqual(mesh.compiler.compileService("default.reviews", 1)?.targets, [
      "default.ratings",
      "default.reviews",
    ]);
    assert.deepEqual(mesh.compiler.serviceChanged("default.ratings", true).services.toSorted(), [
      "default.ratings",
      "default.reviews",
    ]);
  });

  test("the mesh's own retries hold where a route says nothing", () => {
    const mesh = bookinfo();
    mesh.apply(virtualService("- {route: [{destination: {host: reviews}}]}"));
    const affected = mesh.apply(`
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: default, namespace: istio-system}
spec: {defaultHttpRetryPolicy: {attempts: 4, retryOn: reset}}
`);
    assert.ok(affected.services.includes("default.reviews"));
    assert.deepEqual(mesh.config("reviews").routes[0]?.retry?.retryOn, ["reset"]);
    assert.equal(mesh.config("reviews").routes[0]?.retry?.attempts, 4);
  });

  test("its whole host, its short host and its two-part host mean the same service", () => {
    for (const host of [
      "reviews",
      "reviews.default",
      "reviews.default.svc",
      fullHost("reviews"),
      "*.default.svc.cluster.local",
    ]) {
      const mesh = bookinfo();
      const affected = mesh.apply(
        virtualService("- {route: [{destination: {host: reviews}}]}").replace("hosts: [reviews]", `hosts: ["${host}"]`),
      );
      assert.ok(affected.services.includes("default.reviews"), host);
      assert.equal(mesh.config("reviews").routes[0]?.rule, "virtualservice/default/reviews", host);
    }
  });
});
