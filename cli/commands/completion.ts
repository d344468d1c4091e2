import type { CommandDefinition, SubcommandDefinition } from "../command.ts";
import { complete } from "../completion/complete.ts";
import { meshLookup } from "../completion/lookup.ts";
import { INSTALL, SCRIPTS, SHELLS } from "../completion/scripts.ts";
import { EXIT } from "../io.ts";

const OF_SHELLS: readonly SubcommandDefinition[] = SHELLS.map((shell) => ({
  name: shell,
  summary: `write the completion script of ${shell}`,
  examples: [
    { what: "In every new shell", line: INSTALL[shell] },
    { what: "To look at it", line: `lateen completion ${shell}` },
  ],
  define(command, { io, run }) {
    command.action(() =>
      run(async () => {
        io.out(SCRIPTS[shell].trimEnd());
        return EXIT.ok;
      }),
    );
  },
}));

export const COMPLETION: CommandDefinition = {
  name: "completion",
  group: "Command line",
  summary: "write the completion script of a shell",
  about:
    "Writes a script that has the shell complete commands, flags, their values, kinds, and names of what is in the mesh. Names are asked for within half a second; without a mesh there are none.",
  examples: [
    { what: "In this bash", line: "source <(lateen completion bash)" },
    { what: "In every new zsh", line: INSTALL.zsh },
  ],
  subcommands: OF_SHELLS,
};

const DEADLINE_MS = 500;

/** What the scripts ask. Quick, and silent about whatever goes wrong: somebody is typing. */
export const COMPLETE: CommandDefinition = {
  name: "__complete",
  group: "Command line",
  summary: "answer a shell's completion script",
  isHidden: true,
  examples: [],
  define(command, { io, run }) {
    command
      .argument("[words...]")
      .helpOption(false)
      .action((words: readonly string[]) =>
        run(async () => {
          const silent = { ...io, err: () => {}, errRaw: () => {} };
          const asked = complete(command.parent ?? command, words, meshLookup(silent)).catch(() => []);
          const completion = await Promise.race([asked, after(DEADLINE_MS)]);
          if (completion === "files") io.out(":files");
          else if (completion.length > 0)
            io.out(completion.map(({ value, text }) => (text === "" ? value : `${value}\t${text}`)).join("\n"));
          return EXIT.ok;
        }),
      );
  },
};

function after(ms: number): Promise<readonly never[]> {
  return new Promise((resolve) => {
    setTimeout(() => resolve([]), ms).unref();
  });
}
