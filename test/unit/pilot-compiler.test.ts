import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Affected, affected } from "../../services/pilot/compile/affected.ts";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import { INGRESS_GATEWAY_KEY } from "../../services/pilot/compile/ingress-rules.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, type JsonObject, type JsonValue } from "../../shared/model/index.ts";
import { GatewayConfig, type RouteInput, ServiceConfig, tableKey } from "../../shared/wire/index.ts";

/** A registry that is only a table: service -> label sets of its instances. */
class Services {
  readonly instances = new Map<string, Record<string, string>[]>();
  ports = [{ number: 9080, protocol: "http" }];

  add(name: string, ...labels: Record<string, string>[]): string {
    const key = tableKey("default", name);
    this.instances.set(key, [...(this.instances.get(key) ?? []), ...labels]);
    return key;
  }

  keys(): Iterable<string> {
    return this.instances.keys();
  }

  namespaces(): Iterable<string> {
    return this.instances.size === 0 ? [] : ["default"];
  }

  *servicesOf(namespace: string) {
    if (namespace !== "default") return;
    for (const key of this.keys()) {
      const service = this.service(key);
      if (service !== undefined) yield service;
    }
  }

  has(key: string): boolean {
    return this.instances.has(key);
  }

  service(key: string) {
    if (!this.has(key)) return undefined;
    const name = key.split(".")[1] ?? "";
    return {
      namespace: "default",
      name,
      ports: this.ports,
      principals: [`spiffe://cluster.local/ns/default/sa/${name}`],
    };
  }

  carries(key: string, labels: Readonly<Record<string, string>>): boolean {
    const wanted = Object.entries(labels);
    return (
      (this.instances.get(key) ?? []).some((has) => wanted.every(([name, value]) => has[name] === value)) ||
      (this.has(key) && wanted.length === 0)
    );
  }
}

const kinds = createKindRegistry();
let revision = 0;

function put(compiler: Compiler, kind: string, name: string, spec: JsonObject, at = ++revision): Affected {
  const metadata = { name, namespace: "default", resourceVersion: String(at) };
  const judged = parseResource({ apiVersion: "config.istio.io/v1alpha2", kind, metadata, spec } as JsonValue, kinds);
  assert.ok(judged.ok, JSON.stringify(judged));
  return compiler.put(judged.parsed);
}

function routesOf(compiler: Compiler, key: string): RouteInput[] {
  return compiler.compileService(key, 1)?.routes ?? [];
}

function namesOf(compiler: Compiler, key: string): string[] {
  return routesOf(compiler, key).map((route) => route.rule ?? "");
}

function gatewayOf(compiler: Compiler): { config: GatewayConfig; targets: readonly string[] } {
  const value = compiler.compile("gateway", INGRESS_GATEWAY_KEY);
  assert.ok(value);
  return { config: GatewayConfig.decode(value.encode([])), targets: value.targets };
}

function bookinfo(): { services: Services; compiler: Compiler; reviews: string } {
  const services = new Services();
  const reviews = services.add("reviews", { version: "v1" }, { version: "v2" });
  services.add("ratings", { version: "v1" });
  return { services, compiler: new Compiler(services), reviews };
}

const toV = (version: string): JsonValue => [{ labels: { version } }];

