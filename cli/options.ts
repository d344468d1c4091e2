import { type Command, InvalidArgumentError, Option } from "commander";
import { errorMessage } from "../shared/base/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import { durationMs } from "../shared/config/index.ts";
import type { CliIo } from "./io.ts";
import { type AwaitedResource, waitApplied } from "./wait.ts";

/** The flags that say which mesh; every command that speaks to one has them. */
export function withConnectionOptions(command: Command): Command {
  return command
    .option("--nats-url <url>", "NATS servers, comma-separated (NATS_URL)")
    .option("--nats-user <user>", "user name on the bus (NATS_USER)")
    .option("--nats-password <password>", "its password (NATS_PASSWORD); the variable keeps it out of the process list")
    .option("--mesh-prefix <prefix>", "first token of every subject (MESH_PREFIX), default mesh")
    .option("--context <name>", "a context of ~/.config/lateen/contexts.json (LATEEN_CONTEXT)");
}

export interface WaitFlags {
  readonly wait?: boolean;
  readonly timeout: number;
}

export function withWaitOptions(command: Command): Command {
  return command
    .option("--wait", "wait until every proxy that follows the change has applied it")
    .addOption(
      new Option("--timeout <duration>", "how long to wait").default(30_000, "30s").argParser(parseDurationMs),
    );
}

const TIMEOUT = durationMs({ env: "TIMEOUT", default: 30_000, doc: "" });

/** `500ms`, `30s`, `2m`. */
export function parseDurationMs(text: string): number {
  try {
    return TIMEOUT.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}

/** Waits when asked to, and says how long it took. */
export async function waitIfAsked(
  bus: Bus,
  resources: readonly AwaitedResource[],
  flags: WaitFlags,
  io: CliIo,
): Promise<void> {
  if (flags.wait !== true || resources.length === 0) return;
  const startedMs = performance.now();
  await waitApplied(bus, resources, { timeoutMs: flags.timeout, signal: io.signal });
  io.err(`In force after ${((performance.now() - startedMs) / 1000).toFixed(2)} s`);
}
