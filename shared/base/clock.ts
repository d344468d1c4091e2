/** Time, passed in so that tests can own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number;
  /** Calls back once after `delayMs`; returns the cancel function. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back every `periodMs`; returns the cancel function. Never keeps the process alive. */
  every(periodMs: number, callback: () => void): () => void;
}

/** Node's timers take no more, 24.8 days, and fire at once beyond it. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, MAX_TIMER_MS);
      timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : callback()), stepMs);
      timer.unref();
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, Math.min(periodMs, MAX_TIMER_MS));
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Waits; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** `periodMs` plus or minus `fraction` of it, evenly spread: keeps a fleet from acting in step. */
export function jittered(periodMs: number, fraction: number, random: () => number = Math.random): number {
  return periodMs * (1 + fraction * (2 * random() - 1));
}
