import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

/*
 * Runs beside the event loop that it watches, so it needs nothing of it: it looks at a shared counter, and kills the process
 * when that has stood still for the limit. When this thread itself was late, the whole process was stopped (a debugger, a
 * suspended machine), and counting starts again.
 */

interface WatchdogData {
  readonly beats: Int32Array;
  readonly limitMs: number;
  readonly periodMs: number;
}

const { beats, limitMs, periodMs } = workerData as WatchdogData;
const nap = new Int32Array(new SharedArrayBuffer(4));

let seen = Atomics.load(beats, 0);
let seenAt = performance.now();
let wokeAt = seenAt;
for (;;) {
  Atomics.wait(nap, 0, 0, periodMs);
  const now = performance.now();
  const beat = Atomics.load(beats, 0);
  if (beat < 0) break;
  if (beat !== seen || now - wokeAt > periodMs * 4) {
    seen = beat;
    seenAt = now;
  }
  wokeAt = now;
  if (now - seenAt > limitMs) {
    writeSync(
      2,
      `${JSON.stringify({ level: 60, time: Date.now(), msg: `the event loop hangs for ${Math.round(now - seenAt)} ms; exiting` })}\n`,
    );
    process.kill(process.pid, "SIGKILL");
  }
}