describe("route rules", () => {
  test("a service without rules gets the default route alone, to all instances, with 15 seconds", () => {
    const { compiler, reviews } = bookinfo();
    assert.deepEqual(routesOf(compiler, reviews), [
      {
        rule: "default",
        destinations: [{ destination: { namespace: "default", service: "reviews" }, weight: 100 }],
        timeout: { timeoutMs: 15_000 },
        websocketUpgrade: true,
      },
    ]);
  });

  test("higher precedence comes first, the key decides among equals, the default comes last", () => {
    const { compiler, reviews } = bookinfo();
    const destination = { name: "reviews" };
    put(compiler, "RouteRule", "b-low", { destination, route: toV("v1") });
    put(compiler, "RouteRule", "b-mid", { destination, precedence: 1, route: toV("v1") });
    put(compiler, "RouteRule", "a-mid", { destination, precedence: 1, route: toV("v2") });
    put(compiler, "RouteRule", "negative", { destination, precedence: -1, route: toV("v2") });
    put(compiler, "RouteRule", "other", { destination: { name: "ratings" }, precedence: 9 });
    assert.deepEqual(namesOf(compiler, reviews), [
      "routerule/default/a-mid",
      "routerule/default/b-mid",
      "routerule/default/b-low",
      "routerule/default/negative",
      "default",
    ]);
  });

  const cases: { name: string; spec: JsonObject; expected: Partial<RouteInput> }[] = [
    {
      name: "the source travels in the match, with its labels, for the proxy to decide",
      spec: { match: { source: { name: "productpage", namespace: "web", labels: { version: "v2" } } } },
      expected: {
        match: { source: { namespace: "web", service: "productpage", labels: { version: "v2" } }, headers: [] },
      },
    },
    {
      name: "header matches are kept by name",
      spec: {
        match: { request: { headers: { uri: { prefix: "/api" }, cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } } },
      },
      expected: {
        match: {
          headers: [
            { name: "cookie", regex: "^(.*?;)?(user=jason)(;.*)?$" },
            { name: "uri", prefix: "/api" },
          ],
        },
      },
    },
    {
      name: "weights and labels make the destinations",
      spec: {
        route: [
          { labels: { version: "v1" }, weight: 75 },
          { labels: { version: "v2" }, weight: 25 },
        ],
      },
      expected: {
        destinations: [
          { destination: { namespace: "default", service: "reviews", labels: { version: "v1" } }, weight: 75 },
          { destination: { namespace: "default", service: "reviews", labels: { version: "v2" } }, weight: 25 },
        ],
      },
    },
    {
      name: "a single entry without weight gets everything",
      spec: { route: toV("v2") },
      expected: {
        destinations: [
          { destination: { namespace: "default", service: "reviews", labels: { version: "v2" } }, weight: 100 },
        ],
      },
    },
    {
      name: "a redirect has no destination",
      spec: { redirect: { uri: "/v2", authority: "elsewhere" } },
      expected: { destinations: [], redirect: { uri: "/v2", authority: "elsewhere" } },
    },
    {
      name: "a fault without percent hits everything, an explicit zero nothing",
      spec: { httpFault: { delay: { fixedDelay: "7s" }, abort: { percent: 0, httpStatus: 418 } } },
      expected: {
        fault: {
          delay: { percent: 100, fixedDelayMs: 7000, overrideHeader: "" },
          abort: { percent: 0, httpStatus: 418, overrideHeader: "" },
        },
      },
    },
    {
      name: "an exponential delay and a gRPC status are taken over",
      spec: { httpFault: { delay: { exponentialDelay: "1s" }, abort: { grpcStatus: "INTERNAL" } } },
      expected: {
        fault: {
          delay: { percent: 100, exponentialDelayMs: 1000, overrideHeader: "" },
          abort: { percent: 100, grpcStatus: 13, overrideHeader: "" },
        },
      },
    },
    {
      name: "timeouts, retries, rewrites and added headers are taken over",
      spec: {
        httpReqTimeout: { simpleTimeout: { timeout: "1.5s" } },
        httpReqRetries: { simpleRetry: { attempts: 3 } },
        rewrite: { uri: "/v1" },
        appendHeaders: { "x-a": "1" },
      },
      expected: {
        timeout: { timeoutMs: 1500, overrideHeader: "" },
        retry: { attempts: 3, perTryTimeoutMs: 0, overrideHeader: "" },
        rewrite: { uri: "/v1", authority: "" },
        appendHeaders: [{ name: "x-a", value: "1" }],
      },
    },
    {
      name: "a mirror gets every request, a corsPolicy and websocketUpgrade are taken over",
      spec: {
        mirror: { name: "ratings", labels: { version: "v1" } },
        corsPolicy: { allowOrigin: ["*"], allowMethods: ["GET"], maxAge: "24s", allowCredentials: true },
        websocketUpgrade: true,
      },
      expected: {
        mirrors: [
          { destination: { namespace: "default", service: "ratings", labels: { version: "v1" } }, percent: 100 },
        ],
        cors: {
          allowOrigin: ["*"],
          allowMethods: ["GET"],
          allowHeaders: [],
          exposeHeaders: [],
          maxAgeMs: 24_000,
          allowCredentials: true,
        },
        websocketUpgrade: true,
      },
    },
    {
      name: "a rule without timeout has 15 seconds",
      spec: {},
      expected: { timeout: { timeoutMs: 15_000, overrideHeader: "" } },
    },
  ];
  for (const { name, spec, expected } of cases) {
    test(name, () => {
      const { compiler, reviews } = bookinfo();
      put(compiler, "RouteRule", "one", { destination: { name: "reviews" }, ...spec });
      const [route] = routesOf(compiler, reviews);
      for (const [field, value] of Object.entries(expected))
        assert.deepEqual(route?.[field as keyof RouteInput], value, field);
    });
  }

  test("equal configuration gives equal bytes whatever the order in which it came", () => {
    const first = bookinfo();
    const second = bookinfo();
    const a = { destination: { name: "reviews" }, route: [{ labels: { version: "v1", app: "reviews" } }] };
    const b = { destination: { name: "reviews" }, route: [{ labels: { app: "reviews", version: "v1" } }] };
    for (const { services } of [first, second]) services.add("reviews", { version: "v1", app: "reviews" });
    put(first.compiler, "RouteRule", "x", a, 1);
    put(first.compiler, "RouteRule", "y", b, 2);
    put(second.compiler, "RouteRule", "y", b, 2);
    put(second.compiler, "RouteRule", "x", b, 1);
    const bytes = ({ compiler, reviews }: typeof first) =>
      ServiceConfig.encode(compiler.compileService(reviews, 1) ?? {});
    assert.deepEqual(bytes(first), bytes(second));
  });

  test("a deletion raises the revision of the service that it touches", () => {
    const { compiler, reviews } = bookinfo();
    put(compiler, "RouteRule", "one", { destination: { name: "reviews" } }, 5000);
    assert.deepEqual(compiler.remove("routerule/default/one", 5001), affected({ services: [reviews] }));
    assert.equal(compiler.compileService(reviews, 1)?.revision, 5001);
    assert.deepEqual(namesOf(compiler, reviews), ["default"]);
    revision = 6000;
  });
});

