import { Command, CommanderError } from "commander";
import { errorMessage, MeshError } from "../shared/base/index.ts";
import { buildCommand, COMMAND_GROUPS, outputOf, type RunOf } from "./command.ts";
import { COMMANDS } from "./command-list.ts";
import { isMixerRequest } from "./commands/mixc.ts";
import { type CliIo, EXIT, EXIT_CODES, UsageError } from "./io.ts";
import { palette } from "./render.ts";
import { lateenVersion } from "./version.ts";

const EXIT_HELP = `
Exit codes:
${Object.entries(EXIT_CODES)
  .map(([code, meaning]) => `  ${code}  ${meaning}`)
  .join("\n")}

Which mesh: flags, then NATS_URL and the like, then a context (LATEEN_CONTEXT_FILE, LATEEN_CONTEXT,
~/.config/lateen/contexts.json), then the demo of this folder, then nats://127.0.0.1:4222.`;

/** Runs one command line (without the program's name) and returns its exit code; the one place that reports errors. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT.ok;
  let failureCode: number = EXIT.failed;
  const runOf: RunOf = (definition) => async (command) => {
    failureCode = definition.failureCode ?? EXIT.failed;
    exitCode = await command();
  };
  try {
    const words = isMixerRequest(args) ? ["mixc", ...args.slice(1)] : [...args];
    await buildProgram(io, runOf).parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, io, failureCode);
  }
}

export function buildProgram(io: CliIo, runOf: RunOf): Command {
  const program = new Command("lateen")
    .description("A service mesh on a message bus")
    .version(lateenVersion())
    .addHelpCommand(
      new Command("help").argument("[command]").description("show help for a command").helpGroup("Command line:"),
    )
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput(outputOf(io));
  // Help lists groups in the order in which they first appear.
  for (const group of COMMAND_GROUPS) {
    for (const definition of COMMANDS.filter((each) => each.group === group))
      program.addCommand(buildCommand(definition, io, runOf), { hidden: definition.isHidden === true });
  }
  return program.addHelpText("after", EXIT_HELP).showHelpAfterError("(lateen --help shows the commands)");
}

function report(error: unknown, io: CliIo, failureCode: number): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { bad } = palette(io.colours);
  if (error instanceof UsageError) {
    io.err(`${bad("Error:")} ${error.message}`);
    return EXIT.usage;
  }
  if (io.signal.aborted) {
    io.err("Interrupted; what was accepted stays accepted.");
    return failureCode;
  }
  io.err(`${bad("Error:")} ${errorMessage(error)}`);
  if (!(error instanceof MeshError)) return failureCode;
  const remedy = REMEDIES[error.code];
  if (remedy !== undefined) io.err(remedy);
  return error.code === "ERR_MESH_TIMEOUT" && error.details?.["waiting"] === true ? EXIT.waitTimeout : failureCode;
}

const REMEDIES: Partial<Record<MeshError["code"], string>> = {
  ERR_MESH_UNAVAILABLE:
    "Is the mesh running, and is this the right one? See --nats-url, NATS_URL and `lateen context`.",
  ERR_MESH_DENIED:
    "These credentials have no right to that. Are they an operator's, and is the mesh's prefix the right one? See --nats-user, --mesh-prefix and `lateen context`.",
};
