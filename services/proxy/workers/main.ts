import type { Socket } from "node:net";
import { systemClock } from "../../../shared/base/index.ts";
import { EventLoopWatchdog } from "../../../shared/bus/index.ts";
import { Worker } from "./worker.ts";

/*
 * A worker process lives as long as its channel to the primary does, and ends when it is told to: signals to the process
 * group are the primary's affair.
 */

const exit = (): never => process.exit(0);
const worker = new Worker((message, _socket, onFailed) => {
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) onFailed(error);
  });
}, exit);

new EventLoopWatchdog({ clock: systemClock });
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("message", (message, socket) => worker.receive(message, socket as Socket | undefined));
process.on("disconnect", exit);
// The primary may have died while this was loaded.
if (!process.connected) exit();
