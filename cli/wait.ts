import { type Clock, sleep, systemClock, TimeoutError } from "../shared/base/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import { isTable, SyncReply, SyncRequest, type TouchedKey } from "../shared/wire/index.ts";

/**
 * Waiting for configuration to be in force, by asking and never by guessing a time.
 *
 * First the owner of the kind (the leading Pilot, or the leading Mixer) says into which table keys it compiled the
 * revision. Then everybody who follows such a key says which revision of it is applied. In force means: the owner
 * has published, and nobody who answers is behind. A follower that does not answer is not waited for: whoever starts
 * later reads the newest value anyway, and a dead one must not block a deployment. Whoever does not follow the key
 * has nothing to apply.
 */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Told again and again who or what is behind. */
  readonly onWaiting?: (waitingFor: string) => void;
}

/** An accepted (or deleted) resource; results of an apply fit. */
export interface AwaitedResource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  /** "rejected" is passed over. */
  readonly outcome?: string;
}

const POLL_MS = 50;
/** Answers come within milliseconds of each other; a first one may take longer. */
const OWNER_GATHER = { quietMs: 40, maxMs: 1_000 };
const FOLLOWER_GATHER = { quietMs: 150, maxMs: 1_000 };
const MAX_MISSED_ROUNDS = 5;
/** Followers named of one key. */
const MAX_NAMED = 20;
const MAX_KEYS_NAMED = 20;
const MAX_PARALLEL = 16;

/** Resolves when every resource is in force everywhere. Throws TimeoutError that names who is behind and why. */
export async function waitApplied(
  bus: Bus,
  resources: readonly AwaitedResource[],
  options: WaitOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const deadline = clock.monotonic() + options.timeoutMs;
  const accepted = resources.filter(({ outcome }) => outcome !== "rejected");
  const touched = new Map<string, TouchedKey>();
  await all(accepted, async (resource) => {
    for (const key of await askUntil(() => askOwner(bus, resource))) {
      const id = `${key.table} ${key.key}`;
      if ((touched.get(id)?.revision ?? 0) < key.revision || !touched.has(id)) touched.set(id, key);
    }
  });
  await all([...touched.values()], (key) => askUntil(followersOf(bus, key)));

  /** Who is behind with one key does not hide who is behind with another. */
  async function all<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
    const late: string[] = [];
    await inParallel(items, async (item) => {
      try {
        await run(item);
      } catch (error) {
        if (!(error instanceof TimeoutError && error.details?.["waiting"] === true)) throw error;
        late.push(error.message);
      }
    });
    if (late.length === 0) return;
    const named = late.sort().slice(0, MAX_KEYS_NAMED).join("\n  ");
    const more = late.length > MAX_KEYS_NAMED ? `\n  and ${late.length - MAX_KEYS_NAMED} more` : "";
    throw new TimeoutError(`not in force after ${options.timeoutMs} ms: ${named}${more}`, {
      details: { waiting: true },
    });
  }

  async function askUntil<T>(ask: () => Promise<Verdict<T>>): Promise<T> {
    for (;;) {
      options.signal?.throwIfAborted();
      const verdict = await ask();
      if (verdict.done) return verdict.value;
      options.onWaiting?.(verdict.waitingFor);
      if (clock.monotonic() >= deadline) {
        throw new TimeoutError(verdict.waitingFor, { details: { waiting: true } });
      }
      await sleep(clock, POLL_MS, options.signal);
    }
  }
}

type Verdict<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly waitingFor: string };

async function askOwner(
  bus: Bus,
  { kind, namespace, name, revision }: AwaitedResource,
): Promise<Verdict<readonly TouchedKey[]>> {
  const { subjects } = bus;
  const subject = subjects.sync("config", subjects.configKey(kind, namespace, name));
  const replies = (await bus.gather(subject, SyncRequest, {}, SyncReply, OWNER_GATHER)).filter((reply) => reply.owner);
  const label = `${kind.toLowerCase()}/${namespace}/${name} at revision ${revision}`;
  const newest = replies.reduce<SyncReply | undefined>(
    (best, reply) => (best === undefined || reply.revision > best.revision ? reply : best),
    undefined,
  );
  if (newest === undefined) return { done: false, waitingFor: `${label}: no owner answers` };
  if (newest.revision < revision) {
    const why = newest.reason === "" ? "" : ` (${newest.reason})`;
    return {
      done: false,
      waitingFor: `${label}: ${newest.role} ${newest.name} is at revision ${newest.revision}${why}`,
    };
  }
  if (newest.reason !== "")
    return { done: false, waitingFor: `${label}: ${newest.role} ${newest.name}: ${newest.reason}` };
  return { done: true, value: newest.touched };
}

/**
 * Asks the followers of one key again and again. Who has once answered that it is behind is waited for even when a busy
 * machine makes it miss a round; after MAX_MISSED_ROUNDS it counts as gone.
 */
function followersOf(bus: Bus, { table, key, revision }: TouchedKey): () => Promise<Verdict<void>> {
  const missedRounds = new Map<string, number>();
  return async () => {
    if (!isTable(table)) return { done: true, value: undefined };
    const replies = await bus.gather(bus.subjects.sync(table, key), SyncRequest, {}, SyncReply, FOLLOWER_GATHER);
    const behind: string[] = [];
    for (const [name, missed] of missedRounds) {
      if (replies.some((reply) => reply.name === name)) missedRounds.delete(name);
      else if (missed + 1 >= MAX_MISSED_ROUNDS) missedRounds.delete(name);
      else {
        missedRounds.set(name, missed + 1);
        behind.push(`${name} (silent)`);
      }
    }
    for (const reply of replies) {
      if (reply.revision >= revision) continue;
      missedRounds.set(reply.name, 0);
      behind.push(`${reply.name} (revision ${reply.revision}${reply.reason === "" ? "" : `, ${reply.reason}`})`);
    }
    if (behind.length === 0) return { done: true, value: undefined };
    const more = behind.length > MAX_NAMED ? ` and ${behind.length - MAX_NAMED} more` : "";
    const who = behind.slice(0, MAX_NAMED).join(", ");
    return { done: false, waitingFor: `${table} ${key} at revision ${revision}: behind are ${who}${more}` };
  };
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_PARALLEL, items.length) }, worker));
}
