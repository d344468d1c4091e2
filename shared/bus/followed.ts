import type { Table } from "../wire/index.ts";

/**
 * `loading`: not asked yet. `present`: has a value. `absent`: the bucket is there and has no such key. `unavailable`:
 * the bucket does not answer, and there is no answer from before.
 */
export type FollowState = "loading" | "present" | "absent" | "unavailable";

/** What a follower has made of a value, as told to `sync`. */
export interface AppliedState {
  readonly epoch: number;
  readonly sequence: number;
  /** The configuration revision that the value contains. */
  readonly revision: number;
  /** Why a newer value is held back or was refused. */
  readonly reason?: string;
}

/** Of a key of which nothing has been made yet. */
export const NOT_APPLIED: AppliedState = { epoch: 0, sequence: 0, revision: 0, reason: "not applied" };

/** One key of a table, as whoever lives by it sees it: in the process that follows it, or in another. */
export interface FollowedKey {
  readonly key: string;
  readonly state: FollowState;
  readonly value: Uint8Array | undefined;
  readonly epoch: number;
  readonly sequence: number;
  readonly applied: AppliedState;
  /** What `sync` answers from now on. */
  setApplied(applied: AppliedState): void;
  /** Called after each change of state or value. */
  onChange(listener: () => void): () => void;
  /** Resolves when the key is known to be present or absent. Throws TimeoutError. */
  ready(timeoutMs: number): Promise<void>;
  /** Ends this user's interest; the last one's ends the following. */
  close(): void;
}

export interface FollowedTable {
  readonly table: Table;
  /** Everything followed now. */
  readonly followed: Iterable<FollowedKey>;
  get(key: string): FollowedKey | undefined;
  /** Starts to follow, or returns what there is; each caller closes its own once. */
  follow(key: string): FollowedKey;
}
