import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openAuthority } from "../../services/ca/authority.ts";
import { Signer } from "../../services/ca/signer.ts";
import { Cluster } from "../../services/proxy/cluster/cluster.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { Host } from "../../services/proxy/cluster/host.ts";
import { RouterFilter } from "../../services/proxy/filter/router.ts";
import { clientIdentity } from "../../services/proxy/identity/client-identity.ts";
import { createCsr } from "../../services/proxy/identity/csr.ts";
import { type IdentityMaterial, verifiedMaterial } from "../../services/proxy/identity/material.ts";
import { InboundListener } from "../../services/proxy/inbound/listener.ts";
import type { Listener } from "../../services/proxy/listener.ts";
import { createOutboundListener } from "../../services/proxy/outbound/listener.ts";
import { type Peer, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { systemClock } from "../../shared/base/index.ts";
import { eventually, silentLog } from "../harness/index.ts";
import { ok, RawBackend } from "../harness/raw-backend.ts";
import { RawClient } from "../harness/raw-client.ts";
import { fieldOf } from "../harness/strict-reader.ts";

/** The same codec twice, with mutual TLS between: a caller's outbound port, another's inbound port, an application. */

const identity = { namespace: "default", serviceAccount: "reviews" };
const self: Peer = { ...UNKNOWN_PEER, namespace: "default", service: "reviews", instance: "reviews-1" };
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const UPGRADE = ["GET /chat HTTP/1.1", "Host: reviews", "Connection: Upgrade", "Upgrade: websocket"];

async function makeMaterial(folder: string): Promise<IdentityMaterial> {
  const authority = await openAuthority({
    dataDir: folder,
    trustDomain: "cluster.local",
    rootTtlMs: 86_400_000,
    clock: systemClock,
  });
  const signer = new Signer({ authority, clock: systemClock, defaultTtlMs: 3_600_000, maxTtlMs: 3_600_000 });
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = await signer.sign(identity, createCsr(publicKey, privateKey), 0);
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const candidate = { chain: [signed.certificate], roots: [authority.root], keyPem, issuedMs: Date.now() };
  return verifiedMaterial(candidate, identity, Date.now(), 1);
}

describe("two sidecars", () => {
  const backend = new RawBackend(({ target, body }) => ok(`${target} ${body}`));
  const clusters: Cluster[] = [];
  const clients: RawClient[] = [];
  let folder: string;
  let inbound: InboundListener;
  let outbound: Listener;
  let outboundPort: number;

  function routerTo(port: number, plaintext: boolean, connector: Connector): RouterFilter {
    const cluster = new Cluster(String(port));
    const ports = new Map([[80, { address: "127.0.0.1", port, plaintext }]]);
    cluster.update([new Host({ peer: self, ports, connector })]);
    clusters.push(cluster);
    return new RouterFilter(() => ({ cluster, servicePort: 80, timeoutMs: 0, attempts: 0, perTryTimeoutMs: 0 }));
  }

  async function call(): Promise<RawClient> {
    const client = await RawClient.to(outboundPort);
    clients.push(client);
    return client;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lateen-"));
    const material = await makeMaterial(folder);
    const client = clientIdentity(material);
    const connector = new Connector({
      connectTimeoutMs: 5_000,
      self,
      identity: () => client,
      verify: () => ({ expiresMs: material.notAfterMs }),
    });
    await backend.listen();
    const stack = [routerTo(backend.port, true, connector)];
    const isOwnService = (name: string): boolean => name === "reviews";
    inbound = new InboundListener(
      { self, stacks: new Map([["http/1.1", stack]]), clock: systemClock, log: silentLog, isOwnService },
      material,
    );
    const inboundPort = await inbound.listener.listen("127.0.0.1", 0);
    outbound = createOutboundListener(self, [routerTo(inboundPort, false, connector)], systemClock);
    outboundPort = await outbound.listen("127.0.0.1", 0);
  });

  after(async () => {
    for (const client of clients) client.close();
    for (const cluster of clusters) cluster.close();
    await backend.close();
    await Promise.all([outbound.close(), inbound.listener.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  test("pass pipelined requests and long bodies in order", async () => {
    backend.onData = undefined;
    const client = await call();
    const body = "x".repeat(2_000_000);
    client.send(`POST /1 HTTP/1.1\r\nHost: reviews\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    client.send("GET /2 HTTP/1.1\r\nHost: reviews\r\n\r\n");
    assert.equal((await client.response()).body, `/1 ${body}`);
    assert.equal((await client.response()).body, "/2 ");
  });

  test("refuse CONNECT at the inbound port, whoever asks for it", async () => {
    const client = await call();
    client.head("CONNECT reviews:80 HTTP/1.1", "Host: reviews");
    await client.until(() => client.received.startsWith("HTTP/1.1 200 OK\r\n\r\n"));
    client.received = "";
    client.head("CONNECT reviews:80 HTTP/1.1", "Host: reviews");
    assert.equal(await client.refusal(), 405);
  });

  test("switch to WebSocket together, and pass long messages both ways", async () => {
    backend.onData = (text, { socket }) => socket.write(text.startsWith("GET ") ? SWITCH : text, "latin1");
    const client = await call();
    client.head(...UPGRADE);
    const answer = await client.response();
    assert.deepEqual([answer.status, fieldOf(answer, "upgrade")], [101, "websocket"]);
    const message = "\0\xff".repeat(1_500_000);
    client.send(message);
    await client.until(() => client.received.length === message.length);
    assert.equal(client.received, message);
  });

  test("bring a WebSocket's last bytes to the application before its end", async () => {
    let ended = false;
    backend.onData = (text, { socket }) => {
      if (!text.startsWith("GET ")) return;
      socket.on("end", () => (ended = true));
      socket.write(SWITCH);
    };
    const client = await call();
    client.head(...UPGRADE);
    await client.response();
    const message = "y".repeat(3_000_000);
    client.socket.end(message);
    await eventually(() => ended);
    assert.ok(backend.connections.at(-1)?.raw.endsWith(message));
  });

  test("bring a WebSocket's last bytes to the client before its end", async () => {
    const message = "z".repeat(3_000_000);
    backend.onData = (_, { socket }) => socket.end(SWITCH + message);
    const client = await call();
    client.head(...UPGRADE);
    await client.response();
    assert.equal((await client.untilClosed()).length, message.length);
  });
});
