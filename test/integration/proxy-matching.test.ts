import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteMatchInput } from "../../shared/wire/index.ts";
import { exchange } from "../harness/raw-client.ts";
import { withRoutes } from "../harness/with-routes.ts";

/** What each condition of a route means, byte by byte as a client sends it: the caller is `caller` in `default`, v1. */

const self = { labels: { app: "caller", version: "v1" } };
const uri = (match: object): RouteMatchInput => ({ headers: [{ name: "uri", ...match }] });
const field = (name: string, match: object): RouteMatchInput => ({ headers: [{ name, ...match }] });
const query = (match: object): RouteMatchInput => ({ queryParameters: [{ name: "debug", ...match }] });

/** A start line without its version, and fields. */
const get = (target: string, ...fields: string[]): string[] => [`GET ${target}`, "Host: reviews:9080", ...fields];

type Case = readonly [what: string, match: RouteMatchInput, meets: readonly string[][], fails: readonly string[][]];

const CASES: readonly Case[] = [
  ["an exact uri", uri({ exact: "/a" }), [get("/a"), get("/a?b")], [get("/A"), get("/a/"), get("/b?/a")]],
  ["a prefix of the uri", uri({ prefix: "/a" }), [get("/a"), get("/ab?c")], [get("/A"), get("/b")]],
  ["a regex of the uri", uri({ regex: "/v[0-9]+/.*" }), [get("/v12/a?b")], [get("/v/a"), get("/x/v1/a")]],
  ["a uri in any case", uri({ prefix: "/Api/", ignoreCase: true }), [get("/aPI/x")], [get("/ap/x")]],
  ["another uri", uri({ prefix: "/a", invert: true }), [get("/b")], [get("/ab")]],
  [
    "a scheme",
    field("scheme", { exact: "https" }),
    [["GET https://reviews:9080/", "Host: reviews:9080"]],
    [["GET http://reviews:9080/", "Host: reviews:9080"], get("/")],
  ],
  [
    "a method",
    field("method", { exact: "PATCH" }),
    [["PATCH /", "Host: reviews:9080", "Content-Length: 0"]],
    [get("/"), ["PUT /", "Host: reviews:9080", "Content-Length: 0"]],
  ],
  [
    "an authority",
    field("authority", { prefix: "reviews.default" }),
    [
      ["GET /", "Host: reviews.default:9080"],
      ["GET http://reviews.default:9080/", "Host: reviews:9080"],
    ],
    [get("/"), ["GET http://reviews:9080/", "Host: reviews.default:9080"]],
  ],
  [
    "a field",
    field("X-User", { exact: "jason" }),
    [get("/", "X-USER: jason")],
    [get("/"), get("/", "X-User: Jason"), get("/", "X-User: jason", "X-User: mary")],
  ],
  ["a field that is there", field("x-user", { present: true }), [get("/", "X-User:")], [get("/", "X-Users: a")]],
  [
    "a cookie",
    field("cookie", { regex: "(.*?;)?\\s*(user=jason)(;.*)?" }),
    [get("/", "Cookie: a=b; user=jason"), get("/", "Cookie: a=b", "Cookie: user=jason")],
    [get("/"), get("/", "Cookie: user=jasons")],
  ],
  ["the lack of a field", field("x-user", { present: true, invert: true }), [get("/")], [get("/", "x-user: anybody")]],
  [
    "the lack of a value",
    field("x-user", { exact: "jason", invert: true }),
    [get("/"), get("/", "x-user: mary")],
    [get("/", "x-user: jason")],
  ],
  [
    "a query parameter",
    query({ exact: "1" }),
    [get("/?debug=1"), get("/?a&debug=1&b")],
    [get("/"), get("/?debug=2"), get("/?xdebug=1"), get("/debug=1")],
  ],
  ["a query parameter without a value", query({ present: true }), [get("/?debug"), get("/?debug=")], [get("/?debugs")]],
  [
    "all of several conditions",
    {
      headers: [
        { name: "uri", prefix: "/a" },
        { name: "x-user", exact: "jason" },
      ],
      queryParameters: [{ name: "b", exact: "1" }],
    },
    [get("/a?b=1", "x-user: jason")],
    [get("/a?b=1"), get("/a", "x-user: jason"), get("/?b=1", "x-user: jason")],
  ],
  ["the port", { port: 9080 }, [get("/")], []],
  ["another port", { port: 9081 }, [], [get("/")]],
  ["the caller's service", { source: { service: "caller" } }, [get("/")], []],
  ["another caller", { source: { service: "other" } }, [], [get("/")]],
  ["the caller's namespace", { source: { namespace: "default" } }, [get("/")], []],
  ["another namespace", { source: { namespace: "prod" } }, [], [get("/")]],
  ["the caller's labels", { source: { labels: { version: "v1" } } }, [get("/")], []],
  ["other labels", { source: { labels: { version: "v1", app: "other" } } }, [], [get("/")]],
  ["every sidecar", { gateways: ["edge", "mesh"] }, [get("/")], []],
  ["a gateway", { gateways: ["edge"] }, [], [get("/")]],
];

describe("a route for", () => {
  for (const [what, match, meets, fails] of CASES) {
    test(`${what} gets those requests and no others`, async () => {
      const to = (service: string) => [{ destination: { namespace: "default", service }, weight: 1 }];
      const routes = [
        { rule: "it", match, destinations: to("chosen") },
        { rule: "else", destinations: to("other") },
      ];
      const application = (name: string) => () => ({ headers: { "x-service": name }, body: "ok" });
      await withRoutes(
        routes,
        { chosen: application("chosen"), other: application("other") },
        async ({ port }) => {
          const serviceOf = async ([start = "", ...fields]: string[]): Promise<string | undefined> => {
            const text = [`${start} HTTP/1.1`, ...fields, "Connection: close", "", ""].join("\r\n");
            return /^x-service: (\w+)/im.exec(await exchange(port, text))?.[1];
          };
          for (const lines of meets) assert.equal(await serviceOf(lines), "chosen", lines.join(", "));
          for (const lines of fails) assert.equal(await serviceOf(lines), "other", lines.join(", "));
        },
        { self },
      );
    });
  }
});
