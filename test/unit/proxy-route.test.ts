import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { Exchange } from "../../services/proxy/filter/exchange.ts";
import { drawExponential, FaultFilter } from "../../services/proxy/filter/fault.ts";
import { FilterChain } from "../../services/proxy/filter/filter-chain.ts";
import { drawMirrors } from "../../services/proxy/filter/mirror.ts";
import { forwardByRoute } from "../../services/proxy/outbound/forward.ts";
import { splitAuthority } from "../../services/proxy/route/authority.ts";
import { matchRoute } from "../../services/proxy/route/matching.ts";
import { compileRoutes, type ServiceRoute } from "../../services/proxy/route/service-route.ts";
import { WeightedChoice } from "../../services/proxy/route/weighted-choice.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { DownstreamStream, RequestHead, ResponseHead } from "../../services/proxy/stream/stream.ts";
import { type Input, type Route, ServiceConfig } from "../../shared/wire/index.ts";

type RouteInput = NonNullable<Input<typeof ServiceConfig>["routes"]>[number];

const caller: Peer = {
  ...UNKNOWN_PEER,
  namespace: "default",
  service: "productpage",
  labels: { app: "productpage", version: "v1" },
};

/** Through the wire and back, so that absent fields are as a follower sees them. */
function decoded(routes: readonly RouteInput[]): readonly Route[] {
  return ServiceConfig.decode(ServiceConfig.encode({ routes: [...routes] })).routes;
}

function compiled(...routes: RouteInput[]): ServiceRoute[] {
  return compileRoutes(decoded(routes), caller, (destination) => new Cluster(destination?.service ?? ""));
}

function head(
  path: string,
  fields: Readonly<Record<string, string>> = {},
  method = "GET",
  authority = "reviews",
): RequestHead {
  const headers = new HeaderList();
  for (const [name, value] of Object.entries(fields)) headers.add(name, name.toLowerCase(), value);
  return { method, authority, scheme: "http", path, headers };
}

const to = (version: string, weight = 100) => ({
  destination: { namespace: "default", service: "reviews", labels: { version } },
  weight,
});

