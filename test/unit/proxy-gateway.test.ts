import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { parseProxyConfig } from "../../services/proxy/config.ts";
import { compileGatewayRoutes, GATEWAY_PORT, routesOfPort } from "../../services/proxy/gateway/gateway-routes.ts";
import { GatewayTable, gatewayNames } from "../../services/proxy/gateway/gateway-table.ts";
import type { ServiceEntry } from "../../services/proxy/mesh/service-entry.ts";
import { httpsLocation } from "../../services/proxy/route/local-answer.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import type { RequestHead } from "../../services/proxy/stream/stream.ts";
import { GatewayConfig, type Input } from "../../shared/wire/index.ts";
import { ToldDirectory } from "../harness/told-directory.ts";

type Config = Input<typeof GatewayConfig>;

const self = { ...UNKNOWN_PEER, namespace: "istio-system", service: "edge", labels: { istio: "ingressgateway" } };

function headOf(authority: string, path = "/"): RequestHead {
  return { method: "GET", authority, scheme: "http", path, headers: new HeaderList() };
}

function entryOf(name: string, ports: readonly number[] = [9080]): ServiceEntry {
  return { name, ports, cluster: () => new Cluster(name) } as unknown as ServiceEntry;
}

/** Through the wire and back, so that absent fields are as a follower sees them. */
function decoded(config: Config): GatewayConfig {
  return GatewayConfig.decode(GatewayConfig.encode(config));
}

function compile(config: Config, ports: readonly number[] = [GATEWAY_PORT]) {
  const names = gatewayNames(self.namespace, self.service);
  return compileGatewayRoutes(decoded(config), { self, names, ports, entry: (_, service) => entryOf(service) });
}

/** Which rule a request to a port meets. */
function chooser(config: Config, port = GATEWAY_PORT): (authority: string, path?: string) => string | undefined {
  const { hosts } = routesOfPort(compile(config, [80, 81, 443]), decoded(config).servers, port);
  return (authority, path) => hosts.find(authority)?.match(headOf(authority, path), port)?.rule;
}

const destination = { namespace: "default", service: "productpage" };
const onPath = (prefix: string) => ({ headers: [{ name: "uri", prefix }] });
const whole = (rule: string, route: NonNullable<Config["routes"]>[number]["route"] = {}) => ({
  rule,
  route: { rule, destinations: [{ destination, weight: 100 }], ...route },
});

describe("ingress rules at a gateway", () => {
  test("look at the request from outside: those for certain callers or other gateways are for nobody", () => {
    const compiled = compile({
      routes: [
        { rule: "source", match: { source: { namespace: "default", service: "ratings" } }, destination },
        { rule: "other", match: { gateways: ["istio-system/other"] }, destination },
        { rule: "port", match: { port: 8080 }, destination },
        { rule: "beta", match: { queryParameters: [{ name: "beta", present: true }] }, destination },
        { rule: "mine", match: { gateways: ["istio-system/edge"], ...onPath("/a") }, destination, port: 9080 },
        { rule: "all", destination },
      ],
    });
    assert.deepEqual(
      compiled.map(({ rule, port }) => [rule, port]),
      [
        ["port", undefined],
        ["beta", undefined],
        ["mine", 9080],
        ["all", undefined],
      ],
    );
    const { hosts } = routesOfPort(compiled, [], GATEWAY_PORT);
    const chosen = (path: string) => hosts.find("any")?.match(headOf("any", path), GATEWAY_PORT)?.rule;
    assert.deepEqual(["/a", "/a?beta", "/b"].map(chosen), ["mine", "beta", "all"]);
  });

  test("are tried for the most specific host alone, in their order", () => {
    const byAuthority = { headers: [{ name: "authority", exact: "plain.example.org" }] };
    const chosen = chooser({
      routes: [
        { rule: "api-a", hosts: ["api.example.com", "API.example.com."], match: onPath("/a"), destination },
        { rule: "wild-a", hosts: ["*.example.com"], match: onPath("/a"), destination },
        { rule: "shared", hosts: ["*.example.com", "api.example.com"], match: onPath("/shared"), destination },
        { rule: "wild", hosts: ["*.example.com"], destination },
        { rule: "authority", match: byAuthority, destination },
        { rule: "everything", match: onPath("/"), destination },
      ],
    });
    assert.equal(chosen("api.example.com", "/a"), "api-a");
    assert.equal(chosen("api.example.com", "/shared"), "shared");
    assert.equal(chosen("api.example.com", "/b"), undefined, "it never falls back to a less specific host");
    assert.equal(chosen("www.example.com", "/a"), "wild-a");
    assert.equal(chosen("www.example.com", "/b"), "wild");
    assert.equal(chosen("plain.example.org", "/a"), "authority", "routes without hosts are those of *");
    assert.equal(chosen("other.example.org", "/a"), "everything");
  });
});

