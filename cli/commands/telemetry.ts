import { Command, InvalidArgumentError, Option } from "commander";
import { errorMessage } from "../../shared/base/index.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withConnectionOptions } from "../options.ts";
import { renderTelemetry } from "../render.ts";
import type { RunCommand } from "./apply.ts";

interface TelemetryFlags extends ConnectionFlags {
  readonly kind?: string;
  readonly namespace?: string;
  readonly service?: string;
  readonly count?: number;
  readonly output: string;
}

/** `lateen telemetry`: follows the stream until Ctrl-C, or until `--count` rows have come. */
export function telemetryCommand(io: CliIo, run: RunCommand): Command {
  return withConnectionOptions(new Command("telemetry"))
    .description("follow the telemetry stream")
    .addOption(new Option("--kind <kind>", "only metrics or only logs").choices(["metric", "log"]))
    .option("-n, --namespace <namespace>", "only rows about services of this namespace")
    .option("--service <service>", "only rows about this service")
    .addOption(new Option("-c, --count <rows>", "end after so many rows").argParser(parseCount))
    .option("-o, --output <format>", "short, or json: one object a line", "short")
    .action((flags: TelemetryFlags) =>
      run(async () => {
        if (flags.output !== "short" && flags.output !== "json")
          throw new UsageError(`unknown output format ${flags.output}. Types are short|json`);
        return withBus(flags, io, (bus) => {
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
        });
      }),
    );
}

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
