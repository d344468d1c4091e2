import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { type Caller, isSource } from "../../services/proxy/route/caller.ts";
import { explainRoutes, matchRoute } from "../../services/proxy/route/matching.ts";
import { RouteTable } from "../../services/proxy/route/route-table.ts";
import { compileRoutes } from "../../services/proxy/route/service-route.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import {
  type HeaderMatchInput,
  type Route,
  type RouteInput,
  type RouteMatchInput,
  ServiceConfig,
} from "../../shared/wire/index.ts";

const caller: Caller = { namespace: "default", service: "productpage", labels: { version: "v1" } };

/** Through the wire and back, so that absent fields are as a follower sees them. */
function decoded(...routes: RouteInput[]): readonly Route[] {
  return ServiceConfig.decode(ServiceConfig.encode({ routes })).routes;
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly scheme?: "http" | "https";
  readonly headers?: Readonly<Record<string, string>>;
  readonly port?: number;
}

function headOf({
  path = "/",
  method = "GET",
  authority = "reviews",
  scheme = "http",
  headers = {},
}: Asked): RequestHead {
  const list = new HeaderList();
  for (const [name, value] of Object.entries(headers)) list.add(name, name.toLowerCase(), value);
  return { method, authority, scheme, path, headers: list };
}

/** Whether a rule with this match is chosen, by the data path and by the explanation alike. */
function fits(match: RouteMatchInput, asked: Asked, gateways?: readonly string[]): boolean {
  const rules = decoded({ rule: "it", match });
  const [head, port] = [headOf(asked), asked.port ?? 9080];
  const routes = compileRoutes(rules, caller, () => new Cluster("c"), gateways);
  const chosen = matchRoute(routes, head, port) !== undefined;
  const [verdict] = explainRoutes(rules, { head, port }, caller, gateways);
  assert.equal(verdict?.outcome === "chosen", chosen, "the explanation says what happens");
  return chosen;
}

const uri = (match: object): RouteMatchInput => ({ headers: [{ name: "uri", ...match }] });
const header = (match: object): RouteMatchInput => ({ headers: [{ name: "X-User", ...match }] });
const query = (match: object): RouteMatchInput => ({ queryParameters: [{ name: "debug", ...match }] });