describe("activation", () => {
  test("a rule for an absent version waits, the one before stays, and it comes into force with the instance", () => {
    const { services, compiler, reviews } = bookinfo();
    put(compiler, "RouteRule", "one", { destination: { name: "reviews" }, route: toV("v1") });
    const result = put(compiler, "RouteRule", "one", { destination: { name: "reviews" }, route: toV("v3") });
    assert.deepEqual(result.services, []);
    assert.match(result.pending ?? "", /no instance of reviews.default.svc.cluster.local has the labels version=v3/);
    assert.deepEqual(routesOf(compiler, reviews)[0]?.destinations?.[0]?.destination?.labels, { version: "v1" });
    services.add("reviews", { version: "v3" });
    const changed = compiler.serviceChanged(reviews, false);
    assert.deepEqual(changed.services, [reviews]);
    assert.deepEqual(
      changed.activated?.map(({ rule }) => rule),
      ["routerule/default/one"],
    );
    assert.deepEqual(routesOf(compiler, reviews)[0]?.destinations?.[0]?.destination?.labels, { version: "v3" });
  });

  test("a mirror is waited for and depended upon as a destination is, also by the next leader", () => {
    const { services, compiler, reviews } = bookinfo();
    const spec = { destination: { name: "reviews" }, mirror: { name: "shadow", labels: { version: "v2" } } };
    assert.match(put(compiler, "RouteRule", "one", spec).pending ?? "", /no instance of shadow/);
    const shadow = services.add("shadow", { version: "v2" });
    assert.equal(compiler.serviceChanged(shadow, true).activated?.[0]?.rule, "routerule/default/one");
    assert.deepEqual(compiler.compileService(reviews, 1)?.targets, [reviews, shadow]);
    const next = new Compiler(services);
    const { targets: _, ...config } = compiler.compileService(reviews, 1) ?? { targets: [] };
    next.restoreService(reviews, ServiceConfig.decode(ServiceConfig.encode(config)));
    assert.deepEqual(next.serviceChanged(shadow, true).services.toSorted(), [reviews, shadow].sort());
  });

  test("a rule for an unknown service waits for it", () => {
    const { services, compiler } = bookinfo();
    const result = put(compiler, "RouteRule", "one", { destination: { name: "details" } });
    assert.match(result.pending ?? "", /no instance of details/);
    const details = services.add("details", {});
    assert.deepEqual(compiler.serviceChanged(details, true).services, [details]);
    assert.deepEqual(namesOf(compiler, details), ["routerule/default/one", "default"]);
  });

  test("once in force a rule stays, when its instances vanish and when the leader changes", () => {
    const { services, compiler, reviews } = bookinfo();
    put(compiler, "RouteRule", "one", { destination: { name: "reviews" }, route: toV("v2") }, 7001);
    services.instances.set(reviews, [{ version: "v1" }]);
    assert.deepEqual(namesOf(compiler, reviews), ["routerule/default/one", "default"]);
    const stored = ServiceConfig.decode(ServiceConfig.encode(compiler.compileService(reviews, 1) ?? {}));
    const successor = new Compiler(services);
    successor.restoreService(reviews, stored);
    const result = put(successor, "RouteRule", "one", { destination: { name: "reviews" }, route: toV("v2") }, 7001);
    assert.equal(result.pending, undefined);
    assert.deepEqual(ServiceConfig.encode(successor.compileService(reviews, 1) ?? {}), ServiceConfig.encode(stored));
  });

  test("a new leader keeps the route in force of a rule whose newer revision waits", () => {
    const { services, compiler, reviews } = bookinfo();
    put(compiler, "RouteRule", "one", { destination: { name: "reviews" }, precedence: 2, route: toV("v1") }, 7101);
    const stored = ServiceConfig.decode(ServiceConfig.encode(compiler.compileService(reviews, 1) ?? {}));
    const successor = new Compiler(services);
    successor.restoreService(reviews, stored);
    const result = put(
      successor,
      "RouteRule",
      "one",
      { destination: { name: "reviews" }, precedence: 2, route: toV("v9") },
      7102,
    );
    assert.ok(result.pending);
    assert.deepEqual(ServiceConfig.encode(successor.compileService(reviews, 1) ?? {}), ServiceConfig.encode(stored));
    revision = 8000;
  });

  test("a service that is gone is no target any more, and those that send to it are compiled again", () => {
    const { services, compiler, reviews } = bookinfo();
    put(compiler, "RouteRule", "split", {
      destination: { name: "reviews" },
      route: [{ destination: { name: "ratings" } }],
    });
    assert.deepEqual(compiler.compileService(reviews, 1)?.targets, ["default.ratings", reviews]);
    services.instances.delete("default.ratings");
    assert.deepEqual(compiler.serviceChanged("default.ratings", true).services, ["default.ratings", reviews]);
    assert.deepEqual(compiler.compileService(reviews, 1)?.targets, [reviews]);
    assert.equal(compiler.compileService("default.ratings", 1), undefined);
  });
});

