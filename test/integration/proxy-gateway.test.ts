import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { RouteConfigView } from "../../services/proxy/plane/route-views.ts";
import { GatewayConfig, type Input, tableKey } from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";
import { fieldOf } from "../harness/strict-reader.ts";

/** A gateway of the product with several ports on a real bus, its tables written by hand. */

type Config = Input<typeof GatewayConfig>;
type Route = NonNullable<NonNullable<Config["routes"]>[number]["route"]>;

const ENV = { PROXY_MODE: "gateway", GATEWAY_PORT: "0", GATEWAY_PORTS: "81=0,443=0", GATEWAY_HOST: "127.0.0.1" };

const to = (service: string, weight = 100) => ({ destination: { namespace: "default", service }, weight });
const onPath = (prefix: string) => ({ headers: [{ name: "uri", prefix }] });
const whole = (rule: string, route: Route, hosts: string[] = ["*"], serverPort = 0) => ({
  rule,
  hosts,
  serverPort,
  route: { rule, ...route },
});
const server = (port: number, hosts: string[], httpsRedirect = false) => ({
  rule: "gateway/default/web",
  port,
  protocol: "http",
  hosts,
  httpsRedirect,
});

for (const concurrency of ["1", "2"]) {
  describe(`a gateway of ${concurrency} process${concurrency === "1" ? "" : "es"}`, () => {
    let mesh: SidecarMesh;
    let gateway: Sidecar;
    const applications: Record<string, Application> = {};
    let revision = 0;

    const write = (config: Config): Promise<void> =>
      mesh.write(
        "gateway",
        tableKey("default", "edge"),
        GatewayConfig.encode({ namespace: "default", name: "edge", revision: ++revision, ...config }),
      );
    const answerOf = async (host: string, path = "/", port = "gateway", fields: string[] = []) => {
      const client = await RawClient.to(gateway.port(port));
      client.head(`GET ${path} HTTP/1.1`, `Host: ${host}`, ...fields);
      const answer = await client.response();
      client.close();
      return answer;
    };
    const ask = async (host: string, path?: string, port?: string): Promise<string> => {
      const { status, body } = await answerOf(host, path, port);
      return status === 200 ? body : String(status);
    };
    const becomes = (wanted: string, ...request: Parameters<typeof ask>): Promise<unknown> =>
      eventually(async () => assert.equal(await ask(...request), wanted), { withinMs: 10_000 });

    before(async () => {
      mesh = await startSidecarMesh({
        workloads: [{ namespace: "default", serviceAccount: "edge", service: "edge", gateway: true }],
      });
      await mesh.writeService("edge");
      for (const service of ["shop", "blog"]) {
        const application = await new Application(({ url, headers }) => ({
          body: `${service} ${headers.host}${url}${headers["x-tag"] ?? ""}`,
        })).listen();
        applications[service] = application;
        await mesh.writeService(service);
        await mesh.writeApplication(service, application.port);
      }
      gateway = await mesh.startSidecar({ service: "edge", env: { ...ENV, CONCURRENCY: concurrency } });
    });

    after(async () => {
      await mesh.stop();
      for (const application of Object.values(applications)) await application.close();
    });

    test("says that it does not know yet until it has been told its routes", async () => {
      const { status, body } = await answerOf("any");
      assert.ok(status === 503 || status === 404, `${status} ${body}`);
      await write({});
      await becomes("404", "any");
    });

    test("carries out whole routes: weights, headers, rewrites and answers of its own", async () => {
      await write({
        servers: [server(80, ["*"])],
        routes: [
          whole("own", { match: onPath("/teapot"), directResponse: { status: 418, body: "short" } }),
          whole("away", {
            match: onPath("/old"),
            redirect: { prefixRewrite: "/new", derivePort: "FROM_REQUEST_PORT" },
          }),
          whole("rewritten", {
            match: onPath("/v1/"),
            rewrite: { uri: "/" },
            destinations: [
              {
                ...to("shop"),
                requestHeaders: { set: ["host=shop.internal", "x-tag=#tag"].map(pair) },
                responseHeaders: { add: [{ name: "x-from", value: "gateway" }] },
              },
            ],
          }),
          whole("split", { destinations: [to("shop", 75), to("blog", 25)] }),
        ],
      });
      await becomes("418", "any", "/teapot");
      const moved = await answerOf("any:8080", "/old/x");
      assert.deepEqual([moved.status, fieldOf(moved, "location")], [302, "http://any/new/x"]);
      const tagged = await answerOf("any", "/v1/cart");
      assert.deepEqual(
        [tagged.status, tagged.body, fieldOf(tagged, "x-from")],
        [200, "shop shop.internal/cart#tag", "gateway"],
      );
      const split = await Promise.all(Array.from({ length: 40 }, () => ask("any")));
      const shop = split.filter((answer) => answer === "shop any/").length;
      assert.ok(concurrency === "1" ? shop === 30 : shop >= 28 && shop <= 32, `${shop} of 40`);
    });

    test("answers on each port for that port's servers and hosts alone", async () => {
      await write({
        servers: [server(80, ["shop.com", "*.org"]), server(81, ["*"])],
        routes: [
          whole("shop", { destinations: [to("shop")] }, ["*"], 80),
          whole("blog", { destinations: [to("blog")] }, ["*"], 81),
          whole("both", { match: { ...onPath("/b"), port: 81 }, destinations: [to("shop")] }, ["b.com"]),
        ],
      });
      await becomes("shop shop.com/", "shop.com");
      assert.equal(await ask("www.org"), "shop www.org/");
      assert.equal(await ask("other.com"), "404");
      assert.equal(await ask("other.com", "/", "gateway-81"), "blog other.com/");
      assert.equal(await ask("b.com", "/b", "gateway-81"), "shop b.com/b");
      assert.equal(await ask("b.com", "/b"), "404");
      assert.equal(await ask("shop.com", "/", "gateway-443"), "404", "no server has that port");
    });

    test("sends to https where a server does, and lets its other hosts be", async () => {
      await write({
        servers: [server(80, ["*.shop.com"], true), server(80, ["plain.shop.com"])],
        routes: [whole("shop", { destinations: [to("shop")] })],
      });
      await becomes("301", "www.shop.com", "/cart?id=7");
      const moved = await answerOf("www.shop.com", "/cart?id=7");
      assert.deepEqual([fieldOf(moved, "location"), moved.body], ["https://www.shop.com/cart?id=7", ""]);
      assert.equal(await ask("plain.shop.com"), "shop plain.shop.com/");
      const forged = await answerOf("www.shop.com", "/", "gateway", ["x-forwarded-proto: https"]);
      assert.equal(forged.status, 301, "nobody outside is believed");
    });

    test("goes on with ingress rules by the service's own routes, as the gateway's namespace sees them", async () => {
      const views = [{ namespaces: ["default"], routes: [{ rule: "view", destinations: [to("blog")] }] }];
      await mesh.writeService("shop", { views, revision: 2 });
      await write({ routes: [{ rule: "ingress", destination: { namespace: "default", service: "shop" } }] });
      await becomes("blog any/", "any");
      assert.equal(await ask("any", "/", "gateway-81"), "blog any/");
      await mesh.writeService("shop", { revision: 3 });
      await becomes("shop any/", "any");
    });

    test("keeps its routes until every service that the next ones lead to is there", async () => {
      await write({
        servers: [server(80, ["*"])],
        routes: [whole("blog", { destinations: [to("blog")] })],
        requires: [{ table: "service", key: "default.blog", epoch: 1e16, sequence: 1 }],
      });
      await eventually(async () => {
        const dump = await (await fetch(`http://127.0.0.1:${gateway.port("admin")}/config_dump`)).text();
        assert.match(dump, /waiting for service default\.blog/);
      });
      assert.equal(await ask("any"), "shop any/");
      await write({ servers: [server(80, ["*"])], routes: [whole("blog", { destinations: [to("blog")] })] });
      await becomes("blog any/", "any");
      assert.equal(await ask("any", "/", "gateway-81"), "404");
    });

    test("shows the routes of each port and host", async () => {
      await write({
        servers: [server(80, ["*.shop.com"]), server(81, ["www.shop.com"], true)],
        routes: [
          whole("split", { match: onPath("/a"), destinations: [to("shop", 75), to("blog", 25)] }, ["*.shop.com"], 80),
          { rule: "ingress", destination: { namespace: "default", service: "shop" }, serverPort: 80, revision: 4 },
        ],
      });
      await becomes("shop any/", "any");
      const answer = await fetch(`http://127.0.0.1:${gateway.port("admin")}/routes`);
      const { route_configs } = (await answer.json()) as { route_configs: RouteConfigView[] };
      const shown = route_configs.filter(({ name }) => name.startsWith("gateway:"));
      assert.deepEqual(
        shown.map(({ name, host, ports, routes }) => [name, host, ports, routes.map(({ rule }) => rule)]),
        [
          ["gateway:80/*.shop.com", "*.shop.com", { 80: "http" }, ["split"]],
          ["gateway:80/*", "*", { 80: "http" }, ["ingress"]],
          ["gateway:81/www.shop.com|https", "www.shop.com", { 81: "http" }, ["https redirect"]],
        ],
      );
      assert.deepEqual(shown[0]?.routes[0]?.targets, [
        { cluster: "shop.default", port: 9080, weight: 75 },
        { cluster: "blog.default", port: 9080, weight: 25 },
      ]);
      assert.deepEqual(shown[1]?.routes[0]?.targets, [{ cluster: "shop.default", port: 9080, weight: 100 }]);
      assert.equal(shown[1]?.routes[0]?.revision, 4);
      assert.ok(route_configs.some(({ name }) => name === "shop.default"));
    });

    test("has its routes again after a restart with everything down", async () => {
      await mesh.stopSidecar(gateway);
      await mesh.stopCa();
      await mesh.nats.kill();
      gateway = await mesh.startSidecar({ service: "edge", env: { ...ENV, CONCURRENCY: concurrency } });
      assert.match(await ask("www.shop.com", "/a"), /^(shop|blog) www\.shop\.com\/a$/);
      assert.equal(await ask("www.shop.com", "/", "gateway-81"), "301");
      await mesh.nats.restart();
      await mesh.startCa();
    });
  });
}

function pair(text: string): { name: string; value: string } {
  const [name = "", value = ""] = text.split("=");
  return { name, value };
}
