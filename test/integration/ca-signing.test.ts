import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildCa } from "../../services/ca/app.ts";
import { parseCaConfig } from "../../services/ca/config.ts";
import { createCsr } from "../../services/proxy/identity/csr.ts";
import { type App, MeshError, systemClock } from "../../shared/base/index.ts";
import { type Bus, TableFollower, TYPE_HEADER } from "../../shared/bus/index.ts";
import { SignRequest, SignResponse, TrustBundle, type WorkloadIdentity } from "../../shared/wire/index.ts";
import { consistently, eventually, type NatsFixture, silentLog, startNats } from "../harness/index.ts";

const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const ratings = { namespace: "default", serviceAccount: "ratings", service: "ratings" };
const DAY_MS = 86_400_000;

function csr(): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return createCsr(publicKey, privateKey);
}

function ask(bus: Bus, identity: WorkloadIdentity, ttlMs = 0, timeoutMs = 2_000): Promise<SignResponse> {
  return bus.request(bus.subjects.caSign(identity), SignRequest, { csr: csr(), ttlMs }, SignResponse, { timeoutMs });
}

describe("the CA on the bus", () => {
  let nats: NatsFixture;
  let folder: string;
  const apps: App[] = [];

  function ca(dataDir: string): App {
    const env = {
      NATS_URL: nats.url,
      NATS_USER: "ca",
      NATS_PASSWORD: nats.password("ca"),
      LATEEN_DATA_DIR: join(folder, dataDir),
      LOG_LEVEL: "error",
      REPLICA: `${dataDir}-${apps.length}`,
    };
    const app = buildCa(parseCaConfig(env, []));
    apps.push(app);
    return app;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lateen-ca-"));
    nats = await startNats({ workloads: [reviews, ratings] });
    await ca("one").start();
  });

  after(async () => {
    await Promise.all(apps.map((app) => app.stop()));
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("a workload gets a certificate for the identity of its subject, and the roots", async () => {
    const bus = await nats.connectWorkload(reviews);
    const answer = await ask(bus, reviews);
    const leaf = new X509Certificate(answer.chain[0]!);
    assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/default/sa/reviews");
    assert.ok(leaf.verify(new X509Certificate(answer.roots[0]!).publicKey));
    assert.ok(Math.abs(answer.notAfterMs - Date.now() - DAY_MS) < 10_000);
  });

  test("nobody can get another's identity", async () => {
    const bus = await nats.connectWorkload(reviews);
    await assert.rejects(ask(bus, ratings, 0, 500), "the server lets nobody ask under another's subject");
    await eventually(() => bus.stats.permissionErrors > 0);
  });

  test("an answer goes nowhere but to the caller's own inbox", async () => {
    const [bus, other] = await Promise.all([nats.connectWorkload(reviews), nats.connectWorkload(ratings)]);
    let received = 0;
    const inbox = other.newInbox();
    other.subscribe(inbox, () => {
      received++;
    });
    await other.flush();
    const request = SignRequest.encode({ csr: csr() });
    for (const reply of [inbox, bus.subjects.table("trust", "bundle"), "$KV.mesh-trust.bundle"]) {
      bus.publishBytes(bus.subjects.caSign(reviews), request, { reply, headers: { [TYPE_HEADER]: SignRequest.name } });
    }
    await bus.flush();
    await ask(bus, reviews);
    await other.flush();
    await consistently(() => received === 0, 100);
  });

  test("a refusal says why, by code and text", async () => {
    const bus = await nats.connectWorkload(reviews);
    await assert.rejects(ask(bus, reviews, 91 * DAY_MS), (error: unknown) => {
      assert.ok(error instanceof MeshError);
      assert.equal(error.code, "ERR_MESH_INVALID_ARGUMENT");
      assert.match(error.message, /more than the most allowed/);
      return true;
    });
    const forged = { csr: new Uint8Array([0x30, 0]), ttlMs: 0 };
    const subject = bus.subjects.caSign(reviews);
    await assert.rejects(
      bus.request(subject, SignRequest, forged, SignResponse, { timeoutMs: 2_000 }),
      /CSR cannot be read/,
    );
  });

  test("the private key never crosses the bus", async () => {
    const pem = await readFile(join(folder, "one", "ca", "root.pem"), "utf8");
    const key = Buffer.from(/-----BEGIN PRIVATE KEY-----([^-]+)-----/.exec(pem)?.[1] ?? "", "base64");
    const secret = key.subarray(36, 68);
    const bus = await nats.connectWorkload(reviews);
    const answer = SignResponse.encode(await ask(bus, reviews));
    assert.equal(secret.length, 32);
    assert.equal(Buffer.from(answer).indexOf(secret), -1);
  });

  test("a CA with another root signs nothing until it leads and has published its own beside the first", async () => {
    const bus = await nats.connectWorkload(reviews);
    const follower = new TableFollower({ bus, table: "trust", clock: systemClock, log: silentLog });
    const follow = follower.follow("bundle");
    await follow.ready(2_000);
    const rootsNow = (): string[] =>
      TrustBundle.decode(follow.value!).roots.map((root) => Buffer.from(root).toString("hex"));
    const [first] = rootsNow();
    const second = ca("two");
    const started = second.start();
    const issuers = await Promise.all(
      Array.from({ length: 20 }, async () => Buffer.from((await ask(bus, reviews)).roots[0]!).toString("hex")),
    );
    assert.deepEqual(new Set(issuers), new Set([first]));
    await apps[0]!.stop();
    await started;
    await eventually(() => rootsNow().length === 2);
    assert.equal(rootsNow()[0], first, "certificates of the first stay good");
    const answer = await ask(bus, reviews);
    assert.equal(Buffer.from(answer.roots[0]!).toString("hex"), rootsNow()[1]);
    follower.close();
  });

  test("a wiped bus gets the bundle back", async () => {
    const bus = await nats.connectWorkload(ratings);
    await nats.restart({ wipe: true });
    const follower = new TableFollower({ bus, table: "trust", clock: systemClock, log: silentLog });
    const follow = follower.follow("bundle");
    await eventually(() => follow.state === "present", { withinMs: 15_000 });
    assert.equal(TrustBundle.decode(follow.value!).roots.length, 2);
    await eventually(async () => (await ask(bus, ratings)).chain.length === 1, { withinMs: 10_000 });
    follower.close();
  });
});