const table: [what: string, match: RouteMatchInput, yes: Asked[], no: Asked[]][] = [
  ["no condition", {}, [{}, { path: "*" }], []],
  [
    "a header that is called like a part of the request",
    { headers: [{ name: "Method", exact: "odd", isField: true }] },
    [{ headers: { method: "odd" } }],
    [{ method: "odd" }, {}],
  ],
  [
    "an exact uri, without the query",
    uri({ exact: "/a" }),
    [{ path: "/a" }, { path: "/a?b" }, { path: "/a?" }],
    [{ path: "/a/" }, { path: "/A" }, { path: "/ab" }, { path: "/" }, { path: "/b?/a" }],
  ],
  ["an exact uri that no path can be", uri({ exact: "/a?b" }), [], [{ path: "/a?b" }, { path: "/a?b?c" }]],
  [
    "an exact uri in any case",
    uri({ exact: "/Ab", ignoreCase: true }),
    [{ path: "/aB?Q" }, { path: "/ab" }],
    [{ path: "/abc" }],
  ],
  [
    "a prefix of the uri",
    uri({ prefix: "/a" }),
    [{ path: "/a" }, { path: "/abc?d" }],
    [{ path: "/A" }, { path: "/?/a" }],
  ],
  ["a prefix that only a query could complete", uri({ prefix: "/a?b" }), [], [{ path: "/a?b" }]],
  ["a prefix in any case", uri({ prefix: "/API/", ignoreCase: true }), [{ path: "/api/x" }], [{ path: "/ap" }]],
  [
    "a regex of the whole uri",
    uri({ regex: "/[a-z]+" }),
    [{ path: "/abc?1" }],
    [{ path: "/abc1" }, { path: "/ABC" }, { path: "x/abc" }],
  ],
  ["a regex in any case", uri({ regex: "/[a-z]+", ignoreCase: true }), [{ path: "/ABC" }], [{ path: "/1" }]],
  ["another uri", uri({ prefix: "/a", invert: true }), [{ path: "/b" }], [{ path: "/a/b" }]],
  [
    "method, scheme and authority together",
    {
      headers: [
        { name: "method", regex: "GET|HEAD" },
        { name: "scheme", exact: "https" },
        { name: "authority", exact: "Reviews:80", ignoreCase: true },
      ],
    },
    [{ method: "HEAD", scheme: "https", authority: "reviews:80" }],
    [
      { method: "POST", scheme: "https", authority: "reviews:80" },
      { method: "GET", scheme: "http", authority: "reviews:80" },
      { method: "GET", scheme: "https", authority: "reviews" },
    ],
  ],
  [
    "an exact header, whatever the case of its name",
    header({ exact: "ann" }),
    [{ headers: { "x-USER": "ann" } }],
    [{}, { headers: { "x-user": "Ann" } }],
  ],
  [
    "a header's value in any case",
    header({ exact: "Ann", ignoreCase: true }),
    [{ headers: { "x-user": "aNN" } }],
    [{}],
  ],
  ["a header that is there", header({ present: true }), [{ headers: { "x-user": "" } }], [{}]],
  ["a header that is not there", header({ present: false }), [{}], [{ headers: { "x-user": "" } }]],
  ["a header of which nothing is said", header({}), [{ headers: { "x-user": "a" } }], [{}]],
  ["a header that must be absent", header({ present: true, invert: true }), [{}], [{ headers: { "x-user": "a" } }]],
  [
    "without a certain header",
    header({ exact: "ann", invert: true }),
    [{}, { headers: { "x-user": "bob" } }],
    [{ headers: { "x-user": "ann" } }],
  ],
  [
    "a query parameter, the first of its name",
    query({ exact: "1" }),
    [{ path: "/?debug=1" }, { path: "/?a=b&debug=1&debug=2" }],
    [
      { path: "/" },
      { path: "/?debug=11" },
      { path: "/?xdebug=1" },
      { path: "/debug=1" },
      { path: "/?debug=2&debug=1" },
    ],
  ],
  [
    "a query parameter that is there",
    query({ present: true }),
    [{ path: "/?debug" }, { path: "/?x&debug=" }],
    [{ path: "/?" }, { path: "/?debugger=1" }, { path: "/?x=debug" }],
  ],
  ["a query parameter by regex", query({ regex: "[0-9]+" }), [{ path: "/?debug=12" }], [{ path: "/?debug=1a" }]],
  ["a port", { port: 8080 }, [{ port: 8080 }], [{ port: 80 }]],
];

describe("a match", () => {
  for (const [what, match, yes, no] of table) {
    test(`on ${what}`, () => {
      for (const asked of yes) assert.ok(fits(match, asked), `fits ${JSON.stringify(asked)}`);
      for (const asked of no) assert.ok(!fits(match, asked), `does not fit ${JSON.stringify(asked)}`);
    });
  }

  test("on the source compares service, namespace and labels, each where it is named", () => {
    const any = { namespace: "", service: "", labels: {} };
    const cases: [object, boolean][] = [
      [{}, true],
      [{ namespace: "default" }, true],
      [{ namespace: "other" }, false],
      [{ service: "productpage" }, true],
      [{ service: "productpage", namespace: "other" }, false],
      [{ labels: { version: "v1" } }, true],
      [{ labels: { version: "v2" } }, false],
      [{ labels: { constructor: "v2" } }, false],
    ];
    for (const [selector, expected] of cases) {
      assert.equal(isSource({ ...any, ...selector } as never, caller), expected, JSON.stringify(selector));
      assert.equal(fits({ source: selector }, {}), expected, JSON.stringify(selector));
    }
  });

  test("on gateways is for those alone; `mesh` is every proxy, and what is meant when none is named", () => {
    const gateway = ["mesh", "istio-system/edge"];
    assert.ok(fits({}, {}) && fits({}, {}, gateway));
    assert.ok(fits({ gateways: ["mesh"] }, {}));
    assert.ok(!fits({ gateways: ["istio-system/edge"] }, {}));
    assert.ok(fits({ gateways: ["other/edge", "istio-system/edge"] }, {}, gateway));
    assert.ok(!fits({ gateways: ["other/edge"] }, {}, gateway));
  });
});

