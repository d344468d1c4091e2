import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GatewayConfig, HostsConfig, tableKey } from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const workload = (service: string) => ({ namespace: "default", serviceAccount: service, service });

describe("hosts that are no service's name", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let strict: Sidecar;
  const applications: Record<string, Application> = {};

  /** `api.example.com=api` and so on; what no service of the namespace is called. */
  const writeHosts = (...hosts: string[]): Promise<void> =>
    mesh.write(
      "hosts",
      "default",
      HostsConfig.encode({
        hosts: hosts.map((each) => {
          const [pattern = "", service = ""] = each.split("=");
          return { pattern, namespace: "default", service };
        }),
        revision: 1,
      }),
    );
  const whoAnswers = async (authority: string, from: Sidecar = caller): Promise<string> => {
    const { status, body } = await from.call(authority);
    return status === 200 ? body : String(status);
  };
  const becomes = (authority: string, wanted: string, from = caller): Promise<unknown> =>
    eventually(async () => assert.equal(await whoAnswers(authority, from), wanted), { withinMs: 10_000 });
  const startCaller = (): Promise<Sidecar> => mesh.startSidecar({ service: "caller" });

  before(async () => {
    mesh = await startSidecarMesh({ workloads: ["caller", "strict", "gateway"].map(workload) });
    for (const service of ["api", "wide"]) {
      const application = await new Application(({ headers }) => ({ body: `${service} as ${headers.host}` })).listen();
      applications[service] = application;
      await mesh.writeService(service);
      await mesh.writeApplication(service, application.port);
    }
    caller = await startCaller();
    strict = await mesh.startSidecar({ service: "strict", env: { OUTBOUND_TRAFFIC_POLICY: "REGISTRY_ONLY" } });
  });

  after(async () => {
    await mesh.stop();
    for (const application of Object.values(applications)) await application.close();
  });

  test("pass through by DNS or are refused, as the policy says, while nobody names them", async () => {
    const outside = `127.0.0.1:${applications["wide"]?.port}`;
    await becomes(outside, `wide as ${outside}`);
    await becomes(outside, "502", strict);
    assert.equal(await whoAnswers("api.example.com", strict), "502");
  });

  test("mean the service that the longest pattern names, and keep their name in the request", async () => {
    await writeHosts("*.com=wide", "*.example.com=api");
    await becomes("api.example.com", "api as api.example.com");
    assert.equal(await whoAnswers("API.Example.COM.:9080"), "api as API.Example.COM.:9080");
    assert.equal(await whoAnswers("example.com"), "wide as example.com");
    await becomes("api.example.com", "api as api.example.com", strict);
    assert.equal(await whoAnswers("api.example.org", strict), "502", "all others are outside");
    await writeHosts("*.com=wide", "*.example.com=api", "api.example.com=wide");
    await becomes("api.example.com", "wide as api.example.com");
    assert.equal(await whoAnswers("www.example.com"), "api as www.example.com");
  });

  test("are read from an absolute target as well", async () => {
    const client = await RawClient.to(caller.port("outbound"));
    client.send("GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
    const { status, body } = await client.response();
    assert.deepEqual([status, body], [200, "api as www.example.com"]);
    client.close();
  });

  test("never hide a registered service, and lead nowhere else when theirs is gone", async () => {
    await writeHosts("*=wide", "api=wide", "gone.example.com=gone", "api.example.com:81=wide");
    await becomes("anything", "wide as anything");
    assert.equal(await whoAnswers("api"), "api as api");
    assert.equal(await whoAnswers("api.default"), "api as api.default");
    assert.equal(await whoAnswers("gone.example.com"), "503");
    assert.equal(await whoAnswers("api.example.com:81"), "404", "the service has no such port");
  });

  test("a table that cannot be read leaves the last good one in force", async () => {
    await writeHosts("a*b=api", "*.example.com=api");
    await eventually(async () => {
      const dump = await (await fetch(`http://127.0.0.1:${caller.port("admin")}/config_dump`)).text();
      assert.match(dump, /write a host/);
    });
    assert.equal(await whoAnswers("www.example.com"), "wide as www.example.com");
    await writeHosts("*.example.com=api", "127.0.0.1=api");
    await becomes("www.example.com", "api as www.example.com");
  });

  test("are known after a restart with everything down, and so is that there are none", async () => {
    await mesh.stopSidecar(caller);
    await mesh.stopCa();
    await mesh.nats.kill();
    caller = await startCaller();
    assert.equal(await whoAnswers("www.example.com"), "api as www.example.com");
    const outside = `127.0.0.1:${applications["wide"]?.port}`;
    assert.equal(await whoAnswers(outside), "404", "it means a service that has no such port");
    await mesh.nats.restart();
    await mesh.startCa();
    await eventually(() => mesh.remove("hosts", "default").then(() => true), { withinMs: 10_000 });
    await becomes(outside, `wide as ${outside}`);
    await mesh.stopSidecar(caller);
    await mesh.stopCa();
    await mesh.nats.kill();
    caller = await startCaller();
    assert.equal(await whoAnswers(outside), `wide as ${outside}`);
    await mesh.nats.restart();
    await mesh.startCa();
  });
});

