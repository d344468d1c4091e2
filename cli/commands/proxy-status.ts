import { ProxyStatus, SyncRequest } from "../../shared/wire/index.ts";
import type { CommandDefinition } from "../command.ts";
import { type ConnectionFlags, withBus } from "../connection.ts";
import { EXIT } from "../io.ts";
import { withConnectionOptions, withOutputOption } from "../options.ts";
import { proxyName, renderProxyStatus } from "../render.ts";

interface StatusFlags extends ConnectionFlags {
  readonly output: string;
}

const GATHER = { quietMs: 300, maxMs: 3_000 };

/** Asks every proxy what it has applied; one that does not answer is not listed. */
export const PROXY_STATUS: CommandDefinition = {
  name: "proxy-status",
  group: "Mesh",
  summary: "show every proxy and whether it has applied the newest configuration",
  examples: [
    { what: "All proxies", line: "lateen proxy-status" },
    { what: "For a program", line: "lateen proxy-status -o json" },
  ],
  define(command, { io, run }) {
    withConnectionOptions(withOutputOption(command, ["short", "json"])).action((flags: StatusFlags) =>
      run(() =>
        withBus(flags, io, async (bus) => {
          const statuses = await bus.gather(bus.subjects.syncStatus(), SyncRequest, {}, ProxyStatus, GATHER);
          statuses.sort((a, b) => (proxyName(a) < proxyName(b) ? -1 : 1));
          io.out(
            flags.output === "json" ? JSON.stringify(statuses, undefined, 2) : renderProxyStatus(statuses, Date.now()),
          );
          return EXIT.ok;
        }),
      ),
    );
  },
};