describe("destination policies", () => {
  test("they are listed by key with their exact labels and source", () => {
    const { compiler, reviews } = bookinfo();
    put(compiler, "DestinationPolicy", "z", { destination: { name: "reviews" }, loadBalancing: { name: "RANDOM" } });
    put(compiler, "DestinationPolicy", "a", {
      destination: { name: "reviews", labels: { version: "v1" } },
      source: { name: "productpage" },
      loadBalancing: { name: "LEAST_CONN" },
    });
    assert.deepEqual(compiler.compileService(reviews, 1)?.policies, [
      {
        rule: "destinationpolicy/default/a",
        source: { namespace: "default", service: "productpage", labels: {} },
        labels: { version: "v1" },
        loadBalancing: "LEAST_CONN",
      },
      { rule: "destinationpolicy/default/z", labels: {}, loadBalancing: "RANDOM" },
    ]);
  });

  test("a simpleCb becomes limits and the ejection of failing instances, with Envoy's defaults for what it leaves out", () => {
    const { compiler, reviews } = bookinfo();
    const destination = { name: "reviews", labels: { version: "v1" } };
    put(compiler, "DestinationPolicy", "full", {
      destination,
      circuitBreaker: {
        simpleCb: {
          maxConnections: 10,
          httpMaxPendingRequests: 20,
          httpMaxRequests: 30,
          sleepWindow: "40s",
          httpConsecutiveErrors: 7,
          httpDetectionInterval: "2s",
          httpMaxRequestsPerConnection: 1,
          httpMaxEjectionPercent: 50,
          httpMaxRetries: 6,
        },
      },
    });
    put(compiler, "DestinationPolicy", "some", {
      destination: { name: "reviews" },
      circuitBreaker: { simpleCb: { maxConnections: 0, httpMaxRequests: 5 } },
    });
    put(compiler, "DestinationPolicy", "without", { destination: { name: "reviews", labels: { version: "v2" } } });
    const [full, some, without] = compiler.compileService(reviews, 1)?.policies ?? [];
    assert.deepEqual(full?.circuitBreaker, {
      maxConnections: 10,
      httpMaxPendingRequests: 20,
      httpMaxRequests: 30,
      httpMaxRequestsPerConnection: 1,
      httpMaxRetries: 6,
    });
    assert.deepEqual(full?.outlierDetection, {
      consecutive_5xx: 7,
      intervalMs: 2_000,
      baseEjectionMs: 40_000,
      maxEjectionPercent: 50,
    });
    assert.deepEqual(some?.circuitBreaker, {
      maxConnections: 1024,
      httpMaxPendingRequests: 1024,
      httpMaxRequests: 5,
      httpMaxRequestsPerConnection: 0,
      httpMaxRetries: 3,
    });
    assert.deepEqual(some?.outlierDetection, {
      consecutive_5xx: 5,
      intervalMs: 0,
      baseEjectionMs: 0,
      maxEjectionPercent: 0,
    });
    assert.equal(without?.circuitBreaker, undefined);
    assert.equal(without?.outlierDetection, undefined);
  });

  test("one that moves to another service touches both", () => {
    const { compiler, reviews } = bookinfo();
    put(compiler, "DestinationPolicy", "p", { destination: { name: "reviews" } });
    const moved = put(compiler, "DestinationPolicy", "p", { destination: { name: "ratings" } });
    assert.deepEqual([...moved.services].sort(), ["default.ratings", reviews]);
    assert.deepEqual(compiler.compileService(reviews, 1)?.policies, []);
  });
});

