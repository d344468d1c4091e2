import { parentPort, workerData } from "node:worker_threads";

/*
 * A clock for an open loop. Timers of an event loop are whole milliseconds and late at that; a thread that sleeps for
 * exactly what is left wakes another one within some tens of microseconds, and leaves the processor alone meanwhile.
 */
const { startNs, periodNs, ticks } = workerData as { startNs: bigint; periodNs: bigint; ticks: number };
const never = new Int32Array(new SharedArrayBuffer(4));

for (let tick = 0; tick < ticks; tick++) {
  const waitNs = startNs + BigInt(tick) * periodNs - process.hrtime.bigint();
  if (waitNs > 0n) Atomics.wait(never, 0, 0, Number(waitNs) / 1e6);
  parentPort?.postMessage(tick);
}
