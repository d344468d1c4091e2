import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import {
  type ClientTlsInput,
  EndpointSet,
  HostsConfig,
  type Input,
  type RouteInput,
  ServiceConfig,
  type TrafficPolicyInput,
  tableKey,
} from "../../shared/wire/index.ts";
import { Application } from "../harness/application.ts";
import { eventually } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { OutsideCa } from "../harness/server-certificates.ts";
import { type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const HOST = "secure.example.com";
const WITHIN = { withinMs: 10_000 };

describe("hosts outside that configuration names", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let ca: OutsideCa;
  let caFile: string;
  let secure: Application;
  let plain: Application;
  let revision = 0;

  /** A host outside as a service of namespace default, in force when this resolves. */
  const writeHost = async (host: string, config: Input<typeof ServiceConfig>, address?: string, port = 0) => {
    const key = tableKey("default", host);
    const ports = [80, 443];
    const endpoint = {
      instance: `serviceentry/default/${host}`,
      address: address ?? "",
      ports: ports.map((number) => ({ number, protocol: "http", addressPort: port })),
      healthy: true,
      plaintext: true,
    };
    if (address !== undefined) {
      await mesh.write("endpoints", tableKey("default", host, "0"), EndpointSet.encode({ endpoints: [endpoint] }));
    }
    const route = {
      rule: "default",
      destinations: [{ destination: { namespace: "default", service: host }, weight: 1 }],
    };
    const value = {
      namespace: "default",
      name: host,
      host,
      ports: ports.map((number) => ({ number, protocol: "http" })),
      endpointShards: address === undefined ? 0 : 1,
      routes: [route],
      revision: ++revision,
      ...config,
    };
    await mesh.write("service", key, ServiceConfig.encode(value));
    await eventually(async () => {
      const dump = await fetch(`http://127.0.0.1:${caller.port("admin")}/config_dump?resource=services`);
      const { services } = (await dump.json()) as { services: { service: string; applied: { revision: number } }[] };
      const known = services.find(({ service }) => service === `${host}.default`);
      assert.ok(known === undefined || known.applied.revision === revision);
    }, WITHIN);
  };
  const originating = (tls: ClientTlsInput): TrafficPolicyInput => ({ rule: "default", anyLabels: true, tls });
  const securely = (tls: ClientTlsInput): Promise<void> =>
    writeHost(HOST, { policies: [originating({ caCertificates: caFile, ...tls })] }, "127.0.0.1", secure.port);
  const get = async (authority: string, path = "/"): Promise<string> => {
    const { status, body } = await caller.call(authority, path);
    return status === 200 ? body : `${status} ${body}`;
  };

  before(async () => {
    ca = await OutsideCa.create();
    const workloads = [{ namespace: "default", serviceAccount: "caller", service: "caller" }];
    mesh = await startSidecarMesh({ workloads });
    caFile = join(mesh.folder, "outside-ca.pem");
    await writeFile(caFile, ca.pem);
    const certificate = await ca.issue(HOST, "localhost", "127.0.0.1", "spiffe://outside/secure");
    secure = await new Application(({ socket }) => {
      const { servername, alpnProtocol } = socket as TLSSocket & { servername: string | false };
      return { body: `${servername} ${alpnProtocol}` };
    }, certificate).listen();
    plain = await new Application(({ url, headers }) => ({
      body: `${url} ${headers.host} ${headers["x-route"]} ${headers["x-envoy-attempt-count"]}`,
    })).listen();
    const hosts = [HOST, "localhost", "named.example.com"].map((host) => ({
      pattern: host,
      namespace: "default",
      service: host,
    }));
    await mesh.write("hosts", "default", HostsConfig.encode({ hosts, revision: 1 }));
    caller = await mesh.startSidecar({ service: "caller", env: { OUTBOUND_TRAFFIC_POLICY: "REGISTRY_ONLY" } });
  });

  after(async () => {
    await mesh.stop();
    await Promise.all([secure.close(), plain.close()]);
  });

  describe("are reached by TLS that the proxy begins", () => {
    test("with the host as the name that is asked for and has to be shown", async () => {
      await securely({});
      assert.equal(await get(HOST), `${HOST} http/1.1`);
      assert.equal(await get(`${HOST}:443`), `${HOST} http/1.1`);
      const connections = secure.connections;
      assert.equal(await get(HOST), `${HOST} http/1.1`);
      assert.equal(secure.connections, connections, "connections are kept");
    });

    test("also when the application itself asks for https", async () => {
      const client = await RawClient.to(caller.port("outbound"));
      client.send(`GET https://${HOST}/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const { status, body } = await client.response();
      assert.deepEqual([status, body], [200, `${HOST} http/1.1`]);
      client.close();
    });

    test("with an SNI of its own, which the certificate must have", async () => {
      await securely({ sni: "localhost" });
      assert.equal(await get(HOST), "localhost http/1.1");
      await securely({ sni: "other.example.com" });
      assert.match(await get(HOST), /^503 .*the certificate is for .*, not for other\.example\.com/);
    });

    test("and with other names that the certificate may have", async () => {
      await securely({ sni: "other.example.com", subjectAltNames: ["no.example.com", "spiffe://outside/secure"] });
      assert.equal(await get(HOST), "other.example.com http/1.1");
      await securely({ subjectAltNames: ["spiffe://outside/other"] });
      assert.match(await get(HOST), /^503 .*not for spiffe:\/\/outside\/other/);
    });

    test("not by a root that the policy does not name, unless nothing is to be verified", async () => {
      const other = join(mesh.folder, "other-ca.pem");
      await writeFile(other, (await OutsideCa.create()).pem);
      await securely({ caCertificates: other });
      assert.match(await get(HOST), /^503 .*reset reason: .*certificate/);
      await securely({ caCertificates: "" });
      assert.match(await get(HOST), /^503 .*reset reason: .*certificate/);
      await securely({ caCertificates: join(mesh.folder, "nothing.pem") });
      assert.match(await get(HOST), /^503 .*CA certificates cannot be read/);
      await writeFile(other, "nothing");
      await securely({ caCertificates: "", insecureSkipVerify: true, sni: "any.example.com" });
      assert.equal(await get(HOST), "any.example.com http/1.1");
    });

    test("only on the port that a policy speaks of", async () => {
      await writeHost(
        HOST,
        { policies: [{ ...originating({ caCertificates: caFile }), port: 443 }] },
        "127.0.0.1",
        secure.port,
      );
      assert.equal(await get(`${HOST}:443`), `${HOST} http/1.1`);
      assert.match(await get(HOST), /^(400|502|503) /, "plain text to a server of TLS");
      const seen = (await (await fetch(`http://127.0.0.1:${caller.port("admin")}/endpoints`)).json()) as {
        endpoint_statuses: { cluster: string; service_port: number; transport: string }[];
      };
      const own = seen.endpoint_statuses.filter(({ cluster }) => cluster.startsWith(`${HOST}.default`));
      assert.deepEqual(
        own.map(({ cluster, service_port, transport }) => `${cluster} ${service_port} ${transport}`).sort(),
        [`${HOST}.default 443 plaintext`, `${HOST}.default 80 plaintext`, `${HOST}.default:443 443 tls`],
      );
    });
  });

  describe("without endpoints are where the request says", () => {
    const passing = (
      port: number,
      routes: readonly Partial<RouteInput>[] = [{}],
      policies: TrafficPolicyInput[] = [],
    ) =>
      writeHost("localhost", {
        passthrough: true,
        ports: [{ number: port, protocol: "http" }],
        policies,
        routes: routes.map((route) => ({
          rule: "virtualservice/default/localhost",
          destinations: [{ destination: { namespace: "default", service: "localhost" }, weight: 1 }],
          ...route,
        })),
      });

    test("by the routes of the service", async () => {
      const set = [{ name: "x-route", value: "taken" }];
      await passing(plain.port, [{ requestHeaders: { set } }]);
      const authority = `localhost:${plain.port}`;
      assert.equal(await get(authority, "/there"), `/there ${authority} taken 1`);
      assert.match(await get("localhost:1"), /^404 /, "a port that it has not");
      assert.match(await get("127.0.0.1:1"), /^502 /, "a host that nobody names");
      await passing(plain.port, [{ fault: { abort: { percent: 100, httpStatus: 418 } } }]);
      assert.match(await get(authority), /^418 /);
    });

    test("within the time and the tries of the route", async () => {
      const { respond } = plain;
      plain.respond = () => undefined;
      await passing(plain.port, [{ timeout: { timeoutMs: 100 } }]);
      assert.match(await get(`localhost:${plain.port}`), /^504 /);
      let calls = 0;
      plain.respond = () => (++calls < 3 ? { status: 503 } : { body: "third" });
      await passing(plain.port, [{ retry: { attempts: 2, perTryTimeoutMs: 2_000 } }]);
      assert.equal(await get(`localhost:${plain.port}`), "third");
      plain.respond = respond;
    });

    test("whatever a rule makes of the host", async () => {
      await passing(plain.port, [{ rewrite: { uri: "/new", authority: "rewritten.example.com" } }]);
      assert.equal(await get(`localhost:${plain.port}`), "/new rewritten.example.com undefined 1");
    });

    test("by the policy of the service: its limits, and its TLS with the host that is named", async () => {
      await passing(plain.port, [{}], [{ rule: "default", circuitBreaker: { maxConnections: 1, httpMaxRequests: 1 } }]);
      const { respond } = plain;
      plain.respond = (_, response) => void setTimeout(() => response.end("late"), 300);
      const answers = await Promise.all([1, 2].map(() => get(`localhost:${plain.port}`)));
      assert.deepEqual(answers.map((answer) => answer.slice(0, 4)).sort(), ["503 ", "late"]);
      plain.respond = respond;
      await passing(secure.port, [{}], [originating({ caCertificates: caFile })]);
      assert.equal(await get(`localhost:${secure.port}`), "localhost http/1.1");
      const client = await RawClient.to(caller.port("outbound"));
      client.send(`GET https://localhost:${secure.port}/ HTTP/1.1\r\nHost: localhost:${secure.port}\r\n\r\n`);
      assert.equal((await client.response()).body, "localhost http/1.1");
      client.close();
    });
  });

  test("are found by the names of their endpoints", async () => {
    await writeHost("named.example.com", {}, "localhost", plain.port);
    assert.match(await get("named.example.com"), /^\/ named\.example\.com/);
    const addresses = async (): Promise<(string | undefined)[]> => {
      const seen = (await (await fetch(`http://127.0.0.1:${caller.port("admin")}/endpoints`)).json()) as {
        endpoint_statuses: { cluster: string; address: string }[];
      };
      const own = seen.endpoint_statuses.filter(({ cluster }) => cluster === "named.example.com.default");
      return own.map(({ address }) => address);
    };
    await eventually(async () => assert.ok((await addresses()).includes("127.0.0.1")), WITHIN);
    assert.match(await get("named.example.com"), /^\/ named\.example\.com/);
  });
});