describe("a gateway's hosts", () => {
  let mesh: SidecarMesh;
  let gateway: Sidecar;
  const applications: Application[] = [];

  before(async () => {
    mesh = await startSidecarMesh({ workloads: [{ ...workload("edge"), gateway: true }] });
    await mesh.writeService("edge");
    for (const service of ["shop", "blog", "legacy"]) {
      const application = await new Application(({ url }) => ({ body: `${service} ${url}` })).listen();
      applications.push(application);
      await mesh.writeService(service);
      await mesh.writeApplication(service, application.port);
    }
    const to = (service: string) => ({ rule: service, destination: { namespace: "default", service } });
    const prefix = (path: string) => ({ match: { headers: [{ name: "uri", prefix: path }] } });
    const routes = [
      { ...to("shop"), ...prefix("/cart"), hosts: ["shop.example.com"] },
      { ...to("blog"), ...prefix("/cart"), hosts: ["*.example.com"] },
      { ...to("blog"), hosts: ["*.example.com", "blog.example.org"] },
      { ...to("legacy"), ...prefix("/old") },
    ];
    await mesh.write(
      "gateway",
      tableKey("default", "edge"),
      GatewayConfig.encode({ namespace: "default", name: "edge", routes, revision: 1 }),
    );
    gateway = await mesh.startSidecar({
      service: "edge",
      env: { PROXY_MODE: "gateway", GATEWAY_PORT: "0", GATEWAY_HOST: "127.0.0.1" },
    });
    await eventually(async () => assert.equal(await ask("www.example.com", "/"), "blog /"));
  });

  after(async () => {
    await mesh.stop();
    for (const application of applications) await application.close();
  });

  const ask = async (host: string, path: string): Promise<string> => {
    const client = await RawClient.to(gateway.port("gateway"));
    client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { status, body } = await client.response();
    client.close();
    return status === 200 ? body : String(status);
  };

  test("choose the routes that a request meets", async () => {
    assert.equal(await ask("shop.example.com", "/cart"), "shop /cart");
    assert.equal(await ask("Shop.Example.com:8443", "/cart/1"), "shop /cart/1");
    assert.equal(await ask("www.example.com", "/cart"), "blog /cart");
    assert.equal(await ask("blog.example.org", "/x"), "blog /x");
    assert.equal(await ask("anything", "/old"), "legacy /old");
  });

  test("keep a request to a more specific host from the routes of all others", async () => {
    assert.equal(await ask("shop.example.com", "/other"), "404");
    assert.equal(await ask("shop.example.com", "/old"), "404");
    assert.equal(await ask("blog.example.org", "/old"), "blog /old");
    assert.equal(await ask("example.com", "/cart"), "404");
  });
});
