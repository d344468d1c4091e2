import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBookinfoConfig } from "../../samples/bookinfo/src/config.ts";
import { detailsRoutes } from "../../samples/bookinfo/src/details.ts";
import { cookieValue, forwardedHeaders, TRACE_HEADERS } from "../../samples/bookinfo/src/headers.ts";
import { productPageRoutes } from "../../samples/bookinfo/src/productpage.ts";
import { ratingsRoutes } from "../../samples/bookinfo/src/ratings.ts";
import { ratingsTimeoutMs, reviewsRoutes } from "../../samples/bookinfo/src/reviews.ts";
import type { Answer, Route } from "../../samples/bookinfo/src/server.ts";
import type { CallService } from "../../samples/bookinfo/src/service-client.ts";

interface Call {
  readonly service: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** A client that answers from a list (the last one again and again) and remembers what it was asked. */
function scriptedClient(...answers: (Awaited<ReturnType<CallService>> | Error)[]): {
  call: CallService;
  calls: Call[];
} {
  const calls: Call[] = [];
  const call: CallService = async (service, path, headers, timeoutMs) => {
    calls.push({ service, path, headers, timeoutMs });
    const answer = answers[Math.min(calls.length, answers.length) - 1] ?? new Error("nothing to answer");
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { call, calls };
}

async function get(
  routes: readonly Route[],
  path: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<Answer> {
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match !== null) return route.handle({ headers, parameters: match.slice(1), body });
  }
  throw new Error(`no route for ${path}`);
}

const log = () => {};
const SERVICES = { details: "details:9080", reviews: "reviews:9080", ratings: "ratings:9080" };
const RATINGS_OK = { status: 200, body: '{"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}' };

test("details answers the original's payload, and 400 to an id that is no number", async () => {
  const { body } = await get(detailsRoutes("v1"), "/details/0");
  assert.equal(
    body,
    '{"id":0,"author":"William Shakespeare","year":1595,"type":"paperback","pages":200,"publisher":"PublisherA","language":"English","ISBN-10":"1234567890","ISBN-13":"123-1234567890"}',
  );
  const bad = await get(detailsRoutes("v1"), "/details/abc");
  assert.equal(bad.status, 400);
  assert.equal(bad.body, '{"error":"please provide numeric product id"}');
});

test("details v2 has the modern edition", async () => {
  const { body } = await get(detailsRoutes("v2"), "/details/0");
  assert.equal((JSON.parse(body) as Record<string, unknown>)["ISBN-10"], "0486424618");
});

test("ratings answers the original's payload, and 400 to an id that is no number", async () => {
  assert.equal((await get(ratingsRoutes(), "/ratings/7")).body, '{"id":7,"ratings":{"Reviewer1":5,"Reviewer2":4}}');
  const bad = await get(ratingsRoutes(), "/ratings/x");
  assert.deepEqual([bad.status, bad.body], [400, '{"error":"please provide numeric product ID"}']);
});

test("reviews v1 never asks ratings", async () => {
  const { call, calls } = scriptedClient(RATINGS_OK);
  const answer = await get(
    reviewsRoutes({ ratingsEnabled: false, starColor: "black", ratings: "ratings:9080", call, log }),
    "/reviews/0",
  );
  assert.equal(
    answer.body,
    '{"id":"0","reviews":[{"reviewer":"Reviewer1","text":"An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!"},' +
      '{"reviewer":"Reviewer2","text":"Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare."}]}',
  );
  assert.equal(calls.length, 0);
});

test("reviews v2 adds black stars and forwards trace headers, user and agent", async () => {
  const { call, calls } = scriptedClient(RATINGS_OK);
  const routes = reviewsRoutes({ ratingsEnabled: true, starColor: "black", ratings: "ratings:9080", call, log });
  const headers = { cookie: "a=b; user=jason", "x-request-id": "r1", "user-agent": "test", accept: "*/*" };
  const { reviews } = JSON.parse((await get(routes, "/reviews/0", headers)).body) as { reviews: { rating: unknown }[] };
  assert.deepEqual(
    reviews.map((review) => review.rating),
    [
      { stars: 5, color: "black" },
      { stars: 4, color: "black" },
    ],
  );
  assert.deepEqual(calls, [
    {
      service: "ratings:9080",
      path: "/ratings/0",
      headers: { cookie: "user=jason", "x-request-id": "r1", "user-agent": "test" },
      timeoutMs: 10_000,
    },
  ]);
});

test("reviews waits ten seconds for black stars and two and a half for others", () => {
  assert.equal(ratingsTimeoutMs("black"), 10_000);
  assert.equal(ratingsTimeoutMs("red"), 2_500);
});

for (const [name, answer] of [
  ["a refusal", { status: 403, body: "denied" }],
  ["an exhausted quota", { status: 429, body: "" }],
  ["a server error", { status: 500, body: "{}" }],
  ["no answer", new Error("timeout")],
  ["a body that is no JSON", { status: 200, body: "<html>" }],
] as const) {
  test(`reviews still answers 200, with an error for each rating, after ${name} of ratings`, async () => {
    const { call } = scriptedClient(answer);
    const routes = reviewsRoutes({ ratingsEnabled: true, starColor: "red", ratings: "ratings:9080", call, log });
    const { status, body } = await get(routes, "/reviews/0");
    const { reviews } = JSON.parse(body) as { reviews: { rating: unknown }[] };
    assert.equal(status, 200);
    for (const review of reviews)
      assert.deepEqual(review.rating, { error: "Ratings service is currently unavailable" });
  });
}

test("the product interface passes a payload on, and an upstream status with the error text", async () => {
  for (const [answer, expected] of [
    [RATINGS_OK, { status: 200, body: RATINGS_OK.body }],
    [
      { status: 429, body: "x" },
      { status: 429, body: '{"error":"Sorry, product ratings are currently unavailable for this book."}' },
    ],
    [
      { status: 403, body: "x" },
      { status: 403, body: '{"error":"Sorry, product ratings are currently unavailable for this book."}' },
    ],
    [
      new Error("down"),
      { status: 500, body: '{"error":"Sorry, product ratings are currently unavailable for this book."}' },
    ],
  ] as const) {
    const { call, calls } = scriptedClient(answer);
    const { status, body } = await get(
      productPageRoutes({ services: SERVICES, call, log }),
      "/api/v1/products/0/ratings",
    );
    assert.deepEqual({ status, body }, expected);
    assert.equal(calls.length, 1);
  }
});

test("reviews are tried twice within three seconds each, details once", async () => {
  const { call, calls } = scriptedClient(new Error("down"));
  const { status, body } = await get(productPageRoutes({ services: SERVICES, call, log }), "/productpage");
  assert.equal(status, 200);
  assert.match(body, /Error fetching product details!/);
  assert.match(body, /Error fetching product reviews!/);
  assert.deepEqual(
    calls.map(({ path, timeoutMs }) => [path, timeoutMs]),
    [
      ["/details/0", 3000],
      ["/reviews/0", 3000],
      ["/reviews/0", 3000],
    ],
  );
});

test("login sets the cookie of any user name and returns to where the user was; logout removes it", async () => {
  const routes = productPageRoutes({ services: SERVICES, call: scriptedClient().call, log });
  const login = await get(routes, "/login", { referer: "http://shop/productpage?u=1" }, "username=jason&passwd=x");
  assert.equal(login.status, 302);
  assert.deepEqual(login.headers, { location: "http://shop/productpage?u=1", "set-cookie": "user=jason; Path=/" });
  const strange = await get(routes, "/login", {}, "username=a%3Bb%0D%0A");
  assert.deepEqual(strange.headers, { location: "/productpage", "set-cookie": "user=a%3Bb%0D%0A; Path=/" });
  const logout = await get(routes, "/logout", {});
  assert.match(logout.headers?.["set-cookie"] ?? "", /^user=; .*Expires=Thu, 01 Jan 1970/);
});

test("the trace headers and the user's cookie are forwarded, nothing else", () => {
  const headers: Record<string, string> = {
    host: "shop",
    cookie: "session=s3cret;user=jason; x=y",
    authorization: "Bearer x",
  };
  for (const name of TRACE_HEADERS) headers[name] = `value of ${name}`;
  const forwarded = forwardedHeaders(headers);
  assert.deepEqual(Object.keys(forwarded).sort(), ["cookie", ...TRACE_HEADERS].sort());
  assert.equal(forwarded["cookie"], "user=jason");
  assert.equal(cookieValue({ cookie: "superuser=x" }, "user"), undefined);
});

test("the settings' faults are listed together", () => {
  assert.throws(
    () => parseBookinfoConfig({ PORT: "x", STAR_COLOR: '"', HTTP_PROXY: "ftp://a", RATINGS: "a/b" }),
    (error: Error) => {
      for (const name of ["PORT", "STAR_COLOR", "HTTP_PROXY", "RATINGS"])
        assert.match(error.message, new RegExp(`^${name}: `, "m"));
      return true;
    },
  );
  const config = parseBookinfoConfig({ PORT: "0", ENABLE_RATINGS: "true", HTTP_PROXY: "http://127.0.0.1:15001" });
  assert.equal(config.proxy?.port, "15001");
  assert.deepEqual(config.services, SERVICES);
});
