import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, createServer } from "node:tls";
import { buildCa } from "../../services/ca/app.ts";
import { openAuthority } from "../../services/ca/authority.ts";
import { parseCaConfig } from "../../services/ca/config.ts";
import { WorkloadCertificates } from "../../services/proxy/identity/certificates.ts";
import { fromPem, type IdentityMaterial } from "../../services/proxy/identity/material.ts";
import { spiffeIdOf, verifyServerIdentity } from "../../services/proxy/identity/peer.ts";
import { type App, systemClock } from "../../shared/base/index.ts";
import { type Bus, openBus, TableFollower, TableStore } from "../../shared/bus/index.ts";
import { TrustBundle } from "../../shared/wire/index.ts";
import { eventually, freePort, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const ratings = { namespace: "default", serviceAccount: "ratings", service: "ratings" };

describe("a workload's certificate", () => {
  let nats: NatsFixture;
  let folder: string;
  let ca: App;
  const stops: (() => Promise<void>)[] = [];

  const startCa = async (): Promise<void> => {
    const env = {
      NATS_URL: nats.url,
      NATS_USER: "ca",
      NATS_PASSWORD: nats.password("ca"),
      LATEEN_DATA_DIR: join(folder, "ca"),
      LOG_LEVEL: "error",
      CERT_TTL_MS: "4s",
    };
    ca = buildCa(parseCaConfig(env, []));
    await ca.start();
  };

  const certificates = (bus: Bus, identity: typeof reviews, state: string, ttlMs = 0): WorkloadCertificates => {
    const trust = new TableFollower({ bus, table: "trust", clock: systemClock, log: silentLog });
    const result = new WorkloadCertificates({
      identity,
      stateDir: join(folder, state),
      bus,
      trust,
      clock: systemClock,
      log: silentLog,
      ttlMs,
    });
    stops.push(async () => {
      await result.stop();
      trust.close();
    });
    return result;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lateen-renewal-"));
    nats = await startNats({ workloads: [reviews, ratings] });
    await startCa();
  });

  after(async () => {
    for (const stop of stops) await stop();
    await ca.stop();
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("is renewed at half its life with a new key, and goes on while the CA is away", async () => {
    const own = certificates(await nats.connectWorkload(reviews), reviews, "reviews");
    const seen: IdentityMaterial[] = [];
    own.onChange((material) => seen.push(material));
    assert.equal(own.current, undefined);
    own.start();
    const first = await own.ready();
    assert.equal(first.spiffeId, "spiffe://cluster.local/ns/default/sa/reviews");
    const renewed = (): IdentityMaterial[] => seen.filter((material, i) => material.certPem !== seen[i - 1]?.certPem);
    await eventually(() => renewed().length >= 2, { withinMs: 6_000 });
    const second = renewed()[1]!;
    const lifeMs = first.notAfterMs - first.issuedMs;
    const ageMs = second.issuedMs - first.issuedMs;
    assert.ok(ageMs >= lifeMs * 0.49 && ageMs < lifeMs * 0.51 + 500, `renewed after ${ageMs} of ${lifeMs} ms`);
    assert.notEqual(second.keyPem, first.keyPem);
    assert.ok(second.revision > first.revision);
    assert.ok(new X509Certificate(second.certPem).checkIssued(new X509Certificate(second.rootsPem)));

    await ca.stop();
    const before = own.current!;
    await eventually(() => systemClock.now() > before.issuedMs + (before.notAfterMs - before.issuedMs) * 0.6);
    assert.equal(own.current, before, "the old one stays");
    assert.ok(own.secondsLeft > 0);
    await startCa();
    await eventually(() => own.current !== before, { withinMs: 10_000 });
  });

  test("is renewed soon after the machine has slept through half its life", async () => {
    const bus = await nats.connectWorkload(ratings);
    const trust = new TableFollower({ bus, table: "trust", clock: systemClock, log: silentLog });
    const lifeMs = 3_600_000;
    let sleptMs = 0;
    const own = new WorkloadCertificates({
      identity: ratings,
      stateDir: join(folder, "sleeper"),
      bus,
      trust,
      clock: {
        ...systemClock,
        now: () => Date.now() + sleptMs,
        after: (delayMs, callback) => systemClock.after(delayMs / 100, callback),
      },
      log: silentLog,
      ttlMs: lifeMs,
    });
    own.start();
    const first = await own.ready();
    sleptMs = lifeMs * 0.7;
    await eventually(() => own.current?.keyPem !== first.keyPem, { withinMs: 2_000 });
    await own.stop();
    trust.close();
  });

  test("is there at boot from the state folder with CA and bus down", async () => {
    const own = certificates(await nats.connectWorkload(ratings), ratings, "ratings", 3_600_000);
    assert.equal(await own.load(), false);
    own.start();
    const stored = await own.ready();
    await own.stop();

    const nowhere = openBus({
      servers: `nats://127.0.0.1:${await freePort()}`,
      name: "proxy",
      inboxPrefix: "_INBOX.x",
      subjects: nats.subjects,
      log: silentLog,
    });
    stops.push(() => nowhere.close());
    const again = certificates(nowhere, ratings, "ratings");
    assert.equal(await again.load(), true);
    again.start();
    assert.deepEqual({ ...again.current, revision: 0 }, { ...stored, revision: 0 });
    assert.ok(again.secondsLeft > 3_500);

    const other = certificates(nowhere, reviews, "ratings");
    assert.equal(await other.load(), false, "another workload's certificate is not taken");
  });

  test("trusts a root that is added, keeps trust when a bundle is bad, and asks anew when its own root is withdrawn", async () => {
    const bus = await nats.connectWorkload(ratings);
    const own = certificates(bus, ratings, "trust", 3_600_000);
    own.start();
    const first = await own.ready();
    const store = await TableStore.open(await nats.connectStore("ca"), "trust", { create: false });
    const stored = await store.get("bundle");
    const bundle = TrustBundle.decode(stored!.value);
    const other = await openAuthority({
      dataDir: join(folder, "other"),
      trustDomain: "cluster.local",
      rootTtlMs: 86_400_000,
      clock: systemClock,
    });
    const put = async (roots: Uint8Array[], trustDomain = "cluster.local"): Promise<void> => {
      const now = await store.get("bundle");
      await store.put("bundle", TrustBundle.encode({ trustDomain, roots }), now!.sequence);
    };
    const rootCount = (): number => fromPem(own.current!.rootsPem).length;

    await put([...bundle.roots, other.root]);
    await eventually(() => rootCount() === 2);
    assert.equal(own.current?.certPem, first.certPem);
    assert.ok(own.current!.revision > first.revision);

    await put([]);
    await put([other.root], "other.example");
    await put([...bundle.roots, new Uint8Array([1, 2, 3])]);
    const before = bus.stats.requests;
    assert.equal(rootCount(), 2);

    await put([other.root]);
    await eventually(() => bus.stats.requests > before);
    // The leading CA finds its root withdrawn without its doing, adds it again, and signs again.
    await eventually(() => own.current!.certPem !== first.certPem && rootCount() === 2, { withinMs: 15_000 });
  });

  test("serves mutual TLS in which each side sees who the other is", async () => {
    const server = certificates(await nats.connectWorkload(reviews), reviews, "tls-server", 3_600_000);
    const client = certificates(await nats.connectWorkload(ratings), ratings, "tls-client", 3_600_000);
    server.start();
    client.start();
    const [own, theirs] = await Promise.all([server.ready(), client.ready()]);
    const context = (material: IdentityMaterial) => ({
      cert: material.certPem,
      key: material.keyPem,
      ca: material.rootsPem,
    });
    let caller: string | undefined;
    const listener = createServer({ ...context(own), requestCert: true, rejectUnauthorized: true }, (socket) => {
      caller = spiffeIdOf(socket.getPeerCertificate());
      socket.on("error", () => {}).end("hello");
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const dial = (allowed: string[]): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({
          port,
          host: "127.0.0.1",
          ...context(theirs),
          checkServerIdentity: (_host, certificate) => verifyServerIdentity(certificate, allowed),
        });
        let text = "";
        socket.on("data", (chunk) => {
          text += chunk.toString();
        });
        socket.on("error", reject).on("end", () => resolve(text));
      });
    assert.equal(await dial([own.spiffeId]), "hello");
    assert.equal(caller, "spiffe://cluster.local/ns/default/sa/ratings");
    await assert.rejects(dial(["spiffe://cluster.local/ns/default/sa/details"]), /may not serve this destination/);
    await new Promise((resolve) => listener.close(resolve));
  });
});
