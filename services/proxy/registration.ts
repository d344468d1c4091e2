import { type Clock, jittered } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { type Input, Registration, type RegistryVerb, type WorkloadIdentity } from "../../shared/wire/index.ts";
import type { HealthProbe } from "./health-probe.ts";

/*
 * Tells every Pilot that this instance is there. Each heartbeat is the whole registration, so that a Pilot which has
 * just started, or missed one, needs no other. It goes out at once on start, on reconnect and when the application's
 * health changes, and else every five seconds, give or take a fifth: a fleet that reconnects together does not stay
 * together. A message lost while disconnected is made good by the one on reconnect.
 */

const HEARTBEAT_MS = 5_000;
const HEARTBEAT_JITTER = 0.2;

/** What Pilot is told, but for the health. */
export type RegistrationContent = Omit<Input<typeof Registration>, "healthy">;

export interface RegistrarOptions {
  readonly bus: Bus;
  readonly identity: WorkloadIdentity;
  readonly service: string;
  readonly instance: string;
  /** Read for every heartbeat. */
  readonly content: () => RegistrationContent;
  readonly health: HealthProbe;
  readonly clock: Clock;
  /** In milliseconds, default 5000. */
  readonly heartbeatMs?: number;
}

export class Registrar {
  readonly #options: RegistrarOptions;
  #isRegistered = false;
  #cancelTimer = () => {};
  #stopWatching: (() => void)[] = [];

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** Registers now and goes on with heartbeats. */
  start(): void {
    if (this.#isRegistered) return;
    this.#isRegistered = true;
    const { bus, health } = this.#options;
    this.#stopWatching.push(
      bus.onState((state) => {
        if (state === "connected") this.#beat("heartbeat");
      }),
      health.onChange(() => this.#beat("heartbeat")),
    );
    this.#beat("register");
  }

  /** Says that something in the content has changed. */
  refresh(): void {
    if (this.#isRegistered) this.#beat("heartbeat");
  }

  /** Takes the instance out of the registry and waits until the server has the message, if it is there. */
  async deregister(): Promise<void> {
    if (!this.#isRegistered) return;
    this.#isRegistered = false;
    this.#cancelTimer();
    for (const stop of this.#stopWatching.splice(0)) stop();
    this.#publish("deregister");
    const { bus } = this.#options;
    if (bus.connected) await bus.flush().catch(() => undefined);
  }

  #beat(verb: RegistryVerb): void {
    this.#cancelTimer();
    this.#publish(verb);
    const { clock, heartbeatMs = HEARTBEAT_MS } = this.#options;
    this.#cancelTimer = clock.after(jittered(heartbeatMs, HEARTBEAT_JITTER), () => this.#beat("heartbeat"));
  }

  #publish(verb: RegistryVerb): void {
    const { bus, identity, service, instance, content, health } = this.#options;
    bus.publish(bus.subjects.registry({ verb, ...identity, service, instance }), Registration, {
      ...content(),
      healthy: health.healthy,
    });
  }
}