describe("routes", () => {
  const rule = (
    name: string,
    ...conditions: { name: string; exact?: string; prefix?: string; regex?: string }[]
  ): RouteInput => ({
    rule: name,
    match: { headers: conditions },
    destinations: [to("v1")],
  });
  const chosen = (routes: ServiceRoute[], request: RequestHead): string | undefined =>
    matchRoute(routes, request, 9080)?.rule;

  test("are tried in the order given, and the first that fits is taken", () => {
    const routes = compiled(
      rule("b", { name: "uri", prefix: "/" }),
      rule("a", { name: "uri", exact: "/x" }),
      rule("default"),
    );
    assert.equal(chosen(routes, head("/x")), "b");
    assert.equal(chosen(routes, head("*")), "default");
  });

  test("end with the first that fits every request", () => {
    const routes = compiled(
      rule("a", { name: "uri", exact: "/a" }),
      rule("all"),
      rule("never", { name: "uri", exact: "/b" }),
      rule("default"),
    );
    assert.deepEqual(
      routes.map((route) => route.rule),
      ["a", "all"],
    );
  });

  test("compare the path without its query", () => {
    const routes = compiled(
      rule("exact", { name: "uri", exact: "/reviews" }),
      rule("prefix", { name: "uri", prefix: "/rev" }),
      rule("regex", { name: "uri", regex: "/[a-z]+/[0-9]" }),
    );
    assert.equal(chosen(routes, head("/reviews?x=/y")), "exact");
    assert.equal(chosen(routes, head("/reviews/1?x")), "prefix");
    assert.equal(chosen(routes, head("/ratings/1")), "regex");
    assert.equal(chosen(routes, head("/ratings/12")), undefined, "a regex must fit the whole value");
    assert.equal(chosen(routes, head("/?/reviews")), undefined);
  });

  test("compare method, scheme, authority and fields; all conditions must hold", () => {
    const routes = compiled(
      rule("both", { name: "method", exact: "POST" }, { name: "x-user", prefix: "ja" }),
      rule("authority", { name: "authority", prefix: "ratings" }),
      rule("scheme", { name: "scheme", exact: "https" }),
    );
    assert.equal(chosen(routes, head("/", { "X-User": "jason" }, "POST")), "both");
    assert.equal(chosen(routes, head("/", { "X-User": "jason" })), undefined);
    assert.equal(chosen(routes, head("/", {}, "POST")), undefined);
    assert.equal(chosen(routes, head("/", {}, "GET", "ratings:9080")), "authority");
    assert.equal(chosen(routes, { ...head("/"), scheme: "https" }), "scheme");
  });

  test("see several lines of one field as one value, and cookies as one cookie", () => {
    const routes = compiled(
      rule("cookie", { name: "cookie", regex: "^(.*?;)?\\s*(user=jason)(;.*)?$" }),
      rule("list", { name: "x-list", exact: "a,b" }),
    );
    const request = head("/");
    for (const value of ["first=1", "user=jason"]) request.headers.add("Cookie", "cookie", value);
    assert.equal(chosen(routes, request), "cookie");
    const listed = head("/", { "x-list": "a" });
    listed.headers.add("X-List", "x-list", "b");
    assert.equal(chosen(routes, listed), "list");
    assert.equal(chosen(routes, head("/", { cookie: "user=jasonx" })), undefined);
  });

  test("for other callers are left out when the snapshot is made", () => {
    const from = (source: NonNullable<RouteInput["match"]>["source"], name: string): RouteInput => ({
      rule: name,
      match: { source: source ?? null },
      destinations: [to("v1")],
    });
    const names = (...routes: RouteInput[]): string[] => compiled(...routes).map((route) => route.rule);
    const source = { namespace: "default", service: "productpage", labels: { version: "v1" } };
    assert.deepEqual(names(from(source, "mine"), rule("default")), ["mine"]);
    assert.deepEqual(names(from({ ...source, service: "details" }, "other"), rule("default")), ["default"]);
    assert.deepEqual(names(from({ ...source, namespace: "staging" }, "elsewhere"), rule("default")), ["default"]);
    assert.deepEqual(names(from({ ...source, labels: { version: "v2" } }, "version"), rule("default")), ["default"]);
    assert.deepEqual(names(from({ ...source, labels: { toString: "x" } }, "inherited"), rule("default")), ["default"]);
    assert.deepEqual(
      names(from({ namespace: "", service: "", labels: { app: "productpage" } }, "labels"), rule("default")),
      ["labels"],
    );
  });
});

describe("a choice by weight", () => {
  const count = (choice: WeightedChoice<string>, picks: number): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < picks; i++) {
      const value = choice.next() ?? "none";
      counts[value] = (counts[value] ?? 0) + 1;
    }
    return counts;
  };
  const items = (weights: Readonly<Record<string, number>>) =>
    Object.entries(weights).map(([value, weight]) => ({ value, weight }));

  test("is exact over every hundred picks, wherever it starts", () => {
    for (const weights of [
      { a: 50, b: 50 },
      { a: 75, b: 25 },
      { a: 99, b: 1 },
      { a: 20, b: 30, c: 50 },
    ]) {
      for (const start of [0, 0.137, 0.5, 0.999]) {
        const choice = new WeightedChoice(items(weights), () => start);
        for (let round = 0; round < 3; round++) assert.deepEqual(count(choice, 100), weights);
      }
    }
  });

  test("alternates rather than running in blocks", () => {
    const choice = new WeightedChoice(items({ a: 50, b: 50 }), () => 0);
    const picks = Array.from({ length: 6 }, () => choice.next()).join("");
    assert.match(picks, /^(ab){3}$|^(ba){3}$/);
  });

  test("never picks a weight of zero, unless all are: then the first", () => {
    assert.deepEqual(count(new WeightedChoice(items({ a: 0, b: 100 })), 10), { b: 10 });
    assert.deepEqual(count(new WeightedChoice(items({ a: 0, b: 0 })), 10), { a: 10 });
    assert.equal(new WeightedChoice<string>([]).next(), undefined);
  });
});

