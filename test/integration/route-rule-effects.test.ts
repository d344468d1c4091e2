import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";
import { Compiler } from "../../services/pilot/compile/compiler.ts";
import { parseResource } from "../../shared/model/documents.ts";
import { createKindRegistry, type JsonObject, type JsonValue } from "../../shared/model/index.ts";
import { type RouteInput, ServiceConfig, tableKey } from "../../shared/wire/index.ts";
import { eventually } from "../harness/eventually.ts";
import { withRoutes } from "../harness/with-routes.ts";

/** From the rule as people write it, through Pilot's compiler and the message, to what happens to a request. */

const kinds = createKindRegistry();

/** The routes that a rule for `reviews` makes of it, as a proxy reads them. */
function routesOf(spec: JsonObject): readonly RouteInput[] {
  const judged = parseResource(
    {
      apiVersion: "config.istio.io/v1alpha2",
      kind: "RouteRule",
      metadata: { name: "rule", namespace: "default", resourceVersion: "7" },
      spec: { destination: { name: "reviews" }, ...spec },
    } as JsonValue,
    kinds,
  );
  assert.ok(judged.ok, JSON.stringify(judged));
  const compiler = new Compiler({
    has: () => true,
    keys: () => [tableKey("default", "reviews")],
    namespaces: () => ["default"],
    servicesOf: () => [],
    carries: () => true,
    service: () => ({
      namespace: "default",
      name: "reviews",
      ports: [{ number: 9080, protocol: "http" }],
      principals: [],
    }),
  });
  assert.equal(compiler.put(judged.parsed).pending, undefined);
  const { targets: _, ...config } = compiler.compileService(tableKey("default", "reviews"), 1) ?? { targets: [] };
  return ServiceConfig.decode(ServiceConfig.encode(config)).routes;
}

const ok = () => ({ body: "ok" });

describe("a RouteRule's", () => {
  test("mirror sends a copy there", async () => {
    const routes = routesOf({ mirror: { name: "ratings" } });
    await withRoutes(routes, { reviews: ok, ratings: ok }, async (proxy, { reviews, ratings }) => {
      assert.equal((await proxy.call("/reviews/1")).body, "ok");
      await eventually(() => assert.equal(ratings?.received.length, 1));
      assert.equal(ratings?.received[0]?.headers.host, "reviews-shadow:9080");
      assert.equal(reviews?.received[0]?.headers.host, "reviews:9080");
      assert.equal(proxy.records[0]?.route, "routerule/default/rule");
    });
  });

  test("corsPolicy answers preflights", async () => {
    const routes = routesOf({
      corsPolicy: {
        allowOrigin: ["http://shop.example"],
        allowMethods: ["PUT"],
        maxAge: "10s",
        allowCredentials: true,
      },
    });
    await withRoutes(routes, { reviews: ok }, async (proxy, { reviews }) => {
      const headers = { origin: "http://shop.example", "access-control-request-method": "PUT" };
      const answer = await proxy.call("/", { method: "OPTIONS", headers });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["access-control-allow-origin"], "http://shop.example");
      assert.equal(answer.headers["access-control-allow-methods"], "PUT");
      assert.equal(answer.headers["access-control-max-age"], "10");
      assert.equal(reviews?.received.length, 0);
    });
  });

  test("websocketUpgrade lets requests switch protocols, which without it stay requests", async () => {
    for (const websocketUpgrade of [true, false]) {
      const routes = routesOf({ websocketUpgrade });
      await withRoutes(routes, { reviews: ok }, async (proxy, { reviews }) => {
        reviews?.http.on("upgrade", (_, socket, head) => {
          socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello ");
          socket.write(head);
          socket.pipe(socket);
        });
        const heard = await switchProtocols(proxy.port, "echo");
        assert.equal(heard, websocketUpgrade ? "101 hello echo" : "200 ok");
        assert.equal(reviews?.received.length, websocketUpgrade ? 0 : 1);
      });
    }
  });
});

/** Asks to switch protocols, says `text` over the new one, and gives back what it hears until it has heard that. */
function switchProtocols(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: "reviews:9080", connection: "Upgrade", upgrade: "websocket" };
    const call = request({ host: "127.0.0.1", port, headers, agent: false });
    call.on("error", reject);
    call.on("response", (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    call.on("upgrade", (response, socket, head) => {
      let heard = head.toString();
      const listen = (chunk: Buffer): void => {
        heard += chunk.toString();
        if (!heard.endsWith(text)) return;
        socket.destroy();
        resolve(`${response.statusCode} ${heard}`);
      };
      socket.on("error", reject);
      socket.on("data", listen);
      socket.write(text);
    });
    call.end();
  });
}
