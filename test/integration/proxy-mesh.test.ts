import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type CandidateMaterial, toPem } from "../../services/proxy/identity/material.ts";
import { IdentityFile } from "../../services/proxy/identity/state-file.ts";
import { encodeHello } from "../../services/proxy/tls/hello.ts";
import { GatewayConfig, type ServiceConfig, tableKey } from "../../shared/wire/index.ts";
import { Application, type Respond } from "../harness/application.ts";
import { eventually, freePort } from "../harness/index.ts";
import { RawClient } from "../harness/raw-client.ts";
import { type Answer, type Sidecar, type SidecarMesh, startSidecarMesh } from "../harness/sidecars.ts";

const workload = (service: string) => ({ namespace: "default", serviceAccount: service, service });

/** What an application answers: what it was asked, and `/slow` only after a while. */
const whatWasAsked: Respond = ({ method, url, headers, body }, response) => {
  const answer = JSON.stringify({ method, url, host: headers.host, body });
  if (url !== "/slow") return { body: answer };
  setTimeout(() => response.end(answer), 300);
  return undefined;
};

/** What a caller leaves to the others (and to whoever else needs the machine) between two calls. */
const PAUSE_MS = 5;

/** Calls from several sides, each after its last answer, until told to stop. */
function load(
  callers: number,
  call: (n: number) => Promise<Answer>,
): { more(count: number): Promise<void>; stop(): Promise<readonly string[]> } {
  let running = true;
  let begun = 0;
  let answered = 0;
  const failures: string[] = [];
  const loops = Array.from({ length: callers }, async () => {
    while (running) {
      const n = begun++;
      const { status, body } = await call(n).catch(
        (error: unknown): Answer => ({ status: 0, headers: {}, body: String(error) }),
      );
      if (status !== 200) failures.push(`${n}: ${status} ${body}`);
      answered++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
  return {
    async more(count) {
      const goal = answered + count;
      await eventually(() => answered >= goal, { withinMs: 20_000 });
    },
    async stop() {
      running = false;
      await Promise.all(loops);
      return failures;
    },
  };
}

const isGood = ({ status }: Answer): boolean => status === 200;

describe("two sidecars", () => {
  let mesh: SidecarMesh;
  let caller: Sidecar;
  let reviews: Sidecar;
  let inboundPort = 0;
  const application = new Application(whatWasAsked);

  const startReviews = async (): Promise<Sidecar> =>
    mesh.startSidecar({
      service: "reviews",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${application.port}`, INBOUND_PORT: String(inboundPort) },
    });

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({ workloads: ["productpage", "reviews", "ratings", "details"].map(workload) });
    await mesh.writeService("reviews");
    await mesh.writeService("productpage");
    inboundPort = await freePort();
    reviews = await startReviews();
    caller = await mesh.startSidecar({ service: "productpage" });
    await mesh.writeEndpoints("reviews", [reviews]);
    await eventually(async () => isGood(await caller.call("reviews:9080")));
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  /** The caller's certificate from its disk, where it comes a moment after its first use. */
  const storedIdentity = (): Promise<CandidateMaterial> =>
    eventually(async () => {
      const stored = await new IdentityFile(caller.stateDir).read();
      assert.ok(stored !== undefined);
      return stored;
    });

  /** A TLS connection to the inbound port with the certificate of productpage, and how it ended or what it said. */
  const dial = async (
    options: ConnectionOptions,
    first: string | Buffer,
  ): Promise<{ text: string; reused: boolean; session: Buffer | undefined }> => {
    const stored = await storedIdentity();
    const socket = connectTls({
      port: reviews.port("inbound"),
      host: "127.0.0.1",
      cert: stored.chain.map(toPem).join(""),
      key: stored.keyPem,
      ca: stored.roots.map(toPem).join(""),
      ALPNProtocols: ["lateen/1"],
      checkServerIdentity: () => undefined,
      ...options,
    });
    let text = "";
    let reused = false;
    let session: Buffer | undefined;
    socket.on("error", () => undefined);
    socket.on("session", (given: Buffer) => (session = given));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n")) socket.end();
    });
    socket.on("secureConnect", () => {
      reused = socket.isSessionReused();
      socket.write(first);
    });
    await new Promise((resolve) => socket.once("close", resolve));
    return { text, reused, session };
  };
  const hello = (service = "reviews", protocol = "http/1.1"): Buffer =>
    encodeHello({
      protocol,
      service,
      port: 9080,
      sourceService: "productpage",
      sourceInstance: "x",
      sourceWorkload: "y",
      sourceLabels: {},
    });
  const GET = "GET /dialled HTTP/1.1\r\nHost: reviews\r\n\r\n";
  const askedFor = (url: string): number => application.received.filter((request) => request.url === url).length;

  test("carry a request and its answer over mutual TLS, by every name of the service", async () => {
    for (const host of [
      "reviews",
      "reviews:9080",
      "reviews.default",
      "REVIEWS.default.svc",
      "reviews.default.svc.cluster.local:9080",
    ]) {
      const { status, body } = await caller.call(host, "/a?b=c", { method: "POST", body: "text" });
      assert.equal(status, 200);
      assert.deepEqual(JSON.parse(body), { method: "POST", url: "/a?b=c", host, body: "text" });
    }
    const { received } = application;
    assert.match(String(received.at(-1)?.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    assert.equal(received.at(-1)?.socket.remoteAddress, "127.0.0.1");
  });

  test("keep the caller's request id", async () => {
    await caller.call("reviews", "/", { headers: { "x-request-id": "mine" } });
    assert.equal(application.received.at(-1)?.headers["x-request-id"], "mine");
  });

  test("refuse plain text on the inbound port", async () => {
    const plain = await RawClient.to(reviews.port("inbound"));
    plain.send("GET /plain HTTP/1.1\r\nHost: reviews\r\n\r\n");
    assert.doesNotMatch(await plain.untilClosed(), /HTTP/);
    assert.equal(askedFor("/plain"), 0);
  });

  test("serve whoever shows a certificate of the mesh, lateen/1 and a Hello for this service, and nobody else", async () => {
    assert.match((await dial({}, Buffer.concat([hello(), Buffer.from(GET)]))).text, /^HTTP\/1\.1 200 OK/);
    assert.equal(askedFor("/dialled"), 1);
    const frame = Buffer.concat([hello(), Buffer.from(GET)]);
    const refused: readonly (readonly [string, ConnectionOptions, string | Buffer])[] = [
      ["another ALPN", { ALPNProtocols: ["h2", "http/1.1"] }, frame],
      ["no ALPN", { ALPNProtocols: [] }, frame],
      ["no certificate", { cert: "", key: "" }, frame],
      ["TLS 1.2", { maxVersion: "TLSv1.2" }, frame],
      ["no Hello", {}, GET],
      ["a Hello for another service", {}, Buffer.concat([hello("ratings"), Buffer.from(GET)])],
      ["another protocol", {}, Buffer.concat([hello("reviews", "tcp"), Buffer.from(GET)])],
    ];
    for (const [what, options, first] of refused) {
      const { text } = await dial(options, first);
      assert.equal(text, "", what);
    }
    assert.equal(askedFor("/dialled"), 1);
  });

  test("take a question for gRPC health, and nothing else, from who says that he comes with one", async () => {
    const ask = async (path: string, service?: string): Promise<string | undefined> => {
      const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: reviews\r\n\r\n`);
      const { text } = await dial({}, Buffer.concat([hello(service, "grpc-health"), request]));
      return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
    };
    const before = application.received.length;
    assert.equal(await ask("/grpc.health.v1.Health/Check/"), "503", "the application does not speak gRPC");
    assert.equal(await ask("/grpc.health.v1.Health/Check/%zz"), "404");
    assert.equal(await ask("/dialled"), "404");
    assert.equal(await ask("/grpc.health.v1.Health/Check/", "ratings"), undefined, "another service's");
    assert.equal(application.received.length, before);
  });

  test("take a Hello that comes byte by byte, and CONNECT from nobody", async () => {
    const stored = await storedIdentity();
    const socket = connectTls({
      port: reviews.port("inbound"),
      cert: stored.chain.map(toPem).join(""),
      key: stored.keyPem,
      ca: stored.roots.map(toPem).join(""),
      ALPNProtocols: ["lateen/1"],
      checkServerIdentity: () => undefined,
    });
    await once(socket, "secureConnect");
    for (const byte of Buffer.concat([hello(), Buffer.from("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")]))
      socket.write(Buffer.from([byte]));
    const [chunk] = (await once(socket, "data")) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1\.1 405 /);
    socket.destroy();
  });

  test("never resume a TLS session", async () => {
    const frame = Buffer.concat([hello(), Buffer.from(GET)]);
    const { session } = await dial({}, frame);
    const again = await dial(session === undefined ? {} : { session }, frame);
    assert.match(again.text, /^HTTP\/1\.1 200 OK/);
    assert.equal(again.reused, false);
  });

  test("refuse an instance whose certificate is of another service account, before anything is sent", async () => {
    await mesh.writeService("ratings");
    await mesh.writeEndpoints("ratings", [reviews]);
    const { status, body } = await caller.call("ratings", "/impostor");
    assert.equal(status, 503);
    assert.match(body, /may not serve this destination/);
    assert.equal(askedFor("/impostor"), 0);
  });

  test("pass requests to hosts outside the mesh through, unless told otherwise", async () => {
    const { status, body } = await caller.call(`localhost:${application.port}`, "/outside");
    assert.equal(status, 200);
    assert.equal((JSON.parse(body) as { url: string }).url, "/outside");
    assert.equal((await caller.call(`127.0.0.1:${application.port}`, "/outside")).status, 200);
    assert.equal((await caller.call("localhost:99999")).status, 400);
    const strict = await mesh.startSidecar({ service: "details", env: { OUTBOUND_TRAFFIC_POLICY: "REGISTRY_ONLY" } });
    assert.equal((await strict.call(`localhost:${application.port}`, "/outside")).status, 502);
    assert.equal((await strict.call("reviews")).status, 200);
    await mesh.stopSidecar(strict);
  });

  test("do not forward to themselves in a circle", async () => {
    assert.equal((await caller.call(`localhost:${caller.port("outbound")}`)).status, 502);
  });

  test("answer 404 for a port that the service does not have", async () => {
    assert.equal((await caller.call("reviews:9999")).status, 404);
  });

  interface Dump {
    readonly services: readonly { service: string; config: ServiceConfig | null }[];
    readonly tables: readonly { table: string; key: string; sequence: number; applied: { reason?: string } }[];
  }
  const dump = async (): Promise<Dump> =>
    (await (await fetch(`http://127.0.0.1:${caller.port("admin")}/config_dump`)).json()) as Dump;

  test("follow a change of the routes at once, and keep the old ones until what the new ones require is there", async () => {
    const requiring = (sequence: number, status: number) => ({
      routes: [
        {
          rule: "routerule/default/changed",
          destinations: [{ destination: { namespace: "default", service: "reviews" }, weight: 100 }],
          fault: { abort: { percent: 100, httpStatus: status } },
        },
      ],
      requires:
        sequence === 0 ? [] : [{ table: "service", key: tableKey("default", "reviews"), epoch: 9e15, sequence }],
    });
    await mesh.writeService("reviews", requiring(0, 418));
    await eventually(async () => (await caller.call("reviews")).status === 418);
    const received = async (): Promise<number> =>
      (await dump()).tables.find(({ table, key }) => table === "service" && key === tableKey("default", "reviews"))
        ?.sequence ?? 0;
    const before = await received();
    await mesh.writeService("reviews", requiring(1, 500));
    await eventually(async () => (await received()) > before);
    assert.equal((await caller.call("reviews")).status, 418);
    await mesh.writeService("reviews");
    await eventually(async () => isGood(await caller.call("reviews")));
  });

  test("keep what they have when a value cannot be read", async () => {
    await mesh.write("service", tableKey("default", "reviews"), Buffer.from([0xff, 0xff, 0xff]));
    await eventually(async () => {
      const { tables } = await dump();
      return tables.some(
        ({ table, key, applied }) =>
          table === "service" && key === tableKey("default", "reviews") && applied.reason !== undefined,
      );
    });
    assert.equal((await caller.call("reviews")).status, 200);
    await mesh.writeService("reviews", { revision: 7 });
    await eventually(async () => {
      const { services } = await dump();
      return services.find(({ service }) => service === "reviews.default")?.config?.revision === 7;
    });
  });

  test("cancel the request at the application when the caller goes", async () => {
    const client = await RawClient.to(caller.port("outbound"));
    const before = application.received.length;
    client.send("GET /slow HTTP/1.1\r\nHost: reviews\r\n\r\n");
    await eventually(() => application.received.length > before);
    client.close();
    await eventually(() => application.received.at(-1)?.socket.destroyed === true, { withinMs: 250 });
  });

  test("go on while the bus is away, and take up what changed when it is back", async () => {
    await mesh.nats.kill();
    for (let i = 0; i < 20; i++) assert.equal((await caller.call("reviews", `/${i}`)).status, 200);
    assert.equal((await caller.call("never-seen")).status, 503, "what is not known is not guessed");
    await mesh.nats.restart();
    await eventually(() => mesh.writeService("reviews", { revision: 9, routes: [] }).then(() => true), {
      withinMs: 10_000,
      everyMs: 200,
    });
    await eventually(async () => (await caller.call("reviews")).status === 404, { withinMs: 15_000 });
    await mesh.writeService("reviews", { revision: 10 });
    await eventually(async () => isGood(await caller.call("reviews")));
  });

  test("come back from their state folders with everything else down", async () => {
    await Promise.all([mesh.stopSidecar(caller), mesh.stopSidecar(reviews)]);
    await mesh.stopCa();
    await mesh.nats.kill();
    const startBoth = async (): Promise<void> => {
      [reviews, caller] = await Promise.all([startReviews(), mesh.startSidecar({ service: "productpage" })]);
    };
    await startBoth();
    for (let i = 0; i < 5; i++) assert.equal((await caller.call("reviews", `/restored/${i}`)).status, 200);
    // Once more: what was restored is saved again.
    await Promise.all([mesh.stopSidecar(caller), mesh.stopSidecar(reviews)]);
    await startBoth();
    assert.equal((await caller.call("reviews", "/restored/again")).status, 200);
    await mesh.nats.restart();
    await mesh.startCa();
  });
});