class Answer implements DownstreamStream {
  head: ResponseHead | undefined;
  sendInterim(): void {}
  sendHead(answered: ResponseHead): void {
    this.head = answered;
  }
  sendData(): boolean {
    return true;
  }
  setDeadline(): void {}
  holds(): boolean {
    return false;
  }
  flush(): void {}
  pause(): void {}
  resume(): void {}
  reset(): void {}
}

function exchangeOf(request: RequestHead, answer = new Answer()): Exchange {
  const record = new RequestRecord("outbound", request, { ...caller, ip: "10.0.0.9" }, UNKNOWN_PEER, false);
  return new Exchange(request, true, answer, record, new FilterChain([]));
}

describe("a chosen route", () => {
  const forward = (route: RouteInput, request: RequestHead) => {
    const [first] = compiled(route);
    assert.ok(first !== undefined);
    const answer = new Answer();
    const exchange = exchangeOf(request, answer);
    exchange.servicePort = 9080;
    return { plan: forwardByRoute(exchange, first), exchange, answer, request };
  };
  const prefix = { headers: [{ name: "uri", prefix: "/v1/" }] };

  test("rewrites the matched prefix and keeps the rest and the query", () => {
    const { request } = forward(
      { rule: "r", match: prefix, destinations: [to("v1")], rewrite: { uri: "/api/", authority: "ratings" } },
      head("/v1/a/b?c=/v1/"),
    );
    assert.equal(request.path, "/api/a/b?c=/v1/");
    assert.equal(request.authority, "ratings");
  });

  test("rewrites the longest of several prefixes, and the whole path where it is matched exactly too", () => {
    const rewritten = (...conditions: object[]): string => {
      const headers = conditions.map((condition) => ({ name: "uri", ...condition }));
      const route = { rule: "r", match: { headers }, destinations: [to("v1")], rewrite: { uri: "/new" } };
      return forward(route, head("/a/b/c")).request.path;
    };
    assert.equal(
      rewritten({ regex: "/.*" }, { prefix: "/a" }, { prefix: "/a/b" }, { prefix: "/a/b/c", invert: true }),
      "/new/c",
    );
    assert.equal(rewritten({ prefix: "/a" }, { exact: "/a/b/c" }), "/new");
  });

  test("rewrites the whole path when it was not matched by prefix", () => {
    const { request } = forward(
      { rule: "r", destinations: [to("v1")], rewrite: { uri: "/new" } },
      head("/old/path?q=1"),
    );
    assert.equal(request.path, "/new?q=1");
    assert.equal(request.authority, "reviews");
  });

  test("has the host that its header operations set, a destination's before a rewrite's before the route's", () => {
    const host = (value: string) => ({ set: [{ name: "Host", value }], add: [{ name: "x-a", value: "1" }] });
    const byRoute = { rule: "r", destinations: [to("v1")], requestHeaders: host("route.example:81") };
    const byRewrite = { ...byRoute, rewrite: { authority: "rewrite.example" } };
    const byDestination = {
      ...byRewrite,
      destinations: [{ ...to("v1"), requestHeaders: host("destination.example") }],
    };
    const asked = [byRoute, byRewrite, byDestination].map((route) => forward(route, head("/")).request);
    assert.deepEqual(
      asked.map(({ authority }) => authority),
      ["route.example:81", "rewrite.example", "destination.example"],
    );
    for (const { headers } of asked) assert.deepEqual([headers.get("host"), headers.get("x-a")], [undefined, "1"]);
    const added = { rule: "r", destinations: [to("v1")], requestHeaders: { add: [{ name: "host", value: "added" }] } };
    assert.equal(forward(added, head("/")).request.authority, "added");
  });

  test("redirects with 302 to the given path and host, else to the same", () => {
    const both = forward({ rule: "r", redirect: { uri: "/there", authority: "ratings:80" } }, head("/here?q"));
    assert.equal(both.plan, undefined);
    assert.equal(both.answer.head?.status, 302);
    assert.equal(both.answer.head?.headers.get("location"), "http://ratings:80/there?q");
    const host = forward({ rule: "r", redirect: { authority: "ratings" } }, head("/here?q"));
    assert.equal(host.answer.head?.headers.get("location"), "http://ratings/here?q");
  });

  test("redirects to the port that it names, that was called, or that the scheme has", () => {
    const location = (redirect: RouteInput["redirect"], authority = "reviews:9080") =>
      forward({ rule: "r", redirect: redirect ?? null }, head("/", {}, "GET", authority)).answer.head?.headers.get(
        "location",
      );
    const [called, scheme] = [{ derivePort: "FROM_REQUEST_PORT" }, { derivePort: "FROM_PROTOCOL_DEFAULT" }];
    assert.equal(location(called, "reviews"), "http://reviews:9080/");
    assert.equal(location({ ...called, authority: "a.example" }), "http://a.example:9080/");
    assert.equal(location({ ...called, scheme: "https", authority: "a.example:1" }), "https://a.example:9080/");
    assert.equal(location(scheme), "http://reviews/");
    assert.equal(location({ ...scheme, scheme: "https", authority: "a.example:1" }), "https://a.example/");
    assert.equal(location({ ...called, port: 443, scheme: "https" }), "https://reviews/");
  });

  test("appends headers to those that are there", () => {
    const { request } = forward(
      { rule: "r", destinations: [to("v1")], appendHeaders: [{ name: "X-Tag", value: "b" }] },
      head("/", { "x-tag": "a" }),
    );
    assert.deepEqual(request.headers.lines, ["x-tag: a\r\n", "X-Tag: b\r\n"]);
  });

  test("takes timeouts and attempts from the request where the rule allows, within bounds", () => {
    const route: RouteInput = {
      rule: "r",
      destinations: [to("v1")],
      timeout: { timeoutMs: 1_000, overrideHeader: "X-Timeout" },
      retry: { attempts: 2, perTryTimeoutMs: 50, overrideHeader: "x-tries" },
    };
    const limits = (fields: Record<string, string>) => {
      const { plan } = forward(route, head("/", fields));
      return [plan?.timeoutMs, plan?.attempts, plan?.perTryTimeoutMs];
    };
    assert.deepEqual(limits({}), [1_000, 2, 50]);
    assert.deepEqual(limits({ "x-timeout": "30", "x-tries": "0" }), [30, 0, 50]);
    assert.deepEqual(limits({ "x-timeout": "-1", "x-tries": "1e3" }), [1_000, 2, 50]);
    assert.deepEqual(limits({ "x-timeout": "9999999", "x-tries": "500" }), [3_600_000, 10, 50]);
  });

  test("gives way to what the application asks for its own request", () => {
    const limits = (route: RouteInput, overrides: Exchange["overrides"]) => {
      const [first] = compiled({ rule: "r", destinations: [to("v1")], ...route });
      const exchange = exchangeOf(head("/"));
      exchange.overrides = overrides;
      const plan = first === undefined ? undefined : forwardByRoute(exchange, first);
      const busy = { status: 409, headers: new HeaderList() };
      return [plan?.timeoutMs, plan?.attempts, plan?.retry?.onAnswer(busy)];
    };
    const none = { timeoutMs: undefined, maxRetries: undefined, retryOn: undefined };
    const ruled: RouteInput = { timeout: { timeoutMs: 1_000 }, retry: { attempts: 2 } };
    assert.deepEqual(limits(ruled, undefined), [1_000, 2, false]);
    assert.deepEqual(limits(ruled, { timeoutMs: 0, maxRetries: 5, retryOn: ["retriable-4xx"] }), [0, 5, true]);
    assert.deepEqual(limits(ruled, { ...none, retryOn: ["nonsense"] }), [1_000, 2, false]);
    assert.deepEqual(limits({}, none), [0, 0, undefined]);
    assert.deepEqual(limits({}, { ...none, retryOn: ["retriable-4xx", "nonsense"] }), [0, 1, true]);
  });

  test("without a destination is answered with 503", () => {
    const { plan, answer } = forward({ rule: "r" }, head("/"));
    assert.equal(plan, undefined);
    assert.equal(answer.head?.status, 503);
  });
});

