import { componentHelp, isComponent, startComponent } from "./commands/component.ts";
import { isMixerRequest } from "./commands/mixc.ts";
import type { CliIo } from "./io.ts";
import { runCli } from "./program.ts";
import { safeOutput } from "./safe-text.ts";

const name = process.argv[2];
const asksMixer = isMixerRequest(process.argv.slice(2));
if (isComponent(name) && !asksMixer && process.argv.slice(3).some((word) => word === "--help" || word === "-h")) {
  process.stdout.write(`${await componentHelp(name)}\n`);
} else if (isComponent(name) && !asksMixer) {
  await startComponent(name);
} else {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());
  // A reader that has seen enough (`| head`) ends the command, quietly.
  process.stdout.on("error", () => process.exit(0));
  const io: CliIo = {
    out: (text) => void process.stdout.write(`${safeOutput(text)}\n`),
    err: (text) => void process.stderr.write(`${safeOutput(text)}\n`),
    env: process.env,
    cwd: process.cwd(),
    errRaw: (text) => void process.stderr.write(text),
    isTerminal: process.stdout.isTTY === true,
    isErrorTerminal: process.stderr.isTTY === true,
    colours: process.stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    async readStdin() {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
    signal: interrupted.signal,
  };
  process.exitCode = await runCli(process.argv.slice(2), io);
  // Somebody is typing: what has not answered by now is not waited for.
  if (name === "__complete") process.stdout.write("", () => process.exit());
}