describe("whole routes at a gateway", () => {
  const servers = [
    { rule: "gateway/shop/web", port: 80, protocol: "http", hosts: ["*.shop.com", "blog.org"] },
    { rule: "gateway/shop/admin", port: 81, protocol: "http", hosts: ["*"] },
  ];

  test("have the hosts that a server of the port has too", () => {
    const config = {
      servers,
      routes: [
        { ...whole("narrow"), hosts: ["www.shop.com", "www.other.com"] },
        { ...whole("wide"), hosts: ["*.com"] },
        { ...whole("all") },
      ],
    };
    const [web, admin] = [chooser(config), chooser(config, 81)];
    assert.equal(web("www.shop.com"), "narrow");
    assert.equal(web("a.shop.com"), "wide");
    assert.equal(web("www.other.com"), undefined);
    assert.equal(web("blog.org"), "all");
    assert.equal(web("shop.com"), undefined);
    assert.deepEqual(
      ["www.other.com", "a.com", "blog.org"].map((host) => admin(host)),
      ["narrow", "wide", "all"],
    );
    assert.equal(chooser(config, 443)("www.shop.com"), undefined, "no server has that port");
  });

  test("are those of their port, or of every one, and match by it", () => {
    const config = {
      servers,
      routes: [
        { ...whole("by match", { match: { port: 81, ...onPath("/m") } }) },
        { ...whole("web"), serverPort: 80 },
        { ...whole("admin"), serverPort: 81 },
        { rule: "ingress", destination },
      ],
    };
    const [web, admin] = [chooser(config), chooser(config, 81)];
    assert.deepEqual([web("blog.org", "/m"), admin("blog.org", "/m"), admin("blog.org")], ["web", "by match", "admin"]);
    assert.deepEqual([web("elsewhere"), chooser(config, 443)("elsewhere")], ["ingress", "ingress"]);
    const compiled = compile(config, [81]).map(({ rule }) => rule);
    assert.deepEqual(compiled, ["by match", "admin", "ingress"], "nothing of ports that this gateway has not opened");
  });

  test("are for the gateways that they name, and from the gateway as their caller", () => {
    const compiled = compile({
      servers,
      routes: [
        whole("resource", { match: { gateways: ["shop/web"] } }),
        whole("workload", { match: { gateways: ["istio-system/edge"] } }),
        whole("sidecars", { match: { gateways: ["mesh"] } }),
        whole("other", { match: { gateways: ["shop/other"] } }),
        whole("mine", { match: { source: { labels: { istio: "ingressgateway" } } } }),
        whole("others", { match: { source: { labels: { istio: "egressgateway" } } } }),
      ],
    });
    assert.deepEqual(
      compiled.map(({ rule }) => rule),
      ["resource", "workload", "mine"],
    );
  });

  test("go to the only port of a service where they name none", () => {
    const ports: Record<string, number[]> = { one: [9080], two: [80, 9080] };
    const to = (service: string, port = 0) => ({ destination: { namespace: "default", service }, weight: 50, port });
    const config = decoded({ routes: [whole("r", { destinations: [to("one"), to("two"), to("one", 9081)] })] });
    const [route] = compileGatewayRoutes(config, {
      self,
      names: [],
      ports: [80],
      entry: (_, service) => entryOf(service, ports[service]),
    });
    assert.deepEqual(
      route?.whole?.targets.values.map(({ value }) => value.port),
      [9080, 0, 9081],
    );
    assert.throws(() => compile({ routes: [whole("r", { destinations: [{ weight: 1 }] })] }), /which service/);
  });
});

test("a server that redirects does so for its hosts, unless a more specific one serves the host", () => {
  const { servers } = decoded({
    servers: [
      { port: 80, hosts: ["www.shop.com"] },
      { port: 80, hosts: ["*.shop.com"] },
      { port: 80, hosts: ["*.shop.com"], httpsRedirect: true },
      { port: 81, hosts: ["*"], httpsRedirect: true },
    ],
  });
  const { redirects } = routesOfPort([], servers, 80);
  const found = ["a.shop.com", "www.shop.com", "blog.org"].map((host) => redirects?.find(host));
  assert.deepEqual(found, [true, false, undefined]);
  assert.equal(routesOfPort([], servers, 443).redirects, undefined);
  assert.equal(httpsLocation(headOf("a.shop.com:80", "/x?y")), "https://a.shop.com/x?y");
});

