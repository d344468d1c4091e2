import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";

/**
 * What a Pilot has seen accepted, on its own disk: one JSON line each, appended in order.
 *
 * nats-server writes a bucket through to its disk about once a minute, and a bucket can be deleted by anybody with the
 * right to. So the bucket is treated as a cache, and every replica, leading or not, keeps the last revisions of every
 * resource here. After a crash the last line may be torn: it is dropped, as is any other line that cannot be
 * read, because one bad line must not cost the good ones. When the file has grown far beyond what it holds, it is written
 * anew beside itself and renamed into place.
 *
 * After a write has failed (a full disk, a folder that was removed) the file may end in half a line and lacks what came
 * meanwhile: the next write makes it anew as a whole.
 *
 * Lines are handed to the system at once and to the disk soon after (one fsync for all that came meanwhile): a
 * power failure can cost the last moments of one replica's journal, not of all of them.
 */
export interface JournalOptions {
  /** The file; its folder is made when missing. */
  readonly path: string;
  readonly log: Logger;
  /** A file smaller than this is never rewritten; default 1 MiB. */
  readonly compactAboveBytes?: number;
  /** Everything that a rewritten file has to hold. */
  readonly content: () => Iterable<unknown>;
}

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Rewritten when this many times larger than right after the last rewrite. */
const GROWTH = 4;

export class Journal {
  readonly #options: JournalOptions;
  readonly #compactAboveBytes: number;
  #file: FileHandle | undefined;
  #sizeBytes = 0;
  #compactedBytes = 0;
  #queue: string[] = [];
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#compactAboveBytes = options.compactAboveBytes ?? 1024 * 1024;
  }

  /** Whether the last write failed: what was accepted since is in memory and on the bus only. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Reads what is there and opens the file for appending. */
  async open(): Promise<unknown[]> {
    const { path, log } = this.#options;
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const entries: unknown[] = [];
    let unreadable = 0;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      try {
        entries.push(JSON.parse(line));
      } catch {
        unreadable++;
      }
    }
    if (unreadable > 0) log.warn({ path, unreadable }, "journal has lines that cannot be read; they are ignored");
    this.#file = await open(path, constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY, FILE_MODE);
    this.#sizeBytes = Buffer.byteLength(text);
    this.#compactedBytes = this.#sizeBytes;
    // A torn last line must not swallow the next one.
    if (text !== "" && !text.endsWith("\n")) await this.#file.write("\n");
    return entries;
  }

  /** Adds one entry. Never throws: a full disk must not stop the mesh, it is logged and shows as `failed`. */
  append(entry: unknown): void {
    this.#queue.push(`${JSON.stringify(entry)}\n`);
    this.#writing ??= this.#drain();
  }

  /** Resolves when all that was appended has been handed to the disk. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0 && this.#file !== undefined) {
        const text = this.#queue.join("");
        this.#queue = [];
        if (this.#failed) {
          await this.#compact();
          this.#failed = false;
          continue;
        }
        await this.#file.appendFile(text);
        await this.#file.datasync();
        this.#sizeBytes += Buffer.byteLength(text);
        if (this.#sizeBytes > Math.max(this.#compactAboveBytes, GROWTH * this.#compactedBytes)) await this.#compact();
      }
    } catch (error) {
      this.#failed = true;
      this.#options.log.error({ reason: errorMessage(error) }, "journal not written");
    } finally {
      this.#writing = undefined;
    }
  }

  async #compact(): Promise<void> {
    const { path, content } = this.#options;
    const fresh = `${path}.new`;
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    const file = await open(fresh, "w", FILE_MODE);
    let sizeBytes = 0;
    try {
      for (const entry of content()) {
        const line = `${JSON.stringify(entry)}\n`;
        sizeBytes += Buffer.byteLength(line);
        await file.appendFile(line);
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
    await this.#file?.close();
    this.#file = await open(path, constants.O_APPEND | constants.O_WRONLY);
    this.#sizeBytes = sizeBytes;
    this.#compactedBytes = sizeBytes;
  }
}
