import type { AppliedKey, ProxyStatus } from "../../shared/wire/index.ts";

/**
 * Whether a proxy runs on the newest configuration, told from what all proxies say of themselves. Newest is what anybody has
 * seen: the bus delivers to all of them within moments, so who is behind another one has missed something or holds it back.
 */
export type SyncState = "SYNCED" | "STALE" | "REJECTED" | "DRAINING";

export interface ProxyState {
  readonly status: ProxyStatus;
  readonly state: SyncState;
  /** Since when, milliseconds since the Unix epoch; 0 when nobody can tell. */
  readonly sinceMs: number;
  readonly keys: readonly KeyState[];
  /** Newest configuration revision that is in force here. */
  readonly revision: number;
}

export interface KeyState {
  readonly table: string;
  readonly key: string;
  readonly state: "SYNCED" | "STALE" | "REJECTED";
  /** In force. */
  readonly revision: number;
  readonly sequence: number;
  readonly appliedMs: number;
  /** Of the newest value that any proxy has seen, and when one first had it in force; 0: nobody has. */
  readonly newestRevision: number;
  readonly newestSequence: number;
  readonly newestMs: number;
  /** Why the newest value is not in force; "" when nothing is known. */
  readonly reason: string;
}

/** For programs: what the proxy says of itself, with what was made of it. */
export function proxyStateJson({ status, state, sinceMs, keys, revision }: ProxyState): object {
  const { namespace, service, serviceAccount, instance, workload, version, startedMs, draining } = status;
  const applied = status.applied.map(({ epoch, seenSequence, rejected }, i) => ({
    ...keys[i],
    epoch,
    seenSequence,
    rejected,
  }));
  return {
    namespace,
    service,
    serviceAccount,
    instance,
    workload,
    version,
    startedMs,
    draining,
    state,
    sinceMs,
    revision,
    applied,
  };
}

interface Newest {
  readonly epoch: number;
  readonly sequence: number;
  readonly revision: number;
  readonly appliedMs: number;
}

export function proxyStates(statuses: readonly ProxyStatus[]): readonly ProxyState[] {
  const newest = newestOf(statuses);
  return statuses.map((status) => {
    const keys = status.applied.map((key) => keyState(key, newest.get(idOf(key))));
    const behind = keys.filter(({ state }) => state !== "SYNCED");
    const rejected = behind.some(({ state }) => state === "REJECTED");
    const state = status.draining ? "DRAINING" : rejected ? "REJECTED" : behind.length > 0 ? "STALE" : "SYNCED";
    return {
      status,
      state,
      keys,
      sinceMs: sinceMs(keys, behind),
      revision: Math.max(0, ...keys.map((key) => key.revision)),
    };
  });
}

/** In force since the last change, or behind since the first proxy had what is missing here. */
function sinceMs(keys: readonly KeyState[], behind: readonly KeyState[]): number {
  if (behind.length === 0) return Math.max(0, ...keys.map(({ appliedMs }) => appliedMs));
  const known = behind.map(({ newestMs }) => newestMs).filter((ms) => ms > 0);
  return known.length === 0 ? 0 : Math.min(...known);
}

function keyState(key: AppliedKey, newest: Newest | undefined): KeyState {
  const isBehind = newest !== undefined && isOlder(key, newest);
  return {
    table: key.table,
    key: key.key,
    state: key.rejected !== "" ? "REJECTED" : isBehind ? "STALE" : "SYNCED",
    revision: key.revision,
    sequence: key.sequence,
    appliedMs: key.appliedMs,
    newestRevision: Math.max(key.revision, newest?.revision ?? 0),
    newestSequence: newest?.sequence ?? key.seenSequence,
    newestMs: newest?.appliedMs ?? 0,
    reason: key.rejected,
  };
}

function newestOf(statuses: readonly ProxyStatus[]): ReadonlyMap<string, Newest> {
  const newest = new Map<string, Newest>();
  const consider = (id: string, candidate: Newest) => {
    const best = newest.get(id);
    if (best === undefined || isOlder(best, candidate)) newest.set(id, candidate);
    else if (best.epoch === candidate.epoch && best.sequence === candidate.sequence) {
      const times = [best.appliedMs, candidate.appliedMs].filter((ms) => ms > 0);
      const appliedMs = times.length === 0 ? 0 : Math.min(...times);
      newest.set(id, { ...best, revision: Math.max(best.revision, candidate.revision), appliedMs });
    }
  };
  for (const { applied } of statuses) {
    for (const key of applied) {
      const { epoch, sequence, revision, appliedMs, seenSequence } = key;
      consider(idOf(key), { epoch, sequence, revision, appliedMs });
      if (seenSequence > sequence) consider(idOf(key), { epoch, sequence: seenSequence, revision: 0, appliedMs: 0 });
    }
  }
  return newest;
}

function idOf({ table, key }: { readonly table: string; readonly key: string }): string {
  return `${table} ${key}`;
}

function isOlder(a: { epoch: number; sequence: number }, b: { epoch: number; sequence: number }): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence);
}
