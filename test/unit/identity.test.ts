import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openAuthority } from "../../services/ca/authority.ts";
import { Signer } from "../../services/ca/signer.ts";
import { createCsr } from "../../services/proxy/identity/csr.ts";
import { type CandidateMaterial, fromPem, toPem, verifiedMaterial } from "../../services/proxy/identity/material.ts";
import { parseSpiffe, spiffeIdOf, verifyServerIdentity } from "../../services/proxy/identity/peer.ts";
import { IdentityFile } from "../../services/proxy/identity/state-file.ts";
import { systemClock, WireError } from "../../shared/base/index.ts";

const REVIEWS = "spiffe://cluster.local/ns/default/sa/reviews";
const identity = { namespace: "default", serviceAccount: "reviews" };

describe("the peer's identity", () => {
  test("a SPIFFE id is taken apart, and nothing else is one", () => {
    assert.deepEqual(parseSpiffe(REVIEWS), {
      trustDomain: "cluster.local",
      namespace: "default",
      serviceAccount: "reviews",
    });
    for (const id of [
      "",
      "spiffe://cluster.local",
      "spiffe:///ns/a/sa/b",
      "spiffe://cluster.local/ns/a/sa/",
      "spiffe://cluster.local/ns/a/sa/b/c",
      "spiffe://cluster.local/ns/../sa/b",
      "spiffe://cluster.local/ns/a/sa/b?x",
      "https://cluster.local/ns/a/sa/b",
      "spiffe://user@cluster.local/ns/a/sa/b",
    ]) {
      assert.equal(parseSpiffe(id), undefined, id);
    }
  });

  test("a certificate with exactly one SPIFFE URI names its peer", () => {
    assert.equal(spiffeIdOf({ subjectaltname: `URI:${REVIEWS}` }), REVIEWS);
    assert.equal(spiffeIdOf({ subjectaltname: `DNS:reviews, URI:${REVIEWS}` }), REVIEWS);
  });

  test("none, two, or quoted names are nobody", () => {
    for (const subjectaltname of [
      undefined,
      "",
      "DNS:reviews",
      `URI:${REVIEWS}, URI:spiffe://cluster.local/ns/default/sa/admin`,
      `DNS:"x, URI:${REVIEWS}"`,
      `URI:"${REVIEWS}\\u002c x"`,
      `URI:https://cluster.local/, URI:${REVIEWS}`,
      `DNS:URI:${REVIEWS}`,
    ]) {
      assert.equal(
        spiffeIdOf(subjectaltname === undefined ? ({} as { subjectaltname: string }) : { subjectaltname }),
        undefined,
        subjectaltname,
      );
    }
  });

  test("a server is refused unless the destination lists its identity", () => {
    const certificate = { subjectaltname: `URI:${REVIEWS}` };
    assert.equal(verifyServerIdentity(certificate, [REVIEWS]), undefined);
    assert.equal(verifyServerIdentity(certificate, new Set([REVIEWS])), undefined);
    assert.match(
      verifyServerIdentity(certificate, ["spiffe://cluster.local/ns/default/sa/ratings"])?.message ?? "",
      /sa\/reviews/,
    );
    assert.match(
      verifyServerIdentity({ subjectaltname: "DNS:reviews" }, [REVIEWS])?.message ?? "",
      /no SPIFFE identity/,
    );
    assert.ok(verifyServerIdentity(certificate, []) instanceof Error);
  });
});

describe("the workload's own material", () => {
  let folder: string;
  let signer: Signer;
  let root: Uint8Array;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lateen-identity-"));
    const authority = await openAuthority({
      dataDir: folder,
      trustDomain: "cluster.local",
      rootTtlMs: 86_400_000,
      clock: systemClock,
    });
    root = authority.root;
    signer = new Signer({ authority, clock: systemClock, defaultTtlMs: 3_600_000, maxTtlMs: 3_600_000 });
  });

  after(() => rm(folder, { recursive: true, force: true }));

  async function candidate(who = identity): Promise<CandidateMaterial> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signed = await signer.sign(who, createCsr(publicKey, privateKey), 0);
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    return { chain: [signed.certificate], roots: [root], keyPem, issuedMs: Date.now() };
  }

  test("a good answer becomes material", async () => {
    const material = verifiedMaterial(await candidate(), identity, Date.now(), 7);
    assert.equal(material.spiffeId, REVIEWS);
    assert.equal(material.trustDomain, "cluster.local");
    assert.equal(material.revision, 7);
    assert.deepEqual(fromPem(material.rootsPem), [Uint8Array.from(root)]);
    assert.match(material.certPem, /^-----BEGIN CERTIFICATE-----\n/);
  });

  test("an answer for somebody else, another key, another root or another time is refused", async () => {
    const good = await candidate();
    const now = Date.now();
    assert.throws(
      () => verifiedMaterial(good, { ...identity, serviceAccount: "ratings" }, now, 1),
      /not for default\/ratings/,
    );
    const other = await candidate();
    assert.throws(() => verifiedMaterial({ ...good, keyPem: other.keyPem }, identity, now, 1), /another key/);
    assert.throws(() => verifiedMaterial({ ...good, roots: good.chain }, identity, now, 1), /no trusted root/);
    assert.throws(() => verifiedMaterial({ ...good, roots: [] }, identity, now, 1), /no trusted root/);
    assert.throws(() => verifiedMaterial(good, identity, now + 3_600_001, 1), /expired/);
    assert.throws(() => verifiedMaterial({ ...good, chain: [] }, identity, now, 1), WireError);
    assert.throws(() => verifiedMaterial({ ...good, chain: [new Uint8Array([1])] }, identity, now, 1), WireError);
  });

  test("material survives the state folder, unreadable by others and without left-overs", async () => {
    const state = join(folder, "state");
    const file = new IdentityFile(state);
    assert.equal(await file.read(), undefined);
    const material = verifiedMaterial(await candidate(), identity, Date.now(), 1);
    await file.write(material);
    await file.write(material);
    const names = await readdir(state);
    assert.deepEqual(names, ["identity.json"]);
    assert.equal((await stat(join(state, "identity.json"))).mode & 0o777, 0o600);
    const stored = await file.read();
    assert.ok(stored);
    assert.deepEqual(verifiedMaterial(stored, identity, Date.now(), 1), material);
    await writeFile(join(state, "identity.json"), "{");
    await assert.rejects(file.read(), WireError);
  });

  test("PEM and DER are the same bytes", () => {
    assert.deepEqual(fromPem(toPem(root) + toPem(root)), [Uint8Array.from(root), Uint8Array.from(root)]);
  });
});
