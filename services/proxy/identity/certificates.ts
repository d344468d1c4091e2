import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { Backoff, type Clock, deferred, errorMessage, jittered, WireError } from "../../../shared/base/index.ts";
import type { Bus, Follow, TableFollower } from "../../../shared/bus/index.ts";
import type { Logger, Metrics } from "../../../shared/obs/index.ts";
import { SignRequest, SignResponse, TrustBundle, type WorkloadIdentity } from "../../../shared/wire/index.ts";
import { createCsr } from "./csr.ts";
import { fromPem, type IdentityMaterial, parseCertificate, toPem, verifiedMaterial } from "./material.ts";
import { IdentityFile } from "./state-file.ts";

/*
 * This workload's certificate, from the first request to the last renewal.
 *
 * The key is made here, anew for every certificate, and leaves only into the state folder. At boot a stored
 * certificate that is still valid is taken at once, so a restarted proxy needs neither CA nor bus. At half its life
 * (give or take 1 %, so that a fleet started together does not renew together) it is replaced; while that fails it is
 * tried again with jittered back-off, never rarer than a tenth of the life that is left, and the old one goes on
 * serving. When that is, the wall clock says, and is asked every half minute: a machine that slept, or whose clock was
 * set, would otherwise find out by its peers' refusals. Without a certificate it is tried every two seconds at least. A new trust bundle is a sign of a CA that has come back, so
 * whoever waits tries again soon after it. An answer is believed only when it is for this identity and this key and signed by a root that it names.
 *
 * Trust is the published bundle, once that has been seen, plus the roots of a certificate received since: a CA signs
 * only while its root is published, so its answer can at most be ahead of the broadcast. A bundle without the root of
 * the own certificate withdraws it: a new one is asked for at once.
 */

/** The key of table `trust`. */
const BUNDLE_KEY = "bundle";
const REQUEST_TIMEOUT_MS = 5_000;
const RENEW_AT = 0.5;
const RENEW_JITTER = 0.01;
const RETRY = { baseMs: 250, maxMs: 15_000 } as const;
const MIN_RETRY_MS = 20;
/** Longest wait of a workload that has no valid certificate. */
const URGENT_RETRY_MS = 2_000;
/** Over which those who wait spread when a new bundle calls them. */
const BUNDLE_SPREAD_MS = 500;
const LOOK_AT_CLOCK_MS = 30_000;

const makeKeyPair = promisify(generateKeyPair);

export interface WorkloadCertificatesOptions {
  readonly identity: WorkloadIdentity;
  readonly stateDir: string;
  readonly bus: Bus;
  /** A follower of table `trust`. */
  readonly trust: TableFollower;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** Life to ask for; default 0: the CA's default. */
  readonly ttlMs?: number;
  readonly random?: () => number;
}

export class WorkloadCertificates {
  readonly #options: WorkloadCertificatesOptions;
  readonly #file: IdentityFile;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(material: IdentityMaterial) => void>();
  readonly #first = deferred<IdentityMaterial>();
  readonly #stopping = new AbortController();
  readonly #renewals;
  #current: IdentityMaterial | undefined;
  #bundle: TrustBundle | undefined;
  #follow: Follow | undefined;
  #revision = 0;
  #isRequesting = false;
  #isFailing = false;
  #cancelTimer = () => {};
  #stopWatching: (() => void)[] = [];
  #saving: Promise<void> = Promise.resolve();

