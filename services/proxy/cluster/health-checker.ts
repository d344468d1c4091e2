import { type Clock, jittered } from "../../../shared/base/index.ts";
import type { HealthCheckPolicy } from "./cluster-policy.ts";
import type { Host } from "./host.ts";
import { HostProbe, type Verdict } from "./host-probe.ts";

/**
 * Asks every instance of a cluster whether it is well, at an interval of its own each: by opening a connection (to
 * another proxy that includes the handshake), and over it by a GET where a path is given, or by gRPC's own protocol for
 * that. Each check has a connection of its own, so that it shows that new ones come about and takes nothing from the
 * requests' share.
 *
 * An instance is trusted until it has failed its checks: the registry knew of its health before. So many failures in a
 * row take it out, a 503 to a GET at once, since that is how a server says so itself; so many successes bring it back, and end
 * an ejection too.
 */
export interface HealthCheckerOptions {
  readonly policy: HealthCheckPolicy;
  readonly clock: Clock;
  /** A host's health has changed. */
  onChange(): void;
}

const JITTER = 0.1;

export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #checks = new Map<Host, HostCheck>();

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
  }

  /** These hosts, from now on. */
  watch(hosts: readonly Host[]): void {
    const wanted = new Set(hosts);
    for (const [host, check] of this.#checks) {
      if (wanted.has(host)) continue;
      check.stop();
      this.#checks.delete(host);
    }
    for (const host of hosts) if (!this.#checks.has(host)) this.#checks.set(host, new HostCheck(host, this.#options));
  }

  /** What the checks have found is forgotten. */
  close(): void {
    for (const [host, check] of this.#checks) {
      check.stop();
      host.checkFailed = false;
    }
    this.#checks.clear();
  }
}

/** The checks of one host, one after the other. */
class HostCheck {
  readonly #host: Host;
  readonly #options: HealthCheckerOptions;
  #cancelTimer = () => {};
  #probe: HostProbe | undefined;
  #failures = 0;
  #successes = 0;
  #stopped = false;

  constructor(host: Host, options: HealthCheckerOptions) {
    this.#host = host;
    this.#options = options;
    // Not all at the same moment, and the first within a second.
    this.#cancelTimer = options.clock.after(Math.random() * Math.min(1_000, options.policy.intervalMs), () =>
      this.#run(),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#probe?.cancel();
  }

  #run(): void {
    const { clock, policy } = this.#options;
    const probe = new HostProbe(this.#host, policy, (verdict) => this.#settle(probe, verdict));
    this.#probe = probe;
    this.#cancelTimer = clock.after(policy.timeoutMs, () => this.#settle(probe, "fail"));
    probe.start();
  }

  #settle(probe: HostProbe, verdict: Verdict): void {
    if (this.#stopped || this.#probe !== probe) return;
    this.#probe = undefined;
    this.#cancelTimer();
    probe.cancel();
    this.#note(verdict);
    const { clock, policy } = this.#options;
    this.#cancelTimer = clock.after(jittered(policy.intervalMs, JITTER), () => this.#run());
  }

  #note(verdict: Verdict): void {
    const host = this.#host;
    const { policy, onChange } = this.#options;
    const before = host.available;
    if (verdict === "pass") {
      this.#failures = 0;
      if (++this.#successes >= policy.healthyThreshold) {
        host.checkFailed = false;
        host.ejected = false;
      }
    } else {
      this.#successes = 0;
      if (++this.#failures >= policy.unhealthyThreshold || verdict === "unavailable") host.checkFailed = true;
    }
    if (host.available !== before) onChange();
  }
}
