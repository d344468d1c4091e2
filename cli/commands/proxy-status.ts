import { Command } from "commander";
import { ProxyStatus, SyncRequest } from "../../shared/wire/index.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { type CliIo, EXIT, UsageError } from "../io.ts";
import { withConnectionOptions } from "../options.ts";
import { proxyName, renderProxyStatus } from "../render.ts";
import type { RunCommand } from "./apply.ts";

interface StatusFlags extends ConnectionFlags {
  readonly output: string;
}

const GATHER = { quietMs: 300, maxMs: 3_000 };

/** `lateen proxy-status`: asks every proxy what it has applied; one that does not answer is not listed. */
export function proxyStatusCommand(io: CliIo, run: RunCommand): Command {
  return withConnectionOptions(new Command("proxy-status"))
    .description("show every proxy and whether it has applied the newest configuration")
    .option("-o, --output <format>", "short or json", "short")
    .action((flags: StatusFlags) =>
      run(async () => {
        if (flags.output !== "short" && flags.output !== "json")
          throw new UsageError(`unknown output format ${flags.output}. Types are short|json`);
        return withBus(flags, io, async (bus) => {
          const statuses = await bus.gather(bus.subjects.syncStatus(), SyncRequest, {}, ProxyStatus, GATHER);
          statuses.sort((a, b) => (proxyName(a) < proxyName(b) ? -1 : 1));
          io.out(
            flags.output === "json" ? JSON.stringify(statuses, undefined, 2) : renderProxyStatus(statuses, Date.now()),
          );
          return EXIT.ok;
        });
      }),
    );
}
