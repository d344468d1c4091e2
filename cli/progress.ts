import { type Clock, systemClock } from "../shared/base/index.ts";
import type { CliIo } from "./io.ts";
import { safeCell, safeOutput } from "./safe-text.ts";

/**
 * What takes longer than a second says so: on a terminal in one line that is rewritten in place and removed at the end,
 * else in one plain line. It goes to standard error, so that results stay clean.
 */
export interface Progress {
  /** What is being waited for just now. */
  say(detail: string): void;
}

const SHOW_AFTER_MS = 1_000;
const REDRAW_MS = 200;
const MAX_LENGTH = 100;
/** Carriage return, and clear to the end of the line. */
const CLEAR_LINE = "\r\u001b[K";

export async function withProgress<T>(
  io: CliIo,
  what: string,
  run: (progress: Progress) => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> {
  const startedMs = clock.monotonic();
  let detail = "";
  let isShown = false;
  const show = () => {
    const ageMs = clock.monotonic() - startedMs;
    if (ageMs < SHOW_AFTER_MS) return;
    const text = detail === "" ? `${what} ...` : `${what}: ${detail}`;
    if (io.isErrorTerminal) {
      io.errRaw(`${CLEAR_LINE}${shortened(text)} (${Math.floor(ageMs / 1000)} s)`);
    } else if (!isShown) io.err(`${what} ...`);
    isShown = true;
  };
  const stop = clock.every(REDRAW_MS, show);
  try {
    return await run({
      say(text) {
        detail = safeCell(safeOutput(text));
      },
    });
  } finally {
    stop();
    if (isShown && io.isErrorTerminal) io.errRaw(CLEAR_LINE);
  }
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 3)}...` : text;
}
