import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { Exchange } from "../../services/proxy/filter/exchange.ts";
import { forwardByRoute } from "../../services/proxy/outbound/forward.ts";
import { splitAuthority } from "../../services/proxy/outbound/resolve.ts";
import { compileRoutes, matchRoute, type ServiceRoute } from "../../services/proxy/route/service-route.ts";
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
  return compileRoutes(decoded(routes), caller, (route, index) => new Cluster(`${route.rule}#${index}`));
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
    matchRoute(routes, request)?.rule;

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
  flush(): void {}
  pause(): void {}
  resume(): void {}
  reset(): void {}
}

describe("a chosen route", () => {
  const forward = (route: RouteInput, request: RequestHead) => {
    const [first] = compiled(route);
    assert.ok(first !== undefined);
    const answer = new Answer();
    const exchange = new Exchange(
      request,
      true,
      answer,
      new RequestRecord("outbound", request, caller, UNKNOWN_PEER, false),
      [],
    );
    exchange.servicePort = 9080;
    return { plan: forwardByRoute(exchange, first), answer, request };
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

  test("rewrites the whole path when it was not matched by prefix", () => {
    const { request } = forward(
      { rule: "r", destinations: [to("v1")], rewrite: { uri: "/new" } },
      head("/old/path?q=1"),
    );
    assert.equal(request.path, "/new?q=1");
    assert.equal(request.authority, "reviews");
  });

  test("redirects with 302 to the given path and host, else to the same", () => {
    const both = forward({ rule: "r", redirect: { uri: "/there", authority: "ratings:80" } }, head("/here?q"));
    assert.equal(both.plan, undefined);
    assert.equal(both.answer.head?.status, 302);
    assert.equal(both.answer.head?.headers.get("location"), "http://ratings:80/there");
    const host = forward({ rule: "r", redirect: { authority: "ratings" } }, head("/here?q"));
    assert.equal(host.answer.head?.headers.get("location"), "http://ratings/here?q");
  });

  test("appends headers to those that are there", () => {
    const { request } = forward(
      { rule: "r", destinations: [to("v1")], appendHeaders: [{ name: "X-Tag", value: "b" }] },
      head("/", { "x-tag": "a" }),
    );
    assert.deepEqual(
      [request.headers.names, request.headers.values],
      [
        ["x-tag", "X-Tag"],
        ["a", "b"],
      ],
    );
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

  test("without a destination is answered with 503", () => {
    const { plan, answer } = forward({ rule: "r" }, head("/"));
    assert.equal(plan, undefined);
    assert.equal(answer.head?.status, 503);
  });
});

test("an authority is split into host and port, also with an IPv6 address", () => {
  assert.deepEqual(splitAuthority("reviews:9080"), { host: "reviews", port: 9080 });
  assert.deepEqual(splitAuthority("reviews"), { host: "reviews", port: undefined });
  assert.deepEqual(splitAuthority("[::1]:80"), { host: "[::1]", port: 80 });
  assert.deepEqual(splitAuthority("[::1]"), { host: "[::1]", port: undefined });
});