describe("a route's hash", () => {
  type Policies = NonNullable<RouteInput["hashPolicies"]>;
  const hashOf = (policies: Policies, request: RequestHead, edge = ""): [number | undefined, string | undefined] => {
    const [route] = compiled({ rule: "r", destinations: [to("v1")], hashPolicies: policies });
    assert.ok(route !== undefined);
    const answer = new Answer();
    const exchange = exchangeOf(request, answer);
    if (edge !== "") exchange.edgeSource = { ...UNKNOWN_PEER, ip: edge };
    const hash = forwardByRoute(exchange, route)?.hash;
    exchange.reply(200, "direct_response", "", "");
    return [hash, answer.head?.headers.get("set-cookie")];
  };
  const user = (value: string) => head("/", { "X-User": value });

  test("is a number of 32 bits that depends on the named part alone", () => {
    const byUser: Policies = [{ header: "x-User" }];
    const [ann] = hashOf(byUser, user("ann"));
    assert.ok(ann !== undefined && Number.isInteger(ann) && ann >= 0 && ann < 2 ** 32);
    assert.equal(hashOf(byUser, head("/other", { "x-user": "ann", more: "1" }))[0], ann);
    assert.notEqual(hashOf(byUser, user("anna"))[0], ann);
    assert.equal(hashOf(byUser, head("/"))[0], undefined, "nothing to hash: the balancer is free");
    const byQuery: Policies = [{ queryParameter: "q" }];
    assert.equal(hashOf(byQuery, head("/?q=ann"))[0], ann);
    assert.equal(hashOf(byQuery, head("/?qq=ann"))[0], undefined);
    const byAddress: Policies = [{ sourceIp: true }];
    assert.notEqual(hashOf(byAddress, head("/"))[0], hashOf(byAddress, head("/"), "192.0.2.1")[0]);
    assert.equal(hashOf(byAddress, head("/"))[0], hashOf([{ header: "x-user" }], user("10.0.0.9"))[0]);
  });

  test("spreads keys that hardly differ over all the numbers", () => {
    const slots = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const [hash = 0] = hashOf([{ header: "x-user" }], user(`user-${i}`));
      const slot = Math.floor(hash / 2 ** 28);
      slots[slot] = (slots[slot] ?? 0) + 1;
    }
    for (const count of slots) assert.ok(Math.abs(count - 1000) < 150, String(slots));
  });

  test("takes a cookie, and makes one for a client that has none when it may", () => {
    const cookie = (ttlMs: number): Policies => [{ cookie: { name: "lb", path: "/shop", ttlMs } }];
    const [sent, answered] = hashOf(cookie(1_500), head("/", { cookie: 'a=b; lb="x"; c=d' }));
    assert.equal(sent, hashOf([{ header: "x-user" }], user("x"))[0]);
    assert.equal(answered, undefined);
    const [made, header] = hashOf(cookie(1_500), head("/", { cookie: "lbx=1" }));
    const value = /^lb="([0-9a-f]{16})"; Max-Age=2; Path=\/shop; HttpOnly$/.exec(header ?? "")?.[1];
    assert.ok(value !== undefined, header);
    assert.equal(hashOf(cookie(1_500), head("/", { cookie: `lb=${value}` }))[0], made, "the cookie leads back");
    assert.deepEqual(hashOf(cookie(0), head("/")), [undefined, undefined]);
    const [, forSession] = hashOf(cookie(-1), head("/"));
    assert.match(forSession ?? "", /^lb="[0-9a-f]{16}"; Path=\/shop; HttpOnly$/);
  });

  test("combines several values, up to a terminal policy that found one", () => {
    const both = (terminal: boolean): Policies => [{ header: "x-user", terminal }, { queryParameter: "q" }];
    const request = (path: string) => head(path, { "x-user": "ann" });
    assert.notEqual(hashOf(both(false), request("/?q=1"))[0], hashOf(both(false), request("/?q=2"))[0]);
    assert.equal(hashOf(both(true), request("/?q=1"))[0], hashOf(both(true), request("/?q=2"))[0]);
    assert.notEqual(hashOf(both(true), head("/?q=1"))[0], hashOf(both(true), head("/?q=2"))[0]);
  });
});

