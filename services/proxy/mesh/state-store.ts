import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { Follow, TableFollower } from "../../../shared/bus/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import type { Table } from "../../../shared/wire/index.ts";
import { IDLE_MS } from "./directory.ts";

/** How often what changed is written. */
const SAVE_MS = 1_000;

interface SavedKey {
  readonly table: string;
  readonly key: string;
  readonly epoch: number;
  readonly sequence: number;
  /** Base64; left out: there is no such key. */
  readonly value?: string;
}

/** Of these tables the proxy reads certain keys, and that one is absent is as good an answer as any. */
const ABSENCE_COUNTS: readonly Table[] = ["hosts", "workload"];

/**
 * What this proxy follows, kept on disk: a restarted proxy serves from it until the bus has something newer, so that
 * it needs neither bus nor control plane to come back. What nobody has asked for by then is let go after a while, as what
 * nobody uses is. A file that cannot be read is as good as none.
 */
export class StateStore {
  readonly #file: string;
  readonly #dir: string;
  readonly #followers: readonly TableFollower[];
  readonly #log: Logger;
  #saved = "";
  #saving: Promise<void> = Promise.resolve();
  readonly #restored = new Set<Follow>();
  #stopTimers: (() => void)[] = [];

  constructor(dir: string, followers: readonly TableFollower[], log: Logger) {
    this.#dir = dir;
    this.#file = join(dir, "tables.json");
    this.#followers = followers;
    this.#log = log;
  }

  /** Seeds the followers; how many keys were known. */
  async load(): Promise<number> {
    try {
      this.#seed(JSON.parse(await readFile(this.#file, "utf8")) as SavedKey[]);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) {
        this.#log.warn({ reason: errorMessage(error) }, "the saved tables are not used");
      }
    }
    return this.#restored.size;
  }

  start(clock: Clock): void {
    this.#stopTimers = [clock.every(SAVE_MS, () => void this.#save()), clock.after(IDLE_MS, () => this.#letGo())];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopTimers.splice(0)) stop();
    await this.#save();
  }

  #seed(saved: readonly SavedKey[]): void {
    const followers = new Map(this.#followers.map((follower) => [follower.table as string, follower]));
    for (const { table, key, epoch, sequence, value } of saved) {
      const bytes = value === undefined ? undefined : Buffer.from(value, "base64");
      const follow = followers.get(table)?.seed(key, bytes, epoch, sequence);
      if (follow !== undefined) this.#restored.add(follow);
    }
  }

  #letGo(): void {
    for (const follow of this.#restored) if (!follow.used) follow.destroy();
    this.#restored.clear();
  }

  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const keys: SavedKey[] = [];
    for (const follower of this.#followers) {
      const { table } = follower;
      for (const { key, state, epoch, sequence, value } of follower.followed) {
        if (value !== undefined) {
          keys.push({ table, key, epoch, sequence, value: Buffer.from(value).toString("base64") });
        } else if (state === "absent" && ABSENCE_COUNTS.includes(table)) keys.push({ table, key, epoch, sequence });
      }
    }
    // Positions alone tell whether anything changed.
    const mark = keys.map(({ table, key, epoch, sequence }) => `${table}/${key}@${epoch}/${sequence}`).join("\n");
    if (mark === this.#saved) return;
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      const temporary = `${this.#file}.new`;
      await writeFile(temporary, JSON.stringify(keys), { mode: 0o600 });
      await rename(temporary, this.#file);
      this.#saved = mark;
    } catch (error) {
      this.#log.warn({ reason: errorMessage(error) }, "the tables could not be saved");
    }
  }
}
