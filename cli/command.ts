import { Command, type OutputConfiguration } from "commander";
import type { CliIo } from "./io.ts";

/**
 * How a command presents itself. Each lies in one file below commands/, exports one definition, and stands in the list
 * of command-list.ts; help texts, shell completion and docs/cli.md are made from the definitions, so what is not said
 * here is not said anywhere.
 */
export interface CommandDefinition {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: CommandGroup;
  /** One line, in lower case and without a full stop, for the list of commands. */
  readonly summary: string;
  /** Whole sentences for the command's own help. */
  readonly about?: string;
  /** At least one. */
  readonly examples: readonly CommandExample[];
  /** What its exit codes mean where that is not EXIT_CODES. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Exit code of a failure; default 1. For commands whose 1 is an answer. */
  readonly failureCode?: number;
  /** What may stand in each place of an argument, for completion; the last one also stands for all that follow. */
  readonly completes?: readonly CompletionSource[];
  /** Known to the shell's completion, not to people. */
  readonly isHidden?: boolean;
  readonly subcommands?: readonly SubcommandDefinition[];
  /** Adds arguments and options to `command`, and the action, whose whole work goes through `context.run`. */
  define?(command: Command, context: CommandContext): void;
}

export type SubcommandDefinition = Omit<CommandDefinition, "group" | "subcommands">;

/** The headings of the list of commands, in their order. */
export const COMMAND_GROUPS = ["Configuration", "Traffic", "Mesh", "Components", "Command line"] as const;
export type CommandGroup = (typeof COMMAND_GROUPS)[number];

export interface CommandExample {
  /** What it is good for, in a few words. */
  readonly what: string;
  /** The whole line, such as `lateen get routerules -A`. */
  readonly line: string;
}

/** Words that completion offers; what only the mesh knows is asked for. */
export type CompletionSource =
  | "kinds"
  /** Names of the kind that the first argument says. */
  | "names"
  | "namespaces"
  | "services"
  | "proxies"
  | "contexts"
  | "files"
  | readonly string[];

/** The command's work; resolves to the exit code. */
export type RunCommand = (run: () => Promise<number>) => Promise<void>;

export interface CommandContext {
  readonly io: CliIo;
  readonly run: RunCommand;
}

const DEFINITIONS = new WeakMap<Command, CommandDefinition | SubcommandDefinition>();

/** The definition that a command was built from. */
export function definitionOf(command: Command): CommandDefinition | SubcommandDefinition | undefined {
  return DEFINITIONS.get(command);
}

/** What the command's work is done by, and reported to. */
export type RunOf = (definition: CommandDefinition | SubcommandDefinition) => RunCommand;

export function buildCommand(
  definition: CommandDefinition | SubcommandDefinition,
  io: CliIo,
  runOf: RunOf,
  parents: readonly string[] = [],
): Command {
  const path = [...parents, definition.name];
  const { name, aliases = [], summary, about, examples, exitCodes } = definition;
  const command = new Command(name)
    .summary(summary)
    .description(about ?? sentence(summary))
    .aliases([...aliases]);
  command.allowExcessArguments(false);
  DEFINITIONS.set(command, definition);
  definition.define?.(command, { io, run: runOf(definition) });
  if ("group" in definition) {
    command.helpGroup(`${definition.group}:`);
    for (const subcommand of definition.subcommands ?? [])
      command.addCommand(buildCommand(subcommand, io, runOf, path), { hidden: subcommand.isHidden === true });
  }
  command.addHelpText("after", `${examplesHelp(examples)}${exitCodesHelp(exitCodes)}`);
  return command
    .exitOverride()
    .showHelpAfterError(`(${["lateen", ...path].join(" ")} --help shows how)`)
    .configureOutput(outputOf(io));
}

export function outputOf(io: CliIo): OutputConfiguration {
  return {
    writeOut: (text) => io.out(text.trimEnd()),
    writeErr: (text) => io.err(text.trimEnd()),
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  };
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function examplesHelp(examples: readonly CommandExample[]): string {
  if (examples.length === 0) return "";
  return `\nExamples:\n${examples.map(({ what, line }) => `  # ${what}\n  ${line}`).join("\n\n")}`;
}

function exitCodesHelp(exitCodes: Readonly<Record<number, string>> | undefined): string {
  if (exitCodes === undefined) return "";
  const lines = Object.entries(exitCodes).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return `\n\nExit codes:\n${lines.join("\n")}`;
}