test("mirrors and faults draw fractions of a percent, each on its own", () => {
  const cluster = new Cluster("c");
  const draws = [0.0049, 0.0051, 0.5];
  const mirrors = [0.5, 0.5, 50, 0, 100].map((percent) => ({ cluster, percent, port: 0 }));
  const drawn = drawMirrors(mirrors, () => draws.shift() ?? 0);
  assert.deepEqual(drawn, [mirrors[0], mirrors[4]]);
  const [route] = compiled({
    rule: "r",
    destinations: [to("v1")],
    fault: { abort: { percent: 0.5, httpStatus: 500 } },
  });
  const outcomes = [0.0049, 0.0051, 0.9].map((draw) => {
    const exchange = exchangeOf(head("/"));
    exchange.route = route;
    return new FaultFilter(() => draw).onRequest(exchange);
  });
  assert.deepEqual(outcomes, ["wait", "continue", "continue"]);
});

test("exponential delays have their mean and their median, and an end", () => {
  const count = 20_000;
  const drawn = Array.from({ length: count }, (_, i) => drawExponential(100, (i + 0.5) / count));
  const mean = drawn.reduce((sum, each) => sum + each, 0) / count;
  assert.ok(Math.abs(mean - 100) < 0.5, String(mean));
  const median = drawn[count / 2] ?? 0;
  assert.ok(Math.abs(median - 100 * Math.LN2) < 0.1, String(median));
  assert.equal(drawExponential(100, 0), 0);
  assert.equal(drawExponential(100, 1 - Number.EPSILON / 2), 1_000);
});

