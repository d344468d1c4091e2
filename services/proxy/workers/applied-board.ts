import type { AppliedState, FollowedKey } from "../../../shared/bus/index.ts";

/**
 * What each worker has made of the keys that it follows. The proxy has applied what the slowest of them has, and holds
 * back what any of them holds back: so `sync` says "applied" when no request is served by the version before. One that
 * has made nothing of a key yet serves nothing by it, and does not count.
 */
export class AppliedBoard<Worker> {
  readonly #states = new Map<FollowedKey, Map<Worker, AppliedState>>();

  set(key: FollowedKey, worker: Worker, applied: AppliedState): void {
    const states = this.#states.get(key) ?? new Map<Worker, AppliedState>();
    states.set(worker, applied);
    this.#states.set(key, states);
    key.setApplied(slowest([...states.values()]));
  }

  /** The worker does not follow the key any more. What the last one had applied stands. */
  remove(key: FollowedKey, worker: Worker): void {
    const states = this.#states.get(key);
    if (states?.delete(worker) !== true) return;
    if (states.size === 0) this.#states.delete(key);
    else key.setApplied(slowest([...states.values()]));
  }
}

function slowest(states: readonly AppliedState[]): AppliedState {
  const { epoch, sequence, revision } = states.reduce((least, each) => (isBehind(each, least) ? each : least));
  const reason = states.find((each) => each.reason !== undefined)?.reason;
  return { epoch, sequence, revision, ...(reason !== undefined && { reason }) };
}

function isBehind(one: AppliedState, other: AppliedState): boolean {
  return one.epoch < other.epoch || (one.epoch === other.epoch && one.sequence < other.sequence);
}
