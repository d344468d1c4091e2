import { pino } from "pino";
import type { Logger } from "../../shared/obs/index.ts";

/** A logger that says nothing, or everything when TEST_LOG names a level. */
export const silentLog: Logger = pino({ level: process.env["TEST_LOG"] ?? "silent" }, pino.destination(2));