describe("under load", () => {
  let mesh: SidecarMesh;
  const application = new Application(whatWasAsked);

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({ workloads: ["productpage", "reviews"].map(workload) });
    await mesh.writeService("reviews");
    await mesh.writeService("productpage");
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  const call = (caller: Sidecar) => (n: number) =>
    caller.call("reviews", `/${n}`, n % 2 === 0 ? {} : { method: "POST", body: "not to be repeated" });

  test("certificates are renewed and connections replaced without losing a request", async () => {
    const env = { CERT_TTL_MS: "4s", MESH_PORTS: `9080:http=127.0.0.1:${application.port}` };
    const reviews = await mesh.startSidecar({ service: "reviews", env });
    const caller = await mesh.startSidecar({ service: "productpage", env: { CERT_TTL_MS: "4s" } });
    await mesh.writeEndpoints("reviews", [reviews]);
    await eventually(async () => isGood(await caller.call("reviews")));
    const keys = new Set<string>();
    const running = load(8, call(caller));
    const renewed = async (): Promise<boolean> => {
      keys.add((await new IdentityFile(reviews.stateDir).read())?.keyPem ?? "");
      return keys.size >= 4;
    };
    await eventually(renewed, { withinMs: 20_000, everyMs: 100 });
    await running.more(100);
    assert.deepEqual(await running.stop(), []);
    await mesh.stopSidecar(caller);
    await mesh.stopSidecar(reviews);
  });

  test("an instance leaves without losing a request", async () => {
    const ports = { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` };
    const stays = await mesh.startSidecar({ service: "reviews", instance: "reviews-1", env: ports });
    const leaves = await mesh.startSidecar({
      service: "reviews",
      instance: "reviews-2",
      env: { ...ports, DRAIN_MIN_MS: "1ms", DRAIN_MAX_MS: "20s" },
    });
    const caller = await mesh.startSidecar({ service: "productpage" });
    await mesh.writeEndpoints("reviews", [stays, leaves]);
    await eventually(async () => isGood(await caller.call("reviews")));
    const running = load(8, (n) => (n % 50 === 0 ? caller.call("reviews", "/slow") : call(caller)(n)));
    await running.more(100);
    let hasLeft = false;
    const stopped = mesh.stopSidecar(leaves).then(() => {
      hasLeft = true;
    });
    await running.more(100);
    assert.equal(hasLeft, false, "it serves on while it is among the endpoints");
    await mesh.writeEndpoints("reviews", [stays]);
    await stopped;
    await running.more(100);
    assert.deepEqual(await running.stop(), []);
    const refused = await RawClient.to(leaves.port("inbound")).catch(() => undefined);
    assert.equal(refused, undefined, "nobody listens any more");
    await mesh.stopSidecar(caller);
    await mesh.stopSidecar(stays);
  });
});

describe("a gateway", () => {
  let mesh: SidecarMesh;
  let gateway: Sidecar;
  const application = new Application(whatWasAsked);

  const route = (service: string, prefix: string) => ({
    rule: `ingressrule/default/${service}`,
    match: { headers: [{ name: "uri", prefix }] },
    destination: { namespace: "default", service },
  });
  const write = (...routes: ReturnType<typeof route>[]): Promise<void> =>
    mesh.write(
      "gateway",
      tableKey("default", "edge"),
      GatewayConfig.encode({ namespace: "default", name: "edge", routes, revision: routes.length }),
    );
  const ask = async (path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port("gateway")}${path}`, { headers });
    return { status: answer.status, body: await answer.text() };
  };

  before(async () => {
    await application.listen();
    mesh = await startSidecarMesh({
      workloads: [...["reviews", "details"].map(workload), { ...workload("edge"), gateway: true }],
    });
    await mesh.writeService("reviews");
    await mesh.writeService("edge");
    const reviews = await mesh.startSidecar({
      service: "reviews",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` },
    });
    await mesh.writeEndpoints("reviews", [reviews]);
    await write(route("reviews", "/reviews"));
    gateway = await mesh.startSidecar({
      service: "edge",
      env: { PROXY_MODE: "gateway", GATEWAY_PORT: "0", GATEWAY_HOST: "127.0.0.1" },
    });
    await eventually(async () => (await ask("/reviews")).status === 200);
  });

  after(async () => {
    await mesh.stop();
    await application.close();
  });

  test("takes requests to where its routes say, and no others", async () => {
    const { status, body } = await ask("/reviews/1?x", { "x-request-id": "forged" });
    assert.equal(status, 200);
    assert.equal((JSON.parse(body) as { url: string }).url, "/reviews/1?x");
    assert.notEqual(application.received.at(-1)?.headers["x-request-id"], "forged");
    assert.equal((await ask("/other")).status, 404);
  });

  test("follows nothing because of a Host from outside", async () => {
    const client = await RawClient.to(gateway.port("gateway"));
    client.send(
      "GET /other HTTP/1.1\r\nHost: details.default\r\n\r\nGET http://ratings/ HTTP/1.1\r\nHost: ratings\r\n\r\n",
    );
    assert.equal((await client.response()).status, 404);
    assert.equal((await client.response()).status, 404);
    client.close();
    const followed = await (await fetch(`http://127.0.0.1:${gateway.port("admin")}/config_dump`)).text();
    assert.doesNotMatch(followed, /details|ratings/);
  });

  test("reaches a service over mutual TLS by a route of its own, while that service's routes wait for something", async () => {
    const details = await mesh.startSidecar({
      service: "details",
      env: { MESH_PORTS: `9080:http=127.0.0.1:${application.port}` },
    });
    await mesh.writeEndpoints("details", [details]);
    await mesh.writeService("details", {
      requires: [{ table: "service", key: tableKey("default", "details"), epoch: Number.MAX_SAFE_INTEGER }],
    });
    const destination = { namespace: "default", service: "details" };
    const whole = { rule: "whole", route: { rule: "whole", destinations: [{ destination, weight: 1 }] } };
    const value = GatewayConfig.encode({ namespace: "default", name: "edge", routes: [whole], revision: 9 });
    await mesh.write("gateway", tableKey("default", "edge"), value);
    await eventually(async () => (await ask("/whole")).status === 200);
    assert.match(String(application.received.at(-1)?.headers["x-forwarded-client-cert"]), /sa\/edge/);
    await write(route("reviews", "/reviews"));
    await eventually(async () => (await ask("/whole")).status === 404);
  });

  test("answers 503 for a service that is not there, and takes new routes as they come", async () => {
    await write(route("reviews", "/reviews"), route("ratings", "/ratings"));
    await eventually(async () => (await ask("/ratings")).status === 503);
    assert.equal((await ask("/reviews")).status, 200);
    await write(route("reviews", "/"));
    await eventually(async () => (await ask("/anything")).status === 200);
  });
});
