import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, webcrypto, X509Certificate } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Authority, openAuthority } from "../../services/ca/authority.ts";
import { Signer } from "../../services/ca/signer.ts";
import { bundleHolds, mergedBundle } from "../../services/ca/trust.ts";
import {
  BasicConstraintsExtension,
  X509Certificate as ParsedCertificate,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "../../services/ca/x509.ts";
import { createCsr } from "../../services/proxy/identity/csr.ts";
import { InvalidArgumentError } from "../../shared/base/index.ts";
import { TrustBundle } from "../../shared/wire/index.ts";
import { FakeClock } from "../harness/index.ts";

const DAY_MS = 86_400_000;
const identity = { namespace: "default", serviceAccount: "reviews" };

async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "lateen-ca-"));
}

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function csr(): Uint8Array {
  const { publicKey, privateKey } = keyPair();
  return createCsr(publicKey, privateKey);
}

describe("certificate authority", () => {
  const clock = new FakeClock(Date.now());
  let dataDir: string;
  let authority: Authority;
  let signer: Signer;

  const open = (overrides: Partial<{ dataDir: string; trustDomain: string }> = {}): Promise<Authority> =>
    openAuthority({ dataDir, trustDomain: "cluster.local", rootTtlMs: 3650 * DAY_MS, clock, ...overrides });

  before(async () => {
    dataDir = await temporaryFolder();
    authority = await open();
    signer = new Signer({ authority, clock, defaultTtlMs: DAY_MS, maxTtlMs: 90 * DAY_MS });
  });

  after(() => rm(dataDir, { recursive: true, force: true }));

  test("a certificate follows the X.509-SVID rules", async () => {
    const signed = await signer.sign(identity, csr(), 0);
    const root = new X509Certificate(authority.root);
    const leaf = new X509Certificate(signed.certificate);
    assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/default/sa/reviews");
    assert.equal(leaf.ca, false);
    assert.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root));
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(leaf.serialNumber.length, 32);
    const parsed = new ParsedCertificate(Uint8Array.from(signed.certificate).buffer);
    const critical = new Map(parsed.extensions.map((extension) => [extension.type, extension.critical]));
    assert.equal(critical.get("2.5.29.15"), true, "key usage is critical");
    assert.equal(critical.get("2.5.29.17"), true, "names are critical where the subject is empty");
    assert.equal(critical.get("2.5.29.19"), true, "basic constraints are critical");
    assert.equal(Date.parse(leaf.validTo), signed.notAfterMs);
    assert.ok(signed.notBeforeMs <= clock.now() - 59_000 && signed.notBeforeMs >= clock.now() - 61_000);
    assert.ok(Math.abs(signed.notAfterMs - clock.now() - DAY_MS) <= 1_000);
  });

  test("two certificates never share a serial", async () => {
    const serials = new Set<string>();
    const request = csr();
    for (let i = 0; i < 20; i++)
      serials.add(new X509Certificate((await signer.sign(identity, request, 0)).certificate).serialNumber);
    assert.equal(serials.size, 20);
  });

  test("names and constraints that a request asks for are ignored", async () => {
    const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const greedy = await Pkcs10CertificateRequestGenerator.create(
      {
        name: "CN=admin",
        keys: keys as CryptoKeyPair,
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
        extensions: [
          new BasicConstraintsExtension(true, 5, true),
          new SubjectAlternativeNameExtension([
            { type: "url", value: "spiffe://cluster.local/ns/istio-system/sa/admin" },
            { type: "dns", value: "productpage" },
          ]),
        ],
      },
      webcrypto,
    );
    const leaf = new X509Certificate((await signer.sign(identity, new Uint8Array(greedy.rawData), 0)).certificate);
    assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/default/sa/reviews");
    assert.equal(leaf.ca, false);
    assert.equal(leaf.subject, undefined);
  });

  test("a life beyond the most allowed is refused with both figures", async () => {
    await assert.rejects(signer.sign(identity, csr(), 91 * DAY_MS), (error: unknown) => {
      assert.ok(error instanceof InvalidArgumentError);
      assert.match(error.message, /7862400000 ms is more than the most allowed, 7776000000 ms/);
      return true;
    });
    await assert.rejects(signer.sign(identity, csr(), Number.NaN), InvalidArgumentError);
    await assert.rejects(signer.sign(identity, csr(), -5), InvalidArgumentError);
  });

  test("a request whose signature is not its key's is refused", async () => {
    const forged = createCsr(keyPair().publicKey, keyPair().privateKey);
    await assert.rejects(signer.sign(identity, forged, 0), /not signed by the key/);
    await assert.rejects(signer.sign(identity, new Uint8Array([1, 2, 3]), 0), InvalidArgumentError);
    await assert.rejects(signer.sign(identity, new Uint8Array(20_000), 0), /at most 16384/);
  });

  test("weak and unknown keys are refused, RSA of 2048 bits is taken", async () => {
    const rsa = async (modulusLength: number): Promise<Uint8Array> => {
      const algorithm = {
        name: "RSASSA-PKCS1-v1_5",
        modulusLength,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: "SHA-256",
      };
      const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      const request = await Pkcs10CertificateRequestGenerator.create(
        { keys: keys as CryptoKeyPair, signingAlgorithm: algorithm },
        webcrypto,
      );
      return new Uint8Array(request.rawData);
    };
    await assert.rejects(signer.sign(identity, await rsa(1024), 0), /rsa 1024/);
    assert.ok(await signer.sign(identity, await rsa(2048), 0));
    const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, ["sign", "verify"]);
    const p384 = await Pkcs10CertificateRequestGenerator.create(
      { keys: keys as CryptoKeyPair, signingAlgorithm: { name: "ECDSA", hash: "SHA-384" } },
      webcrypto,
    );
    await assert.rejects(signer.sign(identity, new Uint8Array(p384.rawData), 0), /secp384r1/);
  });

  test("names that could change the meaning of a SPIFFE id are refused", async () => {
    for (const namespace of ["", "a/b", "..", ".", "a b", "x%2e", "a".repeat(254)]) {
      await assert.rejects(
        signer.sign({ namespace, serviceAccount: "x" }, csr(), 0),
        /SPIFFE id/,
        JSON.stringify(namespace),
      );
    }
  });

  test("the root is made once and kept where only its owner can read it", async () => {
    const path = join(dataDir, "ca", "root.pem");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(dataDir, "ca"))).mode & 0o777, 0o700);
    assert.deepEqual((await open()).root, authority.root);
    assert.deepEqual(await readdir(join(dataDir, "ca")), ["root.pem"]);
    assert.equal(new X509Certificate(authority.root).ca, true);
    assert.match(await readFile(path, "utf8"), /BEGIN PRIVATE KEY/);
    assert.equal(authority.signingKey.extractable, false);
  });

  test("of processes that start at once on one folder, one makes the root and all have it", async () => {
    const folder = await temporaryFolder();
    try {
      const authorities = await Promise.all(Array.from({ length: 4 }, () => open({ dataDir: folder })));
      const roots = new Set(authorities.map((one) => Buffer.from(one.root).toString("hex")));
      assert.equal(roots.size, 1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("a root of another trust domain, or one that others can read, is refused", async () => {
    await assert.rejects(open({ trustDomain: "other.example" }), /belongs to trust domain cluster\.local/);
    const path = join(dataDir, "ca", "root.pem");
    await chmod(path, 0o644);
    await assert.rejects(open(), /mode 0644/);
    await chmod(path, 0o600);
  });

  test("the published bundle gains a root and loses none that is still good", async () => {
    const folder = await temporaryFolder();
    try {
      const other = await open({ dataDir: folder });
      const first = mergedBundle(undefined, "cluster.local", authority.root, clock.now());
      assert.deepEqual(mergedBundle(first, "cluster.local", authority.root, clock.now()), first);
      const both = mergedBundle(first, "cluster.local", other.root, clock.now());
      assert.ok(bundleHolds(both, authority.root) && bundleHolds(both, other.root));
      assert.equal(bundleHolds(first, other.root), false);
      const foreign = TrustBundle.encode({ trustDomain: "other.example", roots: [authority.root] });
      assert.equal(TrustBundle.decode(mergedBundle(foreign, "cluster.local", other.root, clock.now())).roots.length, 1);
      const later = mergedBundle(first, "cluster.local", other.root, clock.now() + 3651 * DAY_MS);
      assert.equal(bundleHolds(later, authority.root), false);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
