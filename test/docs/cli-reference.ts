import { Command } from "commander";
import { COMMAND_GROUPS, definitionOf } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/command-list.ts";
import { EXIT_CODES } from "../../cli/io.ts";
import { withConnectionOptions } from "../../cli/options.ts";
import { buildProgram } from "../../cli/program.ts";
import { cliIo } from "../harness/cli.ts";
import { code, table } from "./sections.ts";

/** Flags that every command which speaks to a mesh has; explained once. */
const CONNECTION_OPTIONS = withConnectionOptions(new Command("any")).options;
const CONNECTION_FLAGS = new Set(CONNECTION_OPTIONS.map(({ flags }) => flags));

/** The made sections of docs/cli.md: connection flags, exit codes, and the commands of each group. */
export function renderCli(): ReadonlyMap<string, string> {
  const program = buildProgram(cliIo(), () => async () => {});
  const groupOf = new Map(COMMANDS.map(({ name, group }) => [name, group]));
  const shown = program.commands.filter(isShown);
  const groups = COMMAND_GROUPS.map((group): [string, string] => [
    `commands ${group}`,
    `\n${shown
      .filter((command) => groupOf.get(command.name()) === group)
      .map((command) => renderCommand(command, ["lateen"]))
      .join("\n")}\n`,
  ]);
  return new Map([
    ["connection flags", optionTable(CONNECTION_OPTIONS)],
    ["exit codes", exitCodeTable(EXIT_CODES)],
    ...groups,
  ]);
}

function isShown(command: Command): boolean {
  const definition = definitionOf(command);
  return definition !== undefined && definition.isHidden !== true;
}

function renderCommand(command: Command, parents: readonly string[]): string {
  const definition = definitionOf(command);
  if (definition === undefined) return "";
  const path = [...parents, command.name()];
  const own = command.options.filter(({ flags, hidden }) => !hidden && !CONNECTION_FLAGS.has(flags));
  const connects = command.options.some(({ flags }) => CONNECTION_FLAGS.has(flags));
  const parts = [
    `${"#".repeat(path.length + 1)} ${path.slice(1).join(" ")}\n`,
    `${command.description()}\n`,
    block([synopsis(command, path)]),
    aliases(command),
    argumentTable(command),
    own.length === 0 ? "" : optionTable(own).trim(),
    connects ? "Takes the [connection flags](#which-mesh) as well.\n" : "",
    examples(definition.examples),
    definition.exitCodes === undefined ? "" : `Exit codes:\n${exitCodeTable(definition.exitCodes).trimEnd()}\n`,
  ];
  const text = parts
    .filter((part) => part !== "")
    .map((part) => `${part.trimEnd()}\n`)
    .join("\n");
  return [text, ...command.commands.filter(isShown).map((child) => renderCommand(child, path))].join("\n");
}

function synopsis(command: Command, path: readonly string[]): string {
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const rest = command.commands.some(isShown) ? ["<command>"] : [];
  return [...path, ...rest, ...words, ...(command.options.length > 0 ? ["[flags]"] : [])].join(" ");
}

function aliases(command: Command): string {
  const names = command.aliases();
  return names.length === 0 ? "" : `Also: ${names.map(code).join(", ")}.\n`;
}

function argumentTable(command: Command): string {
  const described = command.registeredArguments.filter(({ description }) => description !== "");
  if (described.length === 0) return "";
  return table(
    ["argument", "meaning"],
    described.map((argument) => [code(argument.name()), argument.description]),
  ).trim();
}

function optionTable(options: Command["options"]): string {
  return table(
    ["flag", "meaning"],
    options.map(({ flags, description, argChoices, defaultValue, defaultValueDescription, mandatory }) => {
      const choices = argChoices === undefined ? "" : `: ${argChoices.map(code).join(", ")}`;
      const initial = defaultValueDescription ?? (isWorthShowing(defaultValue) ? String(defaultValue) : undefined);
      const notes = [mandatory ? "Required." : "", initial === undefined ? "" : `Default: ${code(initial)}.`];
      return [code(flags), [`${description}${choices}.`, ...notes.filter((note) => note !== "")].join(" ")];
    }),
  );
}

function isWorthShowing(value: unknown): boolean {
  return (typeof value === "string" && value !== "") || typeof value === "number";
}

function examples(each: readonly { readonly what: string; readonly line: string }[]): string {
  return block(each.flatMap(({ what, line }, index) => [...(index > 0 ? [""] : []), `# ${what}`, line]));
}

function block(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\`\`\`sh\n${lines.join("\n")}\n\`\`\`\n`;
}

function exitCodeTable(codes: Readonly<Record<number, string>>): string {
  return table(
    ["exit code", "meaning"],
    Object.entries(codes).map(([number, meaning]) => [number, meaning]),
  );
}
