import { NotFoundError, TimeoutError, UnavailableError } from "../base/index.ts";
import type { Bus } from "./bus.ts";
import { type BucketName, open, type TableMessage } from "./envelope.ts";

export const DIRECT_GET_TIMEOUT_MS = 500;

const NO_MESSAGE = 404;
const EMPTY = new Uint8Array();

/**
 * Reads one key from its bucket. Undefined: the bucket is there and has no such key. Throws UnavailableError when the
 * bucket does not answer in 500 ms (which says nothing about the key), WireError when the answer is not the key's.
 */
export async function directGet(
  bus: Bus,
  table: BucketName,
  key: string,
  timeoutMs = DIRECT_GET_TIMEOUT_MS,
): Promise<TableMessage | undefined> {
  try {
    const answer = await bus.requestRaw(bus.subjects.directGet(table, key), EMPTY, { timeoutMs });
    if (answer.status === NO_MESSAGE) return undefined;
    if (answer.status !== 0) throw new UnavailableError(`${table} ${key}: the server answered ${answer.status}`);
    return open(bus.subjects, table, key, answer);
  } catch (error) {
    if (error instanceof TimeoutError || error instanceof NotFoundError) {
      throw new UnavailableError(`table ${table} does not answer`, { cause: error });
    }
    throw error;
  }
}

/** Runs `work` over all items, at most `limit` at a time. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (;;) {
      const item = items[next++];
      if (item === undefined) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