test("an explanation says of each rule why it was passed over, chosen or never reached", () => {
  const rules = decoded(
    { rule: "elsewhere", match: { source: { namespace: "staging" } } },
    { rule: "edge", match: { gateways: ["istio-system/edge"] } },
    { rule: "versions", match: { source: { labels: { version: "v2" } } } },
    { rule: "admin", match: { port: 8080, headers: [{ name: "uri", prefix: "/admin" }] } },
    {
      rule: "user",
      match: {
        headers: [
          { name: "uri", prefix: "/a" },
          { name: "x-user", exact: "ann" },
        ],
      },
    },
    { rule: "hidden", match: { headers: [{ name: "x-user", present: true, invert: true }] } },
    { rule: "loud", match: { headers: [{ name: "x-user", regex: "[A-Z]+", ignoreCase: true, invert: true }] } },
    { rule: "debug", match: { queryParameters: [{ name: "debug", exact: "1" }] } },
    { rule: "all" },
    { rule: "default" },
  );
  const head = headOf({ path: "/api?x", headers: { "x-user": "bob" } });
  const passed = (rule: string, reason: string) => ({ rule, outcome: "passed over", reason });
  assert.deepEqual(explainRoutes(rules, { head, port: 9080 }, caller), [
    passed("elsewhere", "source namespace staging: the caller is in default"),
    passed("edge", "gateways istio-system/edge: this is mesh"),
    passed("versions", "source label version=v2: the caller has v1"),
    passed("admin", 'port 8080: the request has "9080"'),
    passed("user", 'header x-user exact "ann": the request has "bob"'),
    passed("hidden", 'header x-user absent: the request has "bob"'),
    passed("loud", 'header x-user not regex "[A-Z]+" in any case: the request has "bob"'),
    passed("debug", 'query parameter debug exact "1": the request has none'),
    { rule: "all", outcome: "chosen" },
    { rule: "default", outcome: "not reached", reason: "all comes first" },
  ]);
});

test("a long list of rules gives the same answer as trying them one by one", () => {
  const words = ["/", "/a", "/ab", "/a/b", "/b", "/b/", "/b/a+", "/ab*c", "/x?y", "/a|/b", "^/a/[ab]+", "/B", ""];
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const condition = (): HeaderMatchInput => {
    const word = words[random(words.length)] ?? "";
    const kinds = [{ exact: word }, { prefix: word }, { regex: word }, { prefix: word, ignoreCase: true }];
    return { name: "uri", ...kinds[random(kinds.length)], ...(random(5) === 0 && { invert: true }) };
  };
  const paths = [
    "/",
    "/a",
    "/a?x",
    "/ab",
    "/abc",
    "/abbc?/a",
    "/ac",
    "/a/b",
    "/a/ab",
    "/b/a",
    "/b/aa",
    "/B",
    "/x?y",
    "*",
  ];
  for (let round = 0; round < 200; round++) {
    const rules = Array.from({ length: 16 + random(20) }, (_, i): RouteInput => {
      const headers = [condition(), ...(random(3) === 0 ? [{ name: "x-user", exact: "ann" }] : [])];
      return {
        rule: `rule-${i}`,
        match: { headers: random(4) === 0 ? headers.slice(1) : headers, port: random(9) === 0 ? 1 : 0 },
      };
    });
    const routes = compileRoutes(decoded(...rules), caller, () => new Cluster("c"));
    const table = new RouteTable(routes);
    for (const path of paths) {
      for (const headers of [{}, { "x-user": "ann" }]) {
        const head = headOf({ path, headers });
        assert.equal(table.match(head, 9080)?.rule, matchRoute(routes, head, 9080)?.rule, `${round} ${path}`);
      }
    }
  }
});
