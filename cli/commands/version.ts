import { readFileSync } from "node:fs";
import { Command } from "commander";
import { type CliIo, EXIT } from "../io.ts";
import type { RunCommand } from "./apply.ts";

/** The version in package.json, which lies above dist. */
export function lateenVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

export function versionCommand(io: CliIo, run: RunCommand): Command {
  return new Command("version").description("show the version").action(() =>
    run(async () => {
      io.out(`lateen ${lateenVersion()} (node ${process.version})`);
      return EXIT.ok;
    }),
  );
}
