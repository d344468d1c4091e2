import { type Command, InvalidArgumentError, Option } from "commander";
import { errorMessage } from "../shared/base/index.ts";
import type { Bus } from "../shared/bus/index.ts";
import { durationMs } from "../shared/config/index.ts";
import type { CliIo } from "./io.ts";
import { withProgress } from "./progress.ts";
import { parseLabelSelector } from "./resources/label-selector.ts";
import { type AwaitedResource, waitApplied } from "./wait.ts";

const CONNECTION_GROUP = "Connection options:";

/** The flags that say which mesh; every command that speaks to one has them. */
export function withConnectionOptions(command: Command): Command {
  const options: readonly (readonly [flags: string, text: string])[] = [
    ["--nats-url <url>", "NATS servers, comma-separated (NATS_URL)"],
    ["--nats-user <user>", "user name on the bus (NATS_USER)"],
    ["--nats-password <password>", "its password (NATS_PASSWORD); the variable keeps it out of the process list"],
    ["--mesh-prefix <prefix>", "first token of every subject (MESH_PREFIX), default mesh"],
    ["--context <name>", "a context of ~/.config/lateen/contexts.json (LATEEN_CONTEXT)"],
  ];
  for (const [flags, text] of options) command.addOption(new Option(flags, text).helpGroup(CONNECTION_GROUP));
  return command;
}

/** `-o, --output`, the first format being the default. The value is one of `formats` when the action runs. */
export function withOutputOption(
  command: Command,
  formats: readonly [string, ...string[]],
  text = "how results are written",
): Command {
  const option = new Option("-o, --output <format>", text)
    .choices(formats)
    .default(formats[0])
    .argParser((value) => {
      if (formats.includes(value)) return value;
      throw new InvalidArgumentError(`unknown output format ${value}. Types are ${formats.join("|")}`);
    });
  return command.addOption(option);
}

export function withFilenameOption(command: Command): Command {
  return command
    .option("-f, --filename <path>", "file, folder or -; may be repeated", collect, [])
    .option("-R, --recursive", "with folders, also what is below them");
}

/** Of commands that send documents. */
export function withSubmitOptions(command: Command): Command {
  withFilenameOption(command)
    .option("-n, --namespace <namespace>", "namespace of documents that name none")
    .option("--dry-run", "judge only, change nothing");
  return withConnectionOptions(withWaitOptions(withOutputOption(command, ["short", "json"])));
}

/** Of commands that take kinds and names. */
export function withSelectionOptions(command: Command): Command {
  return command
    .option("-n, --namespace <namespace>", "namespace (default: that of the kind, mostly default)")
    .option("-A, --all-namespaces", "every namespace")
    .addOption(
      new Option("-l, --selector <labels>", "only what has these labels, such as app=web,tier!=db").argParser(
        parseLabelSelector,
      ),
    );
}

/** For options that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
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

/** A number of a revision, from 1. */
export function parseRevision(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("give a revision's number, as history shows it");
  return Number(text);
}

/** Waits when asked to, and says how long it took. */
export async function waitIfAsked(
  bus: Bus,
  resources: readonly AwaitedResource[],
  flags: WaitFlags,
  io: CliIo,
): Promise<void> {
  const accepted = resources.filter(({ outcome }) => outcome !== "rejected");
  if (flags.wait !== true || accepted.length === 0) return;
  const startedMs = performance.now();
  await withProgress(io, "Waiting until it is in force", (progress) =>
    waitApplied(bus, accepted, {
      timeoutMs: flags.timeout,
      signal: io.signal,
      onWaiting: (waitingFor) => progress.say(waitingFor),
    }),
  );
  io.err(`In force after ${((performance.now() - startedMs) / 1000).toFixed(2)} s`);
}
