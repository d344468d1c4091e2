import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { type CommandDefinition, definitionOf, type SubcommandDefinition } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/command-list.ts";
import { buildProgram } from "../../cli/program.ts";
import { cliIo, runLateen } from "../harness/cli.ts";

function* all(): Iterable<readonly [path: string, definition: CommandDefinition | SubcommandDefinition]> {
  for (const definition of COMMANDS) {
    if ((definition.subcommands ?? []).length === 0) yield [definition.name, definition];
    for (const subcommand of definition.subcommands ?? []) yield [`${definition.name} ${subcommand.name}`, subcommand];
  }
}

const shown = [...all()].filter(([, { isHidden }]) => isHidden !== true);

function* tree(command: Command): Iterable<Command> {
  yield command;
  for (const child of command.commands) yield* tree(child);
}

test("every command has a summary of one line, and an example of itself", () => {
  for (const [path, { summary, examples }] of shown) {
    assert.match(summary, /^[a-z][^\n]{5,110}[^.]$/, path);
    assert.ok(
      examples.some(({ line }) => line.includes(`lateen ${path}`)),
      path,
    );
  }
});

for (const [path, { examples }] of shown) {
  test(`the examples of ${path} are command lines that it takes`, async () => {
    for (const { line } of examples) {
      const own = /\blateen (.*?)(?: [|<>] .*|\).*)?$/.exec(line)?.[1] ?? "";
      const words = (own.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^['"]|['"]$/g, ""));
      const program = buildProgram(cliIo(), () => async () => {});
      await assert.doesNotReject(
        async () =>
          await program.parseAsync(words, { from: "user" }).catch((error: { exitCode?: number }) => {
            if (error.exitCode !== 0) throw error;
          }),
        line,
      );
    }
  });
}

test("every option that speaks of a format, and every other, is explained", () => {
  const program = buildProgram(cliIo(), () => async () => {});
  for (const command of tree(program)) {
    for (const { flags, description } of command.options)
      assert.notEqual(description, "", `${command.name()} ${flags}`);
  }
  assert.ok([...tree(program)].filter((command) => definitionOf(command) !== undefined).length >= shown.length);
});

test("a command's help shows its examples, and the list of commands its group", async () => {
  const help = await runLateen(["apply", "--help"]);
  assert.equal(help.code, 0);
  assert.match(help.out, /\nExamples:\n {2}# Apply a file, .*\n {2}lateen apply -f rule\.yaml --wait\n/);
  const list = await runLateen(["--help"]);
  assert.match(list.out, /\nConfiguration:\n {2}apply /);
  assert.match(list.out, /\nExit codes:\n {2}0 {2}done\n/);
});

test("no command at all is a wrong command line", async () => {
  const { code, err } = await runLateen([]);
  assert.equal(code, 2);
  assert.match(err, /^Usage: lateen/);
});
