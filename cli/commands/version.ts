import type { CommandDefinition } from "../command.ts";
import { EXIT } from "../io.ts";
import { lateenVersion } from "../version.ts";

export const VERSION: CommandDefinition = {
  name: "version",
  group: "Command line",
  summary: "show the version",
  examples: [{ what: "Of the command line", line: "lateen version" }],
  define(command, { io, run }) {
    command.action(() =>
      run(async () => {
        io.out(`lateen ${lateenVersion()} (node ${process.version})`);
        return EXIT.ok;
      }),
    );
  },
};
