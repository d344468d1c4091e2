import { Option } from "commander";
import { MeshError, sleep, systemClock } from "../../shared/base/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, resolveAddress, withBus } from "../connection.ts";
import { type CheckResult, checksJson, renderChecks } from "../doctor/checks.ts";
import { examineMachine, examineMesh } from "../doctor/examine.ts";
import { unreachable } from "../doctor/judge-bus.ts";
import { type CliIo, EXIT } from "../io.ts";
import { parseDurationMs, withConnectionOptions, withOutputOption } from "../options.ts";
import { withProgress } from "../progress.ts";
import { palette } from "../render.ts";
import { withoutLogin } from "../safe-text.ts";

interface Flags extends ConnectionFlags {
  readonly pre?: boolean;
  readonly redisUrl?: string;
  readonly wait?: boolean;
  readonly timeout: number;
  readonly output: string;
}

const RETRY_MS = 2_000;

export const CHECK: CommandDefinition = {
  name: "check",
  group: "Mesh",
  summary: "look whether everything is as it should be, and say what to do",
  about:
    "Looks whether everything is as it should be: the bus, its buckets, Pilot, Mixer and CA, Redis, versions, clocks, certificates, proxies, rules. Each line is " +
    "ok, a warning or a failure, and what is not ok names the section that says what to do.",
  exitCodes: {
    [EXIT.ok]: "no check has failed; there may be warnings",
    [EXIT.failed]: "a check has failed",
    [EXIT.usage]: "wrong command line",
  },
  examples: [
    { what: "The whole mesh", line: "lateen check" },
    { what: "Only what is not as it should be", line: "lateen check -o short" },
    { what: "Before a mesh is installed", line: "lateen check --pre --redis-url redis://127.0.0.1:6379" },
    { what: "In a script, until the mesh is up", line: "lateen check --wait --timeout 2m -o json" },
  ],
  define(command, { io, run }) {
    command
      .option("--pre", "before a mesh is there: only what it will need")
      .option("--redis-url <url>", "with --pre: the Redis that Mixer will use")
      .option("--wait", "look again until no check fails")
      .addOption(
        new Option("--timeout <duration>", "how long to wait").default(300_000, "5m").argParser(parseDurationMs),
      );
    withOutputOption(command, ["full", "short", "json"], "short: only what is not as it should be");
    withConnectionOptions(command).action((flags: Flags) =>
      run(async () => {
        const deadlineMs = performance.now() + (flags.wait === true ? flags.timeout : 0);
        let results = await withProgress(io, "Looking at the mesh", () => examine(flags, io));
        while (hasFailed(results) && performance.now() < deadlineMs && !io.signal.aborted) {
          await withProgress(io, "Waiting until no check fails", async (progress) => {
            progress.say(results.find(({ level }) => level === "fail")?.text ?? "");
            await sleep(systemClock, RETRY_MS, io.signal).catch(() => undefined);
          });
          results = await examine(flags, io);
        }
        const text =
          flags.output === "json"
            ? checksJson(results)
            : renderChecks(results, flags.output === "short", palette(io.colours));
        io.out(text);
        return hasFailed(results) ? EXIT.failed : EXIT.ok;
      }),
    );
  },
};

function hasFailed(results: readonly CheckResult[]): boolean {
  return results.some(({ level }) => level === "fail");
}

async function examine(flags: Flags, io: CliIo): Promise<readonly CheckResult[]> {
  const natsUrl = withoutLogin(resolveAddress(flags, io).natsUrl);
  try {
    return await withBus(flags, io, (bus) =>
      flags.pre === true ? examineMachine(bus, natsUrl, flags.redisUrl) : examineMesh(bus, natsUrl),
    );
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return [unreachable(error.message)];
  }
}
