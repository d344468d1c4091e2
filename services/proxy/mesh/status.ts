import { type Clock, jittered } from "../../../shared/base/index.ts";
import type { Bus, BusSubscription, TableFollower } from "../../../shared/bus/index.ts";
import { type AppliedKeyInput, type Input, type ProxyIdentity, ProxyStatus } from "../../../shared/wire/index.ts";

const PERIOD_MS = 10_000;
const JITTER = 0.2;
const CHECK_MS = 200;

export interface StatusOptions {
  readonly bus: Bus;
  readonly identity: ProxyIdentity;
  readonly followers: readonly TableFollower[];
  readonly about: Omit<Input<typeof ProxyStatus>, "applied" | "draining" | "nowMs">;
  readonly clock: Clock;
  isDraining(): boolean;
}

/** Tells which versions are in force here: every ten seconds, at once when one was refused, and whenever asked. */
export class StatusPublisher {
  readonly #options: StatusOptions;
  readonly #serving: BusSubscription;
  readonly #appliedMs = new Map<string, { sequence: number; ms: number }>();
  #rejections = "";
  #cancelPeriod: () => void = () => {};
  #stopCheck: () => void = () => {};

  constructor(options: StatusOptions) {
    this.#options = options;
    const { bus } = options;
    this.#serving = bus.serve(bus.subjects.syncStatus(), () => ({ type: ProxyStatus, value: this.status() }));
  }

  start(): void {
    this.#schedule();
    this.#stopCheck = this.#options.clock.every(CHECK_MS, () => this.#onlyRejections());
  }

  stop(): void {
    this.#cancelPeriod();
    this.#stopCheck();
    this.#serving.close();
  }

  status(): Input<typeof ProxyStatus> {
    const applied: AppliedKeyInput[] = [];
    for (const follower of this.#options.followers) {
      for (const { key, used, value, sequence, applied: state } of follower.followed) {
        if (!used || value === undefined) continue;
        applied.push({
          table: follower.table,
          key,
          epoch: state.epoch,
          sequence: state.sequence,
          revision: state.revision,
          appliedMs: this.#since(`${follower.table}/${key}`, state.sequence),
          rejected: state.reason ?? "",
          seenSequence: sequence,
        });
      }
    }
    const { about, clock } = this.#options;
    return { ...about, applied, draining: this.#options.isDraining(), nowMs: clock.now() };
  }

  #since(key: string, sequence: number): number {
    const known = this.#appliedMs.get(key);
    if (known?.sequence === sequence) return known.ms;
    const ms = this.#options.clock.now();
    this.#appliedMs.set(key, { sequence, ms });
    return ms;
  }

  #publish(): void {
    const { bus, identity } = this.#options;
    bus.publish(bus.subjects.proxyStatus(identity), ProxyStatus, this.status());
  }

  #schedule(): void {
    this.#publish();
    this.#cancelPeriod = this.#options.clock.after(jittered(PERIOD_MS, JITTER), () => this.#schedule());
  }

  #onlyRejections(): void {
    const { applied } = this.status();
    const rejections = (applied ?? [])
      .flatMap((key) => (key.rejected ? [`${key.table}/${key.key} ${key.rejected}`] : []))
      .join("\n");
    if (rejections === this.#rejections) return;
    this.#rejections = rejections;
    if (rejections !== "") this.#publish();
  }
}
