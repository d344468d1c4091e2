import type { Socket } from "node:net";
import { type Clock, jittered } from "../../../shared/base/index.ts";
import { Http1ClientConnection } from "../codec/http1-client.ts";
import { HeaderList } from "../stream/header-list.ts";
import type { ResponseHead, UpstreamEvents } from "../stream/stream.ts";
import type { HealthCheckPolicy } from "./cluster-policy.ts";
import type { Host } from "./host.ts";

/**
 * Asks every instance of a cluster whether it is well, at an interval of its own each: by opening a connection (to
 * another proxy that includes the handshake), and by a GET over it where a path is given. Each check has a connection of
 * its own, so that it shows that new ones come about and takes nothing from the requests' share.
 *
 * An instance is trusted until it has failed its checks: the registry knew of its health before. So many failures in a
 * row take it out, a 503 at once, since that is how a server says so itself; so many successes bring it back, and end
 * an ejection too.
 */
export interface HealthCheckerOptions {
  readonly policy: HealthCheckPolicy;
  readonly clock: Clock;
  /** A host's health has changed. */
  onChange(): void;
}

type Verdict = "pass" | "fail" | "unavailable";

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
  #probe: Probe | undefined;
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
    const probe = new Probe(this.#host, policy.httpPath, (verdict) => this.#settle(probe, verdict));
    this.#probe = probe;
    this.#cancelTimer = clock.after(policy.timeoutMs, () => this.#settle(probe, "fail"));
    probe.start();
  }

  #settle(probe: Probe, verdict: Verdict): void {
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

/** One check; exactly one verdict follows, unless it is cancelled. */
class Probe implements UpstreamEvents {
  readonly #host: Host;
  readonly #path: string;
  readonly #done: (verdict: Verdict) => void;
  #socket: Socket | undefined;
  #cancelled = false;

  constructor(host: Host, path: string, done: (verdict: Verdict) => void) {
    this.#host = host;
    this.#path = path;
    this.#done = done;
  }

  start(): void {
    const [first] = this.#host.ports;
    if (first === undefined) {
      this.#done("fail");
      return;
    }
    const [servicePort, target] = first;
    this.#host.connector.connect(
      { ...target, peer: this.#host.peer, servicePort },
      {
        onConnected: (socket) => this.#onConnected(socket),
        onFailed: () => this.#done("fail"),
      },
    );
  }

  cancel(): void {
    this.#cancelled = true;
    this.#socket?.destroy();
  }

  #onConnected(socket: Socket): void {
    if (this.#cancelled || this.#path === "") {
      socket.on("error", () => {});
      socket.destroy();
      if (!this.#cancelled) this.#done("pass");
      return;
    }
    this.#socket = socket;
    const connection = new Http1ClientConnection(socket, {
      limits: this.#host.connector.limits,
      onIdle() {},
      onClosed() {},
    });
    const headers = new HeaderList();
    headers.add("user-agent", "user-agent", "Lateen/HC");
    const { host, ip } = this.#host.peer;
    connection
      .open(this)
      .sendHead({ method: "GET", authority: host || ip, scheme: "http", path: this.#path, headers }, true);
  }

  onHead({ status }: ResponseHead): void {
    if (status === 503) this.#done("unavailable");
    else this.#done(status >= 200 && status < 300 ? "pass" : "fail");
  }

  onReset(): void {
    if (!this.#cancelled) this.#done("fail");
  }

  onInterim(): void {}
  onData(): void {}
  onFlush(): void {}
  onDrain(): void {}
}
