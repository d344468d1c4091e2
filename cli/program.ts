import { Command, CommanderError } from "commander";
import { errorMessage, MeshError } from "../shared/base/index.ts";
import { applyCommand, createCommand, type RunCommand } from "./commands/apply.ts";
import { busConfigCommand } from "./commands/bus-config.ts";
import { componentCommands } from "./commands/component.ts";
import { deleteCommand } from "./commands/delete.ts";
import { getCommand } from "./commands/get.ts";
import { proxyStatusCommand } from "./commands/proxy-status.ts";
import { telemetryCommand } from "./commands/telemetry.ts";
import { lateenVersion, versionCommand } from "./commands/version.ts";
import { type CliIo, EXIT, UsageError } from "./io.ts";
import { palette } from "./render.ts";

const EXIT_HELP = `
Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 --wait ran into its timeout.
Which mesh: flags, then NATS_URL and the like, then a context (LATEEN_CONTEXT_FILE, LATEEN_CONTEXT,
~/.config/lateen/contexts.json), then the demo of this folder, then nats://127.0.0.1:4222.`;

/** Runs one command line (without the program's name) and returns its exit code; the one place that reports errors. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT.ok;
  const run: RunCommand = async (command) => {
    exitCode = await command();
  };
  try {
    await buildProgram(io, run).parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, io);
  }
}

function buildProgram(io: CliIo, run: RunCommand): Command {
  const program = new Command("lateen").description("A service mesh on a message bus").version(lateenVersion());
  const commands = [
    applyCommand(io, run),
    createCommand(io, run),
    getCommand(io, run),
    deleteCommand(io, run),
    proxyStatusCommand(io, run),
    telemetryCommand(io, run),
    versionCommand(io, run),
    busConfigCommand(io, run),
    ...componentCommands(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands]) {
    command
      .exitOverride()
      .allowExcessArguments(false)
      .configureOutput({
        writeOut: (text) => io.out(text.trimEnd()),
        writeErr: (text) => io.err(text.trimEnd()),
      });
  }
  return program.addHelpText("after", EXIT_HELP).showHelpAfterError("(lateen --help shows the commands)");
}

function report(error: unknown, io: CliIo): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { bad } = palette(io.isTerminal);
  if (error instanceof UsageError) {
    io.err(`${bad("Error:")} ${error.message}`);
    return EXIT.usage;
  }
  io.err(`${bad("Error:")} ${errorMessage(error)}`);
  if (!(error instanceof MeshError)) return EXIT.failed;
  const remedy = REMEDIES[error.code];
  if (remedy !== undefined) io.err(remedy);
  return error.code === "ERR_MESH_TIMEOUT" && error.details?.["waiting"] === true ? EXIT.waitTimeout : EXIT.failed;
}

const REMEDIES: Partial<Record<MeshError["code"], string>> = {
  ERR_MESH_UNAVAILABLE:
    "Is the mesh running, and is this the right one? See --nats-url, NATS_URL and LATEEN_CONTEXT_FILE.",
};
