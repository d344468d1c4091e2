import { InvalidArgumentError, Option } from "commander";
import { errorMessage } from "../../shared/base/index.ts";
import { TELEMETRY_KINDS } from "../../shared/wire/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { renderTelemetry } from "../render.ts";

interface TelemetryFlags extends ConnectionFlags {
  readonly kind?: string;
  readonly namespace?: string;
  readonly service?: string;
  readonly count?: number;
  readonly output: string;
}

/** Follows the stream until Ctrl-C, or until `--count` rows have come. */
export const TELEMETRY: CommandDefinition = {
  name: "telemetry",
  group: "Traffic",
  summary: "follow the telemetry stream",
  examples: [
    { what: "Everything, until Ctrl-C", line: "lateen telemetry" },
    {
      what: "The next ten metric rows about one service",
      line: "lateen telemetry --kind metric --service reviews -c 10",
    },
    { what: "For a program: one object a line", line: "lateen telemetry -o json" },
  ],
  define(command, { io, run }) {
    command
      .addOption(new Option("--kind <kind>", "only rows of this kind").choices(TELEMETRY_KINDS))
      .option("-n, --namespace <namespace>", "only rows about services of this namespace")
      .option("--service <service>", "only rows about this service")
      .addOption(new Option("-c, --count <rows>", "end after so many rows").argParser(parseCount));
    withOutputOption(command, ["short", "json"], "json is one object a line");
    withConnectionOptions(command).action((flags: TelemetryFlags) =>
      run(() =>
        withBus(flags, io, (bus) => {
          let left = flags.count ?? Number.POSITIVE_INFINITY;
          return new Promise<number>((resolve) => {
            const finish = () => {
              subscription.close();
              resolve(EXIT.ok);
            };
            const subscription = bus.subscribe(bus.subjects.allTelemetry(), (message) => {
              const address = bus.subjects.parseTelemetry(message.subject);
              const isWanted =
                left > 0 &&
                (flags.kind === undefined || address.kind === flags.kind) &&
                (flags.namespace === undefined || address.namespace === flags.namespace) &&
                (flags.service === undefined || address.service === flags.service);
              if (!isWanted) return;
              io.out(flags.output === "json" ? message.text() : renderRow(address.kind, message.text()));
              if (--left === 0) finish();
            });
            if (io.signal.aborted) finish();
            else io.signal.addEventListener("abort", finish, { once: true });
          });
        }),
      ),
    );
  },
};

function renderRow(kind: string, text: string): string {
  try {
    return renderTelemetry(kind, JSON.parse(text) as Record<string, unknown>);
  } catch (error) {
    return `not a telemetry row (${errorMessage(error)}): ${text.slice(0, 200)}`;
  }
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("give a number of at least 1");
  return Number(text);
}