describe("the table of a gateway", () => {
  const key = "istio-system.edge";
  const start = (ports: readonly number[] = [80]) => {
    const told = new ToldDirectory(self);
    const table = new GatewayTable({ ...told, ports });
    const write = (sequence: number, config: Config): void =>
      told.update(key, sequence, GatewayConfig.encode({ namespace: "istio-system", name: "edge", ...config }));
    const rules = (): (string | undefined)[] =>
      table.ports.map(({ routes, number }) => routes?.hosts.find("any")?.match(headOf("any"), number)?.rule);
    return { told, table, write, rules };
  };
  const leading = (rule: string, service: string) => ({
    ...whole(rule, { destinations: [{ destination: { namespace: "default", service }, weight: 1 }] }),
  });

  test("has nothing until its services and what it requires of them are known, and keeps the last until then", () => {
    const { told, table, write, rules } = start();
    assert.equal(table.ports[0]?.routes, undefined);
    write(1, { routes: [leading("one", "a")] });
    assert.deepEqual([rules(), told.reason(key)], [[undefined], "waiting for service a.default"]);
    told.write("a", 1, {});
    assert.deepEqual([rules(), told.reason(key)], [["one"], undefined]);
    write(2, {
      routes: [leading("two", "a")],
      requires: [
        { table: "service", key: "default.a", epoch: 1, sequence: 2 },
        { table: "service", key: "default.elsewhere", epoch: 1, sequence: 9 },
      ],
    });
    assert.deepEqual([rules(), told.reason(key)], [["one"], "waiting for service default.a"]);
    told.write("a", 2, {});
    assert.deepEqual(rules(), ["two"]);
    write(3, { routes: [leading("three", "a")], servers: [{ port: 80, hosts: ["a*b"] }] });
    assert.match(told.reason(key) ?? "", /write a host/);
    assert.deepEqual(rules(), ["two"]);
    told.directory.close();
  });

  test("follows what the routes of its own ports name, mirrors too, and nothing else", () => {
    const { told, write } = start();
    const mirrors = [{ destination: { namespace: "default", service: "copy" }, percent: 1 }];
    const mirrored = { rule: "m", route: { ...leading("m", "a").route, mirrors } };
    write(1, { routes: [mirrored, { ...leading("closed", "hidden"), serverPort: 8443 }] });
    assert.deepEqual(told.followed, [key, "default.a", "default.copy"]);
    told.directory.close();
  });

  test("notices when the port of a service is another one", () => {
    const { told, table, write } = start();
    const port = () =>
      table.ports[0]?.routes?.hosts.find("any")?.match(headOf("any"), 80)?.whole?.targets.values[0]?.value.port;
    write(1, { routes: [leading("one", "a")] });
    told.write("a", 1, { ports: [{ number: 9080 }] });
    assert.equal(port(), 9080);
    told.write("a", 2, { ports: [{ number: 9081 }] });
    assert.equal(port(), 9081);
    told.write("a", 3, { ports: [{ number: 80 }, { number: 9081 }] });
    assert.equal(port(), 0);
    told.directory.close();
  });
});

describe("GATEWAY_PORTS", () => {
  const parsed = (text: string) =>
    parseProxyConfig({ MESH_SERVICE: "edge", MESH_INSTANCE: "e", GATEWAY_PORTS: text }, []).gatewayPorts;

  test("are ports of the gateway, each with the port to listen on where that is another", () => {
    assert.deepEqual(parsed("8081, 443=18443"), [
      { number: 8081, port: 8081 },
      { number: 443, port: 18_443 },
    ]);
    assert.deepEqual(parsed(""), []);
    assert.deepEqual(parsed("81=0"), [{ number: 81, port: 0 }]);
  });

  test("are refused where they are none, name 80, or one twice", () => {
    for (const [text, reason] of [
      ["8081;8082", /has "8081;8082"; use <port/],
      ["0", /has "0"/],
      ["70000", /has "70000"/],
      ["81=70000", /has "81=70000"/],
      ["80=8080", /GATEWAY_PORT says/],
      ["81,81=82", /81 twice/],
    ] as const) {
      assert.throws(() => parsed(text), reason);
    }
  });
});