  constructor(options: WorkloadCertificatesOptions) {
    this.#options = options;
    this.#file = new IdentityFile(options.stateDir);
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff(RETRY, this.#random);
    this.#renewals = options.metrics?.counter("certificate_requests_total", "Certificates asked of the CA.", [
      "outcome",
    ]);
    options.metrics?.gauge("certificate_expiry_seconds", "Seconds until the own certificate expires.", [], (gauge) =>
      gauge.set(this.secondsLeft),
    );
  }

  /** What TLS contexts are made of now; undefined until the first certificate is there. */
  get current(): IdentityMaterial | undefined {
    return this.#current;
  }

  /** Until the certificate expires: negative afterwards, 0 when there is none. */
  get secondsLeft(): number {
    return this.#current === undefined ? 0 : (this.#current.notAfterMs - this.#options.clock.now()) / 1000;
  }

  /** Calls back after every change of the certificate or of the trusted roots; returns the way to stop. */
  onChange(listener: (material: IdentityMaterial) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves once there is a certificate. */
  ready(): Promise<IdentityMaterial> {
    return this.#current === undefined ? this.#first.promise : Promise.resolve(this.#current);
  }

  /** Takes the stored certificate if it is still good, and says whether it was. Call before `start`. */
  async load(): Promise<boolean> {
    const { identity, clock, log } = this.#options;
    try {
      const stored = await this.#file.read();
      if (stored === undefined) return false;
      this.#adopt(verifiedMaterial(stored, identity, clock.now(), this.#revision + 1));
      return true;
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, "the stored certificate is not used");
      return false;
    }
  }

  /** Begins to follow the trust bundle and to renew. Needs no connection yet. */
  start(): void {
    const { bus, trust } = this.#options;
    const follow = trust.follow(BUNDLE_KEY);
    this.#follow = follow;
    this.#stopWatching.push(
      follow.onChange(() => this.#onBundle(follow)),
      bus.onState((state) => {
        if (state === "connected" && this.#current === undefined) this.#schedule(0);
      }),
    );
    this.#onBundle(follow);
    this.#schedule(this.#current === undefined ? 0 : this.#renewalDelayMs(this.#current));
  }

  /** Waits for the state file to be written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    for (const stop of this.#stopWatching.splice(0)) stop();
    this.#follow?.close();
    await this.#saving;
  }

  #renewalDelayMs({ issuedMs, notAfterMs }: IdentityMaterial): number {
    const halfLifeMs = jittered((notAfterMs - issuedMs) * RENEW_AT, RENEW_JITTER, this.#random);
    return issuedMs + halfLifeMs - this.#options.clock.now();
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer();
    if (this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const dueMs = clock.now() + delayMs;
    const wait = (): void => {
      const leftMs = dueMs - clock.now();
      if (leftMs > LOOK_AT_CLOCK_MS) this.#cancelTimer = clock.after(LOOK_AT_CLOCK_MS, wait);
      else this.#cancelTimer = clock.after(Math.max(0, leftMs), () => void this.#renew());
    };
    wait();
  }

  async #renew(): Promise<void> {
    if (this.#isRequesting) return;
    this.#isRequesting = true;
    const { log } = this.#options;
    let delayMs: number;
    try {
      const material = await this.#request();
      if (this.#stopping.signal.aborted) return;
      this.#adopt(material);
      this.#backoff.reset();
      this.#isFailing = false;
      this.#renewals?.inc({ outcome: "signed" });
      log.info(
        { spiffeId: material.spiffeId, notAfter: new Date(material.notAfterMs).toISOString() },
        "new certificate",
      );
      this.#save(material);
      delayMs = this.#renewalDelayMs(material);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      delayMs = this.#retryDelayMs();
      this.#isFailing = true;
      this.#renewals?.inc({ outcome: "failed" });
      log.warn(
        { reason: errorMessage(error), secondsLeft: Math.round(this.secondsLeft), retryMs: Math.round(delayMs) },
        "no new certificate",
      );
    } finally {
      this.#isRequesting = false;
    }
    this.#schedule(delayMs);
  }

  #retryDelayMs(): number {
    const leftMs = this.secondsLeft * 1000;
    const patienceMs = leftMs > 0 ? leftMs / 10 : URGENT_RETRY_MS;
    return Math.max(MIN_RETRY_MS, Math.min(this.#backoff.nextMs(), patienceMs));
  }

  async #request(): Promise<IdentityMaterial> {
    const { bus, identity, clock, ttlMs = 0 } = this.#options;
    const { publicKey, privateKey } = await makeKeyPair("ec", { namedCurve: "P-256" });
    const answer = await bus.request(
      bus.subjects.caSign(identity),
      SignRequest,
      { csr: createCsr(publicKey, privateKey), ttlMs },
      SignResponse,
      { timeoutMs: REQUEST_TIMEOUT_MS, signal: this.#stopping.signal },
    );
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const nowMs = clock.now();
    const candidate = { chain: answer.chain, roots: this.#rootsWith(answer.roots), keyPem, issuedMs: nowMs };
    // Verified against the answer's own roots first: a root of the bundle must not vouch for another CA's answer.
    verifiedMaterial({ ...candidate, roots: answer.roots }, identity, nowMs, 0);
    return verifiedMaterial(candidate, identity, nowMs, this.#revision + 1);
  }

  #rootsWith(added: readonly Uint8Array[]): Uint8Array[] {
    const roots = [...(this.#bundle?.roots ?? (this.#current === undefined ? [] : fromPem(this.#current.rootsPem)))];
    for (const root of added) {
      if (!roots.some((known) => Buffer.compare(known, root) === 0)) roots.push(root);
    }
    return roots;
  }

  #onBundle(follow: Follow): void {
    if (follow.value === undefined) return;
    const applied = { epoch: follow.epoch, sequence: follow.sequence, revision: 0 };
    try {
      this.#applyBundle(readBundle(follow.value));
      follow.setApplied(applied);
    } catch (error) {
      follow.setApplied({ ...applied, reason: errorMessage(error) });
      this.#options.log.warn({ reason: errorMessage(error) }, "trust bundle refused: the one before stays in force");
    }
  }

  #applyBundle(bundle: TrustBundle): void {
    const before = this.#current;
    if (before !== undefined && bundle.trustDomain !== before.trustDomain) {
      throw new WireError(
        `the bundle is of trust domain ${bundle.trustDomain}, the own certificate of ${before.trustDomain}`,
      );
    }
    this.#bundle = bundle;
    if (this.#isFailing) this.#schedule(BUNDLE_SPREAD_MS * this.#random());
    if (before === undefined) return;
    const rootsPem = bundle.roots.map(toPem).join("");
    if (rootsPem === before.rootsPem) return;
    const after = { ...before, rootsPem, revision: this.#revision + 1 };
    this.#adopt(after);
    this.#save(after);
    try {
      const candidate = {
        chain: fromPem(before.certPem),
        roots: bundle.roots,
        keyPem: before.keyPem,
        issuedMs: before.issuedMs,
      };
      verifiedMaterial(candidate, this.#options.identity, before.issuedMs, 0);
    } catch (error) {
      this.#options.log.warn(
        { reason: errorMessage(error) },
        "the new trust bundle does not hold the own certificate: asking for another",
      );
      this.#schedule(0);
    }
  }

  #adopt(material: IdentityMaterial): void {
    this.#revision = material.revision;
    this.#current = material;
    this.#first.resolve(material);
    for (const listener of this.#listeners) {
      try {
        listener(material);
      } catch (error) {
        this.#options.log.error({ reason: errorMessage(error) }, "a listener of the certificate failed");
      }
    }
  }

  /** Writes one at a time; a full disk must not stop a renewal. */
  #save(material: IdentityMaterial): void {
    this.#saving = this.#saving
      .then(() => this.#file.write(material))
      .catch((error: unknown) =>
        this.#options.log.error({ reason: errorMessage(error) }, "the certificate is not stored"),
      );
  }
}

/** Throws WireError unless the bytes are a bundle with at least one root. */
export function readBundle(bytes: Uint8Array): TrustBundle {
  // A copy: decoded bytes are windows into the message.
  const bundle = TrustBundle.decode(Uint8Array.from(bytes));
  if (bundle.roots.length === 0) throw new WireError("a trust bundle without a root");
  // Parsed once here, so that no TLS context is ever made of something else.
  for (const root of bundle.roots) parseCertificate(root);
  return bundle;
}
