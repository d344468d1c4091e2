import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CompiledMesh } from "../harness/compiled-mesh.ts";
import { eventually } from "../harness/eventually.ts";
import { withRoutes } from "../harness/with-routes.ts";

/** From resources as people write them, through Pilot's compiler and the message, to what happens to a request. */
function routesOf(http: string, ...others: string[]) {
  const mesh = new CompiledMesh();
  for (const service of ["reviews", "ratings"]) mesh.add(service, {});
  for (const document of others) mesh.apply(document);
  const { pending } = mesh.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [reviews]
  http: [${http}]
`);
  assert.equal(pending, undefined);
  return mesh.config("reviews").routes;
}

const TO_REVIEWS = "route: [{destination: {host: reviews}}]";
const TO_RATINGS = "route: [{destination: {host: ratings}}]";

const named = (body: string) => () => ({ body });

describe("a VirtualService", () => {
  test("sends requests where the first route that fits says, and answers 404 where none fits", async () => {
    const routes = routesOf(`
      {match: [{uri: {prefix: /ratings}, headers: {x-user: {exact: jason}}}], ${TO_RATINGS}},
      {match: [{uri: {prefix: /ratings}, withoutHeaders: {x-bot: {}}}, {queryParams: {all: {exact: "1"}}}], ${TO_REVIEWS}}`);
    await withRoutes(routes, { reviews: named("reviews"), ratings: named("ratings") }, async (proxy) => {
      assert.equal((await proxy.call("/ratings/1", { headers: { "x-user": "jason" } })).body, "ratings");
      assert.equal((await proxy.call("/ratings/1")).body, "reviews");
      assert.equal((await proxy.call("/any?all=1")).body, "reviews");
      assert.equal((await proxy.call("/ratings/1", { headers: { "x-bot": "1" } })).status, 404);
      assert.equal((await proxy.call("/any")).status, 404);
    });
  });

  test("hands over to another one, whose conditions hold beside its own and whose prefix is rewritten", async () => {
    const delegate = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: part}
spec:
  http:
  - match: [{uri: {prefix: /shop/ratings}}]
    rewrite: {uri: /v1}
    ${TO_RATINGS}
  - ${TO_REVIEWS}
`;
    const handsOver =
      "{match: [{uri: {prefix: /shop}}], headers: {request: {set: {x-from: shop}}}, delegate: {name: part}}";
    const routes = routesOf(handsOver, delegate);
    await withRoutes(
      routes,
      { reviews: named("reviews"), ratings: named("ratings") },
      async (proxy, { reviews, ratings }) => {
        assert.equal((await proxy.call("/shop/ratings/7")).body, "ratings");
        assert.equal(ratings?.received[0]?.url, "/v1/7");
        assert.equal((await proxy.call("/shop/other")).body, "reviews");
        assert.equal(reviews?.received[0]?.headers["x-from"], "shop");
        assert.equal((await proxy.call("/elsewhere")).status, 404);
      },
    );
  });

  test("divides exactly, edits headers of each destination, and mirrors", async () => {
    const routes = routesOf(`
      {route: [{destination: {host: reviews}, weight: 3, headers: {response: {set: {x-to: reviews}}}},
               {destination: {host: ratings}, weight: 1}],
       mirrors: [{destination: {host: ratings}}]}`);
    await withRoutes(routes, { reviews: named("reviews"), ratings: named("ratings") }, async (proxy, { ratings }) => {
      const answers = [];
      for (let i = 0; i < 8; i++) answers.push(await proxy.call("/"));
      assert.equal(answers.filter(({ body }) => body === "reviews").length, 6);
      for (const { body, headers } of answers)
        assert.equal(headers["x-to"], body === "reviews" ? "reviews" : undefined);
      await eventually(() => assert.equal(ratings?.received.length, 2 + 8));
    });
  });

  test("answers itself: redirects, direct responses and faults", async () => {
    const routes = routesOf(`
      {match: [{uri: {prefix: /old}}], redirect: {uri: /new, redirectCode: 308}},
      {match: [{uri: {exact: /closed}}], directResponse: {status: 503, body: {string: closed}}},
      {match: [{uri: {exact: /broken}}], fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, ${TO_REVIEWS}},
      {${TO_REVIEWS}}`);
    await withRoutes(routes, { reviews: named("reviews") }, async (proxy, { reviews }) => {
      const moved = await proxy.call("/old/1");
      assert.deepEqual([moved.status, new URL(moved.headers.location ?? "").pathname], [308, "/new"]);
      const closed = await proxy.call("/closed");
      assert.deepEqual([closed.status, closed.body], [503, "closed"]);
      assert.equal((await proxy.call("/broken")).status, 418);
      assert.equal(reviews?.received.length, 0);
      assert.equal((await proxy.call("/")).body, "reviews");
    });
  });
});
