import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { destination } from "pino";
import type { Clock } from "../../../shared/base/index.ts";

/** Where a stdio handler writes its lines. */
export interface LineWriter {
  /** Never blocks and never throws; returns false when the line was dropped. */
  write(line: string): boolean;
  close(): void;
}

/** Bytes that may wait for a slow reader; lines beyond it are dropped. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

type Destination = ReturnType<typeof destination>;

/** Standard output (1) or standard error (2). A pipe that nobody reads fills up and drops, it does not stop Mixer. */
export function descriptorWriter(fd: 1 | 2): LineWriter {
  return writerTo(destination({ dest: fd, sync: false, maxLength: MAX_PENDING_BYTES }), false);
}

function writerTo(stream: Destination, end: boolean): LineWriter & { dropped: boolean } {
  const writer = {
    dropped: false,
    write(line: string): boolean {
      writer.dropped = false;
      stream.write(`${line}\n`);
      return !writer.dropped;
    },
    close(): void {
      if (end) stream.end();
      else stream.flush();
    },
  };
  stream.on("drop", () => {
    writer.dropped = true;
  });
  stream.on("error", () => {
    writer.dropped = true;
  });
  return writer;
}

/** How the names of rotated files end; others beside them are not ours to remove. */
const ROTATED = /\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;

export interface RotationOptions {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly maxFiles: number;
}

/** A file, rotated when told how: the old one gets the time of its rotation as a suffix. */
export function fileWriter(path: string, rotation: RotationOptions | undefined, clock: Clock): LineWriter {
  mkdirSync(dirname(path), { recursive: true });
  const open = (): LineWriter =>
    writerTo(destination({ dest: path, sync: false, maxLength: MAX_PENDING_BYTES, mode: 0o600 }), true);
  let current = open();
  if (rotation === undefined) return current;
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // The age is the file's, not this process's: restarts do not put the exchange off.
  let openedMs = bytes > 0 ? statSync(path).birthtimeMs || clock.now() : clock.now();
  const rotate = (): void => {
    current.close();
    // Somebody else may have moved it away.
    if (existsSync(path)) renameSync(path, `${path}.${new Date(clock.now()).toISOString().replaceAll(":", "-")}`);
    const old = readdirSync(dirname(path))
      .filter((name) => name.startsWith(`${basename(path)}.`) && ROTATED.test(name))
      .sort();
    for (const name of old.slice(0, Math.max(0, old.length - rotation.maxFiles))) rmSync(join(dirname(path), name));
    current = open();
    bytes = 0;
    openedMs = clock.now();
  };
  return {
    write(line) {
      if (bytes > 0 && (bytes + line.length > rotation.maxBytes || clock.now() - openedMs > rotation.maxAgeMs))
        rotate();
      bytes += Buffer.byteLength(line) + 1;
      return current.write(line);
    },
    close: () => current.close(),
  };
}