describe("a route that cannot be carried out", () => {
  const cases: [what: string, route: RouteInput, reason: RegExp][] = [
    ["sets a Host that is none", { requestHeaders: { set: [{ name: "Host", value: "a b" }] } }, /"a b" is not a host/],
    ["answers with a Host", { responseHeaders: { set: [{ name: "Host", value: "x" }] } }, /host must not be changed/],
    ["removes Host", { requestHeaders: { remove: ["host"] } }, /header host must not be changed/],
    [
      "changes a pseudo header",
      { requestHeaders: { add: [{ name: ":path", value: "/" }] } },
      /":path" is not a header/,
    ],
    ["changes the framing", { responseHeaders: { remove: ["Content-Length"] } }, /content-length must not be changed/],
    ["splits an answer", { responseHeaders: { set: [{ name: "a", value: "b\r\nc: d" }] } }, /no header may carry/],
    ["redirects with 200", { redirect: { uri: "/x", code: 200 } }, /cannot answer 200/],
    ["derives a port from nothing", { redirect: { derivePort: "FROM_HERE" } }, /cannot be derived FROM_HERE/],
    ["answers 101", { directResponse: { status: 101 } }, /cannot answer 101/],
    ["rewrites by a group that is not there", { rewrite: { regex: "a(b)", substitution: "\\2" } }, /no group \\2/],
    ["rewrites to a line break", { rewrite: { regex: "a", substitution: "\r\n" } }, /no path may carry/],
    ["hashes nothing", { hashPolicies: [{ terminal: true }] }, /nothing to hash/],
  ];
  for (const [what, route, reason] of cases) {
    test(`never comes into force: one that ${what}`, () => {
      assert.throws(() => compiled({ rule: "r", destinations: [to("v1")], ...route }), reason);
    });
  }
});

test("an authority is split into host and port, also with an IPv6 address", () => {
  assert.deepEqual(splitAuthority("reviews:9080"), { host: "reviews", port: 9080 });
  assert.deepEqual(splitAuthority("reviews"), { host: "reviews", port: undefined });
  assert.deepEqual(splitAuthority("[::1]:80"), { host: "[::1]", port: 80 });
  assert.deepEqual(splitAuthority("[::1]"), { host: "[::1]", port: undefined });
});
