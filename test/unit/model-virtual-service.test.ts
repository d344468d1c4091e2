import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type JsonObject, VIRTUAL_SERVICE } from "../../shared/model/index.ts";
import { meaning, refusals } from "../kinds/judged.ts";

const TO = { destination: { host: "reviews" } };
const route = (more: JsonObject = {}): JsonObject => ({ route: [TO], ...more });
const vs = (...http: JsonObject[]): JsonObject => ({ hosts: ["reviews"], http });

describe("a VirtualService", () => {
  test("means hosts of its namespace by short names, and all others as written", () => {
    const { hosts, gateways, exportTo } = meaning(VIRTUAL_SERVICE, {
      hosts: ["Reviews", "ratings.web", "details.web.svc", "api.example.com.", "*.example.org", "10.0.0.1"],
      gateways: ["edge", "web/public", "mesh"],
      http: [route()],
      exportTo: [".", "web"],
    });
    assert.deepEqual(hosts, [
      { host: "reviews.prod.svc.cluster.local", service: { namespace: "prod", service: "reviews" } },
      { host: "ratings.web", service: { namespace: "web", service: "ratings" } },
      { host: "details.web.svc.cluster.local", service: { namespace: "web", service: "details" } },
      { host: "api.example.com", service: undefined },
      { host: "*.example.org", service: undefined },
      { host: "10.0.0.1", service: undefined },
    ]);
    assert.deepEqual(gateways, ["prod/edge", "web/public", "mesh"]);
    assert.deepEqual(exportTo, ["prod", "web"]);
  });

  test("has Istio's defaults for what it leaves out", () => {
    const spec = meaning(VIRTUAL_SERVICE, vs(route()));
    assert.deepEqual([spec.gateways, spec.exportTo], [["mesh"], []]);
    const [only] = spec.http;
    assert.deepEqual(only?.destinations, [
      {
        destination: { host: spec.hosts[0], subset: "", port: 0 },
        weight: 100,
        headers: { request: { set: [], add: [], remove: [] }, response: { set: [], add: [], remove: [] } },
      },
    ]);
    const { timeoutMs, retries, fault, mirrors, cors, rewrite, matches } = only ?? {};
    assert.deepEqual(
      { timeoutMs, retries, fault, mirrors, cors, rewrite, matches },
      {
        timeoutMs: undefined,
        retries: undefined,
        fault: undefined,
        mirrors: [],
        cors: undefined,
        rewrite: undefined,
        matches: [],
      },
    );
  });

  test("reads conditions: absent values are presence, and names of headers are in lower case", () => {
    const [http] = meaning(
      VIRTUAL_SERVICE,
      vs(
        route({
          match: [
            {
              uri: { prefix: "" },
              headers: { "X-B": {}, "x-a": { regex: "a+" } },
              withoutHeaders: { "x-c": { regex: "*" }, "x-d": { exact: "1" } },
              queryParams: { Q: { exact: "" } },
              gateways: ["edge"],
            },
          ],
        }),
      ),
    ).http;
    const [match] = http?.matches ?? [];
    assert.deepEqual(match?.uri, { prefix: "" });
    assert.deepEqual(match?.headers, [
      { name: "x-a", match: { regex: "a+" } },
      { name: "x-b", match: undefined },
    ]);
    assert.deepEqual(match?.withoutHeaders, [
      { name: "x-c", match: undefined },
      { name: "x-d", match: { exact: "1" } },
    ]);
    assert.deepEqual([match?.queryParams, match?.gateways], [[{ name: "Q", match: { exact: "" } }], ["prod/edge"]]);
  });

  test("takes durations in any of Go's units, and no time at all for no timeout", () => {
    const times = ["5m", "1h30m", "250ms", "0.5s", "1.5s"].map(
      (timeout) => meaning(VIRTUAL_SERVICE, vs(route({ timeout }))).http[0]?.timeoutMs,
    );
    assert.deepEqual(times, [300_000, 5_400_000, 250, 500, 1500]);
    assert.equal(meaning(VIRTUAL_SERVICE, vs(route({ timeout: "0s" }))).http[0]?.timeoutMs, 0);
  });

  test("turns older spellings into the present ones", () => {
    const [http] = meaning(
      VIRTUAL_SERVICE,
      vs(
        route({
          mirror: { host: "shadow" },
          mirrorPercent: 5,
          fault: { delay: { percent: 10, fixedDelay: "1s" } },
          corsPolicy: { allowOrigin: ["https://a.example.com"] },
          headers: { request: { set: { Host: "b.example.com", "X-A": "50%%" } } },
          retries: { attempts: 2, retryOn: "5xx, 503,409" },
        }),
      ),
    ).http;
    assert.deepEqual(http?.mirrors, [
      {
        destination: {
          host: { host: "shadow.prod.svc.cluster.local", service: { namespace: "prod", service: "shadow" } },
          subset: "",
          port: 0,
        },
        percent: 5,
      },
    ]);
    assert.deepEqual(http?.fault?.delay, { percent: 10, fixedDelayMs: 1000, exponentialDelayMs: 0 });
    assert.deepEqual(http?.cors?.allowOrigins, [{ exact: "https://a.example.com" }]);
    assert.deepEqual(http?.rewrite, { uri: "", authority: "b.example.com", regex: undefined });
    assert.deepEqual(http?.headers.request.set, [{ name: "x-a", value: "50%" }]);
    assert.deepEqual(
      [http?.retries?.retryOn, http?.retries?.retriableStatusCodes],
      [
        ["5xx", "retriable-status-codes"],
        [503, 409],
      ],
    );
  });

  test("without hosts is one to delegate to", () => {
    const spec = meaning(VIRTUAL_SERVICE, { http: [route()] });
    assert.deepEqual(spec.hosts, []);
    const [root] = meaning(VIRTUAL_SERVICE, vs({ delegate: { name: "team" } })).http;
    assert.deepEqual(root?.delegate, { namespace: "prod", name: "team" });
  });

  refusals(VIRTUAL_SERVICE, [
    ["without routes", { hosts: ["reviews"] }, [["spec.http", /no routes/]]],
    [
      "with hosts that are none",
      { hosts: ["a_b", "x..y", "1.2.3", "a/b", ""], http: [route()] },
      [
        ["spec.hosts[0]", /not a host name/],
        ["spec.hosts[1]", /not a host name/],
        ["spec.hosts[2]", /ends in a number/],
        ["spec.hosts[3]", /not a host name/],
        ["spec.hosts[4]", /is empty/],
      ],
    ],
    [
      "with hosts that overlap",
      { hosts: ["a.example.com", "*.example.com"], http: [route()] },
      [["spec.hosts[1]", /covers/]],
    ],
    ["for every host of sidecars", { hosts: ["*"], http: [route()] }, [["spec.hosts[0]", /not for sidecars/]]],
    ["with gateways and no hosts", { gateways: ["edge"], http: [route()] }, [["spec.gateways", /without hosts/]]],
    ["with TLS routes and no hosts", { http: [route()], tls: [] }, [["spec.tls", /cannot be delegated/]]],
    [
      "that delegates and has no hosts",
      { http: [{ delegate: { name: "a" } }] },
      [["spec.http[0].delegate", /cannot delegate/]],
    ],
    ["that delegates to itself", vs({ delegate: { name: "x" } }), [["spec.http[0].delegate.name", /itself/]]],
    [
      "with gateways that are none",
      { hosts: ["a.example.com"], gateways: ["A", "a/b/c"], http: [route()] },
      [
        ["spec.gateways[0]", /not the name of a gateway/],
        ["spec.gateways[1]", /not the name of a gateway/],
      ],
    ],
    ["with a route that leads nowhere", vs({ timeout: "1s" }), [["spec.http[0]", /leads nowhere/]]],
    [
      "with a route and a redirect",
      vs(route({ redirect: { uri: "/a" }, fault: { abort: { httpStatus: 500 } }, rewrite: { uri: "/b" } })),
      [
        ["spec.http[0].route", /combined with redirect/],
        ["spec.http[0].fault", /combined with redirect/],
        ["spec.http[0].rewrite", /combined with redirect/],
      ],
    ],
    [
      "with a route and an answer",
      vs(route({ directResponse: { status: 200 } })),
      [["spec.http[0].route", /directResponse/]],
    ],
    ["with a route and a delegate", vs(route({ delegate: { name: "a" } })), [["spec.http[0].route", /delegate/]]],
    ["with weights that come to nothing", vs({ route: [TO, TO] }), [["spec.http[0].route", /add up to 0/]]],
    [
      "with a destination for every host",
      vs({ route: [{ destination: { host: "*" } }] }),
      [["spec.http[0].route[0].destination.host", /no host here/]],
    ],
    ["with a redirect that says nothing", vs({ redirect: {} }), [["spec.http[0].redirect", /where it was asked/]]],
    [
      "with a redirect of two paths",
      vs({ redirect: { uri: "/a", prefixRewrite: "/b" } }),
      [["spec.http[0].redirect.prefixRewrite", /only one of/]],
    ],
    [
      "with a redirect of the wrong status",
      vs({ redirect: { uri: "/a", redirectCode: 304 } }),
      [["spec.http[0].redirect.redirectCode", /leads nowhere/]],
    ],
    [
      "with a prefix to replace where none is matched",
      vs({ match: [{ uri: { exact: "/a" } }], redirect: { prefixRewrite: "/b" } }),
      [["spec.http[0].match[0].uri", /not matched by prefix/]],
    ],
    ["with a rewrite that changes nothing", vs(route({ rewrite: {} })), [["spec.http[0].rewrite", /changes nothing/]]],
    [
      "with two rewrites of the path",
      vs(route({ rewrite: { uri: "/a", uriRegexRewrite: { match: "a", rewrite: "b" } } })),
      [["spec.http[0].rewrite.uriRegexRewrite", /only one of/]],
    ],
    [
      "with a group that the pattern has not",
      vs(route({ rewrite: { uriRegexRewrite: { match: "(a)[(]", rewrite: "\\2" } } })),
      [["spec.http[0].rewrite.uriRegexRewrite.rewrite", /no group 2/]],
    ],
    [
      "with the host changed twice",
      vs(route({ rewrite: { authority: "a" }, headers: { request: { set: { ":authority": "b" } } } })),
      [["spec.http[0].headers", /second time/]],
    ],
    [
      "with headers that cannot be changed",
      vs(
        route({
          headers: {
            request: { set: { ":path": "/" }, remove: ["Host"] },
            response: { add: { "transfer-encoding": "x", "a b": "c" } },
          },
        }),
      ),
      [
        ['spec.http[0].headers.request.set[":path"]', /no header/],
        ["spec.http[0].headers.request.remove[0]", /cannot be changed here/],
        ["spec.http[0].headers.response.add.transfer-encoding", /belongs to the connection/],
        ['spec.http[0].headers.response.add["a b"]', /not a header name/],
      ],
    ],
    [
      "with header values that none may have",
      vs(route({ headers: { request: { set: { a: "x\ny", b: "50%", c: "%REQ(x)%" } } } })),
      [
        ["spec.http[0].headers.request.set.a", /no header may carry/],
        ["spec.http[0].headers.request.set.b", /single %/],
        ["spec.http[0].headers.request.set.c", /^not supported yet/],
      ],
    ],
    [
      "with retries of nothing",
      vs(route({ retries: { perTryTimeout: "1s", retryOn: "5xx" } })),
      [
        ["spec.http[0].retries.perTryTimeout", /without attempts/],
        ["spec.http[0].retries.retryOn", /without attempts/],
      ],
    ],
    [
      "with unknown conditions for retries",
      vs(route({ retries: { attempts: 1, retryOn: "5xx,sometimes" } })),
      [["spec.http[0].retries.retryOn", /"sometimes" is no condition/]],
    ],
    [
      "with retries by what has no effect",
      vs(
        route({
          retries: {
            attempts: 1,
            retryOn: "envoy-ratelimited",
            retryRemoteLocalities: true,
            retryIgnorePreviousHosts: false,
          },
        }),
      ),
      [
        ["spec.http[0].retries.retryOn", /^not supported yet/],
        ["spec.http[0].retries.retryRemoteLocalities", /^not supported yet/],
        ["spec.http[0].retries.retryIgnorePreviousHosts", /^not supported yet/],
      ],
    ],
    ["with a fault of nothing", vs(route({ fault: {} })), [["spec.http[0].fault", /injects nothing/]]],
    [
      "with too small a share",
      vs(route({ fault: { abort: { httpStatus: 500, percentage: { value: 0.00001 } } } })),
      [["spec.http[0].fault.abort.percentage.value", /less than 0.0001/]],
    ],
    [
      "with an answer that is no failure",
      vs(route({ fault: { abort: { httpStatus: 100, percentage: { value: 1 } } } })),
      [["spec.http[0].fault.abort.httpStatus", /between 200 and 599/]],
    ],
    [
      "with mirror beside mirrors",
      vs(route({ mirror: { host: "a" }, mirrors: [{ destination: { host: "b" } }] })),
      [["spec.http[0].mirror", /combined with mirrors/]],
    ],
    [
      "with conditions that say nothing",
      vs(route({ match: [{ method: {}, authority: { prefix: "" }, uri: { regex: "" } }] })),
      [
        ["spec.http[0].match[0].method", /nothing to compare/],
        ["spec.http[0].match[0].authority.prefix", /is empty/],
        ["spec.http[0].match[0].uri.regex", /is empty/],
      ],
    ],
    [
      "with conditions on what is not read",
      vs(
        route({
          match: [
            { headers: { "@request.auth.claims.sub": { exact: "a" }, ":method": { exact: "GET" } }, statPrefix: "a" },
          ],
        }),
      ),
      [
        ['spec.http[0].match[0].headers["@request.auth.claims.sub"]', /^not supported yet/],
        ['spec.http[0].match[0].headers[":method"]', /^not supported yet/],
        ["spec.http[0].match[0].statPrefix", /^not supported yet/],
      ],
    ],
    [
      "with bare text for a condition",
      vs(route({ match: [{ uri: "/a" }] })),
      [["spec.http[0].match[0].uri", /must be an object/]],
    ],
    [
      "with origins that allow nobody",
      vs(route({ corsPolicy: { allowOrigins: [{ exact: "" }, {}], allowMethods: ["get"], maxAge: "1.5s" } })),
      [
        ["spec.http[0].corsPolicy.allowOrigins[0].exact", /is empty/],
        ["spec.http[0].corsPolicy.allowOrigins[1]", /nothing to compare/],
        ["spec.http[0].corsPolicy.allowMethods[0]", /must be one of/],
        ["spec.http[0].corsPolicy.maxAge", /whole seconds/],
      ],
    ],
    [
      "exported twice, or to all and some",
      { ...vs(route()), exportTo: [".", "prod", "*"] },
      [
        ["spec.exportTo", /prod is given twice/],
        ["spec.exportTo", /stands beside others/],
      ],
    ],
    ["exported to nobody", { ...vs(route()), exportTo: ["~"] }, [["spec.exportTo[0]", /no namespace/]]],
    [
      "with TCP and TLS routes, whose faults are told too",
      {
        hosts: ["a.example.com"],
        tcp: [{ match: [{ destinationSubnets: ["10.0.0.0/40"] }], route: [TO] }],
        tls: [{ match: [{ sniHosts: ["b.example.com"], port: 0 }], route: [] }],
      },
      [
        ["spec.tcp", /^not supported yet: spec\.tcp$/],
        ["spec.tcp[0].match[0].destinationSubnets[0]", /no address or network/],
        ["spec.tls", /^not supported yet: spec\.tls$/],
        ["spec.tls[0].match[0].port", /between 1 and 65535/],
        ["spec.tls[0].route", /is empty/],
        ["spec.tls[0].match[0].sniHosts[0]", /none of the hosts/],
      ],
    ],
  ]);

  test("takes fields of the first releases for what replaced them", () => {
    const { http } = meaning(
      VIRTUAL_SERVICE,
      vs(
        route({
          fault: { abort: { percent: 100, httpStatus: 500 } },
          headers: { request: { add: { "x-a": "1" } } },
          appendHeaders: { "X-B": "2" },
          websocketUpgrade: true,
        }),
      ),
    );
    assert.equal(http[0]?.fault?.abort?.percent, 100);
    assert.deepEqual(http[0]?.headers.request.add, [
      { name: "x-a", value: "1" },
      { name: "x-b", value: "2" },
    ]);
  });

  test("names gateways and delegates as Kubernetes names resources", () => {
    const { gateways, http } = meaning(VIRTUAL_SERVICE, {
      hosts: ["a.example.com"],
      gateways: ["./edge.example", "istio-system/edge.example"],
      http: [{ delegate: { name: "team.example" } }],
    });
    assert.deepEqual(gateways, ["prod/edge.example", "istio-system/edge.example"]);
    assert.deepEqual(http[0]?.delegate, { namespace: "prod", name: "team.example" });
  });

  refusals(VIRTUAL_SERVICE, [
    [
      "with names of Istio 1.0, for what took their place",
      vs({
        appendRequestHeaders: { a: "1" },
        route: [{ destination: { host: "a", port: { number: 80, name: "http" } }, removeResponseHeaders: { b: "" } }],
      }),
      [
        ["spec.http[0].appendRequestHeaders", /appendRequestHeaders is not allowed here/],
        ["spec.http[0].route[0].destination.port.name", /name is not allowed here/],
        ["spec.http[0].route[0].removeResponseHeaders", /removeResponseHeaders is not allowed here/],
      ],
    ],
    [
      "that forbids upgrades",
      vs(route({ websocketUpgrade: false })),
      [["spec.http[0].websocketUpgrade", /not supported yet/]],
    ],
    [
      "with a header added under its older and its newer name",
      vs(route({ headers: { request: { add: { "x-a": "1" } } }, appendHeaders: { "X-A": "2" } })),
      [["spec.http[0].appendHeaders", /x-a a second time/]],
    ],
  ]);
});