describe("ingress rules", () => {
  test("exact paths come before longer before shorter prefixes, then the rest by precedence and key", () => {
    const { compiler } = bookinfo();
    const uri = (match: JsonObject): JsonObject => ({
      match: { request: { headers: { uri: match } } },
      destination: { name: "reviews" },
      destinationPort: 9080,
    });
    put(compiler, "IngressRule", "any-b", { destination: { name: "reviews" }, destinationPort: 9080 });
    put(compiler, "IngressRule", "any-a", { destination: { name: "reviews" }, destinationPort: 9080 });
    put(compiler, "IngressRule", "any-first", {
      destination: { name: "reviews" },
      precedence: 3,
      destinationPort: 9080,
    });
    put(compiler, "IngressRule", "short", uri({ prefix: "/a" }));
    put(compiler, "IngressRule", "long", uri({ prefix: "/a/b" }));
    put(compiler, "IngressRule", "exact", uri({ exact: "/a" }));
    assert.deepEqual(
      gatewayOf(compiler).config.routes.map((route) => route.rule.split("/")[2]),
      ["exact", "long", "short", "any-first", "any-a", "any-b"],
    );
  });

  test("a rule is for the gateway's port that it names, else for its HTTP port", () => {
    const { compiler } = bookinfo();
    const reviews = { destination: { name: "reviews" }, destinationPort: 9080 };
    put(compiler, "IngressRule", "a", reviews);
    put(compiler, "IngressRule", "b", { ...reviews, port: 8081 });
    assert.deepEqual(
      gatewayOf(compiler).config.routes.map(({ serverPort }) => serverPort),
      [80, 8081],
    );
  });

  test("a rule is left out until its destination and port are there", () => {
    const { services, compiler } = bookinfo();
    put(compiler, "IngressRule", "details", { destination: { name: "details" } });
    put(compiler, "IngressRule", "wrong-port", { destination: { name: "reviews" }, destinationPort: 1 });
    put(compiler, "IngressRule", "named", { destination: { name: "reviews" }, destinationPortName: "http-web" });
    assert.deepEqual(
      gatewayOf(compiler).config.routes.map(({ rule, port }) => [rule, port]),
      [["ingressrule/default/named", 9080]],
    );
    const details = services.add("details", {});
    assert.deepEqual(compiler.serviceChanged(details, true).gateways, [INGRESS_GATEWAY_KEY]);
    assert.equal(gatewayOf(compiler).config.routes.length, 2);
    assert.deepEqual(gatewayOf(compiler).targets, ["default.details", "default.reviews"]);
  });
});
